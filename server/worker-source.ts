/**
 * A worker's module as one file of JavaScript, for a server that runs from source: tests and development.
 *
 * 1. A thread that loads TypeScript by itself takes four times as long to start, which those in the background do not have.
 * 2. The file is named after what is in it, and is complete when it is there: processes may share it.
 * 3. Never loaded from dist, where modules are JavaScript already.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

/** Beside the packages, which the file imports from where they are. */
const FOLDER = fileURLToPath(new URL("../node_modules/.cache/mcm-workers", import.meta.url));

const made = new Map<string, string>();

/** The path of the file. `module` is without extension. */
export function workerFromSource({ href }: URL): string {
  const path = made.get(href) ?? make(fileURLToPath(`${href}.ts`));
  made.set(href, path);
  return path;
}

function make(source: string): string {
  const { outputFiles } = buildSync({
    entryPoints: [source],
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    target: "node20",
    write: false,
  });
  const text = outputFiles.map((file) => file.text).join("");
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 16);
  const path = join(FOLDER, `${basename(source, ".ts")}-${hash}.mjs`);
  if (existsSync(path)) return path;
  mkdirSync(FOLDER, { recursive: true });
  const half = `${path}.${process.pid}`;
  writeFileSync(half, text);
  renameSync(half, path);
  return path;
}
