/**
 * What the arch tests look at: the files of the repository, parsed with oxc-parser (TypeScript 7 has no API to ask).
 *
 * 1. Everything is read from the working tree, not from git: a file is judged before it is committed.
 * 2. A file that does not parse is an error, never a file without imports.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { parseSync, Visitor } from "oxc-parser";
import type { ParseResult, VisitorObject } from "oxc-parser";

export const ROOT = join(import.meta.dirname, "../..");

/** Folders that hold nothing of ours: installed, built, or written by a run. */
const NOT_OURS = new Set([".git", "node_modules", "dist", "data", "artifacts", "coverage"]);

/** A file's path from the root, with forward slashes, and its text. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

export interface Import {
  /** As written: `../shared/path.ts`, `node:fs`, `yjs/dist/…`; undefined if it is computed at run time. */
  readonly specifier: string | undefined;
  /** Erased by the compiler: nothing of the module runs. */
  readonly typesOnly: boolean;
}

/** Paths of all files below a folder (default: of the whole repository), sorted. */
export function filesIn(folder = ""): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter((entry) => !NOT_OURS.has(entry.name))
    .flatMap((entry) => {
      const path = posix.join(folder, entry.name);
      return entry.isDirectory() ? filesIn(path) : [path];
    })
    .sort();
}

export function read(path: string): Source {
  return { path, text: readFileSync(join(ROOT, path), "utf8") };
}

/** The TypeScript and JavaScript of some folders. */
export function sourcesIn(...folders: string[]): Source[] {
  return folders.flatMap((folder) => filesIn(folder).filter((path) => /\.m?[jt]sx?$/.test(path))).map(read);
}

export function parse({ path, text }: Source): ParseResult {
  const result = parseSync(path, text);
  const [error] = result.errors;
  if (error !== undefined) throw new Error(`${path} does not parse: ${error.message}`);
  return result;
}

export function visit(source: Source, handlers: VisitorObject): void {
  new Visitor(handlers).visit(parse(source).program);
}

/** Static and dynamic imports, re-exports, and `import("…").Type`. */
export function importsOf(source: Source): Import[] {
  const { module } = parse(source);
  const found: Import[] = module.staticImports.map(({ moduleRequest, entries }) => ({
    specifier: moduleRequest.value,
    typesOnly: entries.length > 0 && entries.every((entry) => entry.isType),
  }));
  for (const entry of module.staticExports.flatMap(({ entries }) => entries)) {
    if (entry.moduleRequest !== null) found.push({ specifier: entry.moduleRequest.value, typesOnly: entry.isType });
  }
  visit(source, {
    ImportExpression: (node) => {
      const specifier = node.source.type === "Literal" ? String(node.source.value) : undefined;
      found.push({ specifier, typesOnly: false });
    },
    TSImportType: (node) => {
      found.push({ specifier: node.source.value, typesOnly: true });
    },
  });
  return found;
}

/** The file that a relative specifier names. */
export function resolve(from: string, specifier: string): string {
  return posix.normalize(posix.join(posix.dirname(from), specifier));
}
