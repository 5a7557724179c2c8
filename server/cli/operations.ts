/**
 * The options that say operations, --set, --op, --merge and --file: all add to one list, in the order given, --file last.
 *
 * Not here: what operations do (server/state/json/json-changes.ts).
 */
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import type { JsonOp } from "../../shared/change.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { Json } from "../../shared/json.ts";
import { jsonOpSchema, jsonPatchSchema } from "../../shared/protocol/rest.ts";
import type { Cli } from "./client-command.ts";
import { jsonArgument } from "./json-argument.ts";

export interface OperationFlags {
  readonly file?: string;
}

/** Adds the options; what it returns gives the operations once the command line is read. */
export function addOperationOptions(
  command: Command,
  { io }: Cli,
): (flags: OperationFlags) => Promise<readonly JsonOp[]> {
  const ops: JsonOp[] = [];
  const add = (parse: (text: string) => JsonOp) => (text: string) => void ops.push(parse(text));
  command
    .option("--set <path=value>", "set the value at a path; JSON, or else text (in a list: insert there)", add(setOp))
    .option("--op <json>", "one operation", add(opOf))
    .option("--merge <json>", "merge an object into the data (RFC 7396); null removes", add(mergeOp))
    .option("--file <path>", "a JSON Patch from a file, '-' for stdin; applied last");
  return async ({ file }) => (file === undefined ? ops : [...ops, ...patchOf(await io.read(file), file, command)]);
}

function setOp(text: string): JsonOp {
  const [, path, value] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (path === undefined || value === undefined)
    throw new InvalidArgumentError("It must be path=value, such as /title=Hello.");
  return { op: "add", path, value: jsonOrText(value) };
}

function jsonOrText(text: string): Json {
  try {
    return jsonArgument(text, "--set");
  } catch {
    return text;
  }
}

function opOf(text: string): JsonOp {
  const parsed = jsonOpSchema.safeParse(jsonArgument(text, "--op"));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new InvalidArgumentError(`It is not an operation: ${issue?.path.join("/") ?? ""} ${issue?.message ?? ""}`);
}

function mergeOp(text: string): JsonOp {
  const value = jsonArgument(text, "--merge");
  if (!isJsonObject(value)) throw new InvalidArgumentError('It must be a JSON object, such as {"done": true}.');
  return { op: "merge", path: "", value };
}

function patchOf(text: string, file: string, command: Command): readonly JsonOp[] {
  const parsed = jsonPatchSchema.safeParse(jsonArgument(text, file));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return command.error(`error: ${file} is not a JSON Patch: ${issue?.path.join("/") ?? ""} ${issue?.message ?? ""}`);
}
