/**
 * What stands at a path of a context's document, as JSON: the same for the server and for a client's replica.
 *
 * Invariants (JSON):
 *  1. Reading changes nothing, not even the type of a root that nobody has named yet: its kind is told by its content.
 *  2. What is read is JSON and its own: a stored key is an own key, whatever it is called.
 *  3. Recursion ends at `depthMax` however deep the document is.
 *
 * Not here: writing (server/state).
 */
import { toBase64 } from "lib0/buffer";
import * as Y from "yjs";
import { ServiceError } from "./errors.ts";
import type { Json } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { DATA_ROOT, formatPath, parsePath } from "./path.ts";
import { elementsOf, isPlainObject, isUntyped, isXml, kindOfRoot, membersOf, textOf } from "./yjs-values.ts";
import type { SharedType } from "./yjs-values.ts";

/**
 * What stands at a path, as JSON. Texts read as strings (an embedded object as U+FFFC), XML as its markup, bytes as
 * `{"$bytes": base64}`, big integers as `{"$bigint": decimal}`, numbers that JSON lacks as null.
 * `depth` counts the levels that are unfolded: below it an object that has members reads as `{"$object": how many}`, an
 * array as `{"$array": how many}`. So depth 0 gives a number, a string or a count.
 * @throws {ServiceError} PATH_NOT_FOUND, INVALID_REQUEST when `path` is none
 */
export function readData(doc: Y.Doc, path: string, depth: number = LIMITS.depthMax): Json {
  const [root = DATA_ROOT, ...steps] = parsePath(path);
  let value: unknown = root === DATA_ROOT ? doc.getMap(DATA_ROOT) : rootValue(doc.share.get(root));
  if (value === undefined) throw notFound([root]);
  for (const [index, step] of steps.entries()) {
    const inner = childOf(value, step);
    if (inner === undefined) throw notFound([root, ...steps.slice(0, index + 1)]);
    value = inner.value;
  }
  return toJson(value, Math.min(depth, LIMITS.depthMax));
}

/** As readData; undefined when there is nothing at the path. @throws {ServiceError} INVALID_REQUEST when `path` is none */
export function findData(doc: Y.Doc, path: string): Json | undefined {
  try {
    return readData(doc, path);
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
    case "text":
      return textOf(type);
    case "xml":
      return elementsOf(type)
        .map((node) => (isXml(node) ? node.toJSON() : ""))
        .join("");
    default:
      return null;
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

function toJson(value: unknown, depth: number): Json {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) ? value : null;
    case "bigint":
      return { $bigint: value.toString() };
    case "object":
      return value === null ? null : objectToJson(value, depth);
    default:
      return null;
  }
}

function objectToJson(value: object, depth: number): Json {
  if (value instanceof Y.Map) return membersToJson(value, depth);
  if (value instanceof Y.Array) return elementsToJson(value.toArray(), depth);
  if (isXml(value)) return value.toJSON();
  if (value instanceof Y.Text) return textOf(value);
  if (value instanceof Uint8Array) return { $bytes: toBase64(value) };
  if (Array.isArray(value)) return elementsToJson(value, depth);
  return isPlainObject(value) ? membersToJson(new Map(Object.entries(value)), depth) : null;
}

function membersToJson(members: Y.Map<unknown> | ReadonlyMap<string, unknown>, depth: number): Json {
  if (depth <= 0 && members.size > 0) return { $object: members.size };
  const object: Record<string, Json> = {};
  members.forEach((value: unknown, key: string) => {
    const json = toJson(value, depth - 1);
    if (key === "__proto__") Object.defineProperty(object, key, { value: json, enumerable: true });
    else object[key] = json;
  });
  return object;
}

function elementsToJson(values: readonly unknown[], depth: number): Json {
  if (depth <= 0 && values.length > 0) return { $array: values.length };
  return values.map((value) => toJson(value, depth - 1));
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
