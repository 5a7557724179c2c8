/**
 * Types in a folder: one file `<name>.json` for each, with its JSON Schema.
 *
 * Invariant (TYPE): either every file gives a type that can be registered, or none is and the first bad file is named.
 */
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { ServiceError } from "../../shared/errors.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { JsonObject } from "../../shared/json.ts";
import { parseJsonText } from "../../shared/protocol/json-text.ts";
import { compileSchema } from "../state/schema/context-schema.ts";
import { checkTypeName } from "./type-name.ts";

export interface TypeFile {
  readonly name: string;
  readonly schema: JsonObject;
}

const ENDING = ".json";

/** In order of name; other files and folders are passed over. @throws {ServiceError} INVALID_SCHEMA */
export async function readTypeFolder(folder: string): Promise<readonly TypeFile[]> {
  const files: TypeFile[] = [];
  for (const file of await filesIn(folder)) files.push(await readTypeFile(join(folder, file), file));
  return files;
}

async function filesIn(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.flatMap((entry) => (entry.isDirectory() || !entry.name.endsWith(ENDING) ? [] : [entry.name])).sort();
  } catch (error) {
    throw bad("folder", folder, error);
  }
}

async function readTypeFile(path: string, file: string): Promise<TypeFile> {
  try {
    const name = file.slice(0, -ENDING.length);
    checkTypeName(name);
    const schema = parseJsonText((await readFile(path, "utf8")).replace(/^\uFEFF/, ""));
    if (!isJsonObject(schema)) throw new Error("It holds no object.");
    compileSchema(schema);
    return { name, schema };
  } catch (error) {
    throw bad("file", path, error);
  }
}

function bad(what: "file" | "folder", path: string, cause: unknown): ServiceError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new ServiceError("INVALID_SCHEMA", `The ${what} of types ${path} cannot be used. ${why}`, { cause });
}
