/**
 * What stands at a path of a context's document, as JSON: the same for the server and for a client's replica.
 *
 * Invariants (JSON):
 *  1. Reading changes nothing, not even the type of a root that nobody has named yet.
 *
 * Not here: how a value reads (value-json.ts), writing (server/state/json).
 */
import * as Y from "yjs";
import { ServiceError } from "./errors.ts";
import type { Json } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { DATA_ROOT, formatPath, parsePath } from "./path.ts";
import { setOwn, toJson } from "./value-json.ts";
import type { Form } from "./value-json.ts";
import { elementsOf, isPlainObject, isUntyped, kindOfRoot, membersOf } from "./yjs-values.ts";
import type { SharedType } from "./yjs-values.ts";

/**
 * What stands at a path, as JSON. Texts read as strings (an embedded object as U+FFFC), XML as its markup, bytes as
 * `{"$bytes": base64}`, big integers as `{"$bigint": decimal}`, numbers that JSON lacks as null.
 * `depth` counts the levels that are unfolded: below it an object that has members reads as `{"$object": how many}`, an
 * array as `{"$array": how many}`. So depth 0 gives a number, a string or a count.
 * @throws {ServiceError} PATH_NOT_FOUND, INVALID_REQUEST when `path` is none
 */
export function readData(doc: Y.Doc, path: string, depth: number = LIMITS.depthMax): Json {
  return readAs("plain", doc, path, depth);
}

/**
 * As readData, with marks (json-marks.ts) for what JSON has no word for: a text reads as `{"$text": "…"}`, XML as
 * `{"$xml": …}` (xmlTreeOf). What is read so can be written back as what it was; formats of a text are not told.
 * @throws {ServiceError} PATH_NOT_FOUND, INVALID_REQUEST when `path` is none
 */
export function readMarked(doc: Y.Doc, path: string): Json {
  return readAs("marked", doc, path, LIMITS.depthMax);
}

/** As readData; undefined when there is nothing at the path. @throws {ServiceError} INVALID_REQUEST when `path` is none */
export function findData(doc: Y.Doc, path: string): Json | undefined {
  return unlessNotFound(() => readData(doc, path));
}

/** As readMarked; undefined when there is nothing at the path. @throws {ServiceError} INVALID_REQUEST when `path` is none */
export function findMarked(doc: Y.Doc, path: string): Json | undefined {
  return unlessNotFound(() => readMarked(doc, path));
}

/** A whole context with marks. `roots` are those beside the data that hold something, by name: `@name` without the '@'. */
export interface RootsJson {
  readonly data: Json;
  readonly roots: Readonly<Record<string, Json>>;
}

/**
 * All roots as readMarked reads them: `data`, and by name every other that is not empty; a map reads as an object, a list
 * as an array, a text and XML as their marks. So path `""` stands for the data alone in JSON operations, and each other
 * root for itself.
 */
export function readRoots(doc: Y.Doc): RootsJson {
  const roots: Record<string, Json> = {};
  for (const [name, type] of doc.share) {
    if (name !== DATA_ROOT && kindOfRoot(type) !== "empty")
      setOwn(roots, name, toJson(rootValue(type), LIMITS.depthMax, "marked"));
  }
  return { data: readMarked(doc, ""), roots };
}

function readAs(form: Form, doc: Y.Doc, path: string, depth: number): Json {
  const [root = DATA_ROOT, ...steps] = parsePath(path);
  let value: unknown = root === DATA_ROOT ? doc.getMap(DATA_ROOT) : rootValue(doc.share.get(root));
  if (value === undefined) throw notFound([root]);
  for (const [index, step] of steps.entries()) {
    const inner = childOf(value, step);
    if (inner === undefined) throw notFound([root, ...steps.slice(0, index + 1)]);
    value = inner.value;
  }
  return toJson(value, Math.min(depth, LIMITS.depthMax), form);
}

function unlessNotFound(read: () => Json): Json | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ServiceError && error.code === "PATH_NOT_FOUND") return undefined;
    throw error;
  }
}

/** A root as a value that can be read on. */
function rootValue(type: SharedType | undefined): unknown {
  if (type === undefined || !isUntyped(type)) return type;
  switch (kindOfRoot(type)) {
    case "map":
      return Object.fromEntries(membersOf(type));
    case "list":
      return elementsOf(type);
    case "empty":
      return null;
    default:
      return type;
  }
}

function childOf(parent: unknown, step: string): { readonly value: unknown } | undefined {
  if (parent instanceof Y.Map) return parent.has(step) ? { value: parent.get(step) } : undefined;
  if (parent instanceof Y.Array || Array.isArray(parent)) {
    const index = /^(0|[1-9]\d{0,14})$/.test(step) ? Number(step) : Infinity;
    if (index >= parent.length) return undefined;
    return { value: parent instanceof Y.Array ? parent.get(index) : parent[index] };
  }
  if (typeof parent !== "object" || parent === null || !isPlainObject(parent)) return undefined;
  return Object.hasOwn(parent, step) ? { value: parent[step] } : undefined;
}

function notFound(steps: readonly string[]): ServiceError {
  return new ServiceError(
    "PATH_NOT_FOUND",
    "The path names nothing in the context. Read the data above it for what is there now.",
    {
      details: { path: formatPath(steps) },
    },
  );
}
