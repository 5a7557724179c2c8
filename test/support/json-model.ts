/**
 * A naive model of JSON changes on plain JSON, to compare server/state/json/json-changes.ts with: RFC 6902, RFC 7396 and our
 * three operations, written for being obviously right. Every operation copies the whole document.
 *
 * Not here: limits, texts as texts (a text is a string here).
 */
import type { JsonOp } from "../../shared/change.ts";
import type { Json } from "../../shared/json.ts";

export type ModelResult = { readonly data: Json } | { readonly code: string };

type Plain = null | boolean | number | string | Plain[] | { [key: string]: Plain };

class Refused extends Error {}

export function modelOf(data: Json, ops: readonly JsonOp[]): ModelResult {
  try {
    return { data: ops.reduce<Plain>(applied, asRead(data)) };
  } catch (error) {
    if (error instanceof Refused) return { code: error.message };
    throw error;
  }
}

/** Plain JSON with `{"$text": "…"}` as the string it reads as; a deep copy. */
export function asRead(value: Json): Plain {
  const copy: Plain = JSON.parse(JSON.stringify(value), (_key, inner: unknown) =>
    isObject(inner) && Object.hasOwn(inner, "$text") ? inner["$text"] : inner,
  );
  return copy;
}

function applied(before: Plain, op: JsonOp): Plain {
  const data: Plain = structuredClone(before);
  const at = pointer(op.path);
  switch (op.op) {
    case "test":
      if (!equal(find(data, at), asRead(op.value))) throw new Refused("TEST_FAILED");
      return data;
    case "add":
      return add(data, at, asRead(op.value));
    case "remove":
      return remove(data, at);
    case "replace":
      find(data, at);
      return put(data, at, asRead(op.value));
    case "copy":
      return add(data, at, structuredClone(find(data, pointer(op.from))));
    case "move":
      return move(data, pointer(op.from), at);
    case "merge":
      return put(data, at, merged(findOr(data, at, undefined), op.value));
    case "increment":
      return put(data, at, incremented(findOr(data, at, 0), op.by));
    case "edit_text":
      return put(data, at, edited(stringAt(data, at), op.old, op.new));
    default:
      return put(data, at, stringAt(data, at) + op.text);
  }
}

function incremented(present: Plain, by: number): Plain {
  if (typeof present !== "number" || !Number.isFinite(present + by)) throw new Refused("INVALID_CHANGE");
  return present + by;
}

function edited(text: string, old: string, replacement: string): string {
  if (old === "") throw new Refused("INVALID_CHANGE");
  const starts = [...Array(text.length).keys()].filter((index) => text.startsWith(old, index));
  const [start] = starts;
  if (start === undefined) throw new Refused("TEXT_NOT_FOUND");
  if (starts.length > 1) throw new Refused("TEXT_AMBIGUOUS");
  return text.slice(0, start) + replacement + text.slice(start + old.length);
}

function move(data: Plain, from: readonly string[], to: readonly string[]): Plain {
  const value = find(data, from);
  const same = from.every((step, index) => step === to[index]);
  if (same && from.length === to.length) return data;
  if (same) throw new Refused("INVALID_CHANGE");
  return add(remove(data, from), to, value);
}

/** RFC 7396 §2, word for word. */
function merged(target: Plain | undefined, patch: Json): Plain {
  if (!isObject(patch) || Object.hasOwn(patch, "$text")) return asRead(patch);
  const result: { [key: string]: Plain } = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(Object.hasOwn(result, key) ? result[key] : undefined, value);
  }
  return result;
}

function add(data: Plain, at: readonly string[], value: Plain): Plain {
  const parent = parentOf(data, at);
  if (!Array.isArray(parent)) return put(data, at, value);
  const step = at.at(-1) ?? "";
  const index = step === "-" ? parent.length : indexOf(step);
  if (index > parent.length) throw new Refused("PATH_NOT_FOUND");
  parent.splice(index, 0, value);
  return data;
}

function remove(data: Plain, at: readonly string[]): Plain {
  const parent = parentOf(data, at);
  if (parent === undefined) throw new Refused("INVALID_CHANGE");
  find(data, at);
  const step = at.at(-1) ?? "";
  if (Array.isArray(parent)) parent.splice(Number(step), 1);
  else if (isObject(parent)) delete parent[step];
  return data;
}

/** Sets a member, or an element that is there. */
function put(data: Plain, at: readonly string[], value: Plain): Plain {
  const parent = parentOf(data, at);
  const step = at.at(-1) ?? "";
  if (parent === undefined) {
    if (!isObject(value)) throw new Refused("INVALID_CHANGE");
    return value;
  }
  if (Array.isArray(parent)) {
    find(data, at);
    parent[Number(step)] = value;
  } else if (isObject(parent)) {
    parent[step] = value;
  } else {
    throw new Refused("PATH_NOT_FOUND");
  }
  return data;
}

function stringAt(data: Plain, at: readonly string[]): string {
  const text = find(data, at);
  if (typeof text !== "string") throw new Refused("INVALID_CHANGE");
  return text;
}

/** Undefined for the root, which has none. */
function parentOf(data: Plain, at: readonly string[]): Plain | undefined {
  return at.length === 0 ? undefined : find(data, at.slice(0, -1));
}

function find(data: Plain, at: readonly string[]): Plain {
  let value: Plain | undefined = data;
  for (const step of at) {
    if (Array.isArray(value)) value = value[indexOf(step)];
    else if (isObject(value) && Object.hasOwn(value, step)) value = value[step];
    else value = undefined;
    if (value === undefined) throw new Refused("PATH_NOT_FOUND");
  }
  return value;
}

/** As `find`, but a missing last step gives `fallback`. */
function findOr<Fallback>(data: Plain, at: readonly string[], fallback: Fallback): Plain | Fallback {
  const parent = parentOf(data, at);
  const step = at.at(-1) ?? "";
  return isObject(parent) && !Object.hasOwn(parent, step) ? fallback : find(data, at);
}

function pointer(path: string): string[] {
  return path
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function indexOf(step: string): number {
  return /^(0|[1-9][0-9]*)$/.test(step) ? Number(step) : Infinity;
}

function equal(a: Plain, b: Plain): boolean {
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((value, i) => equal(value, b[i] ?? null));
  if (!isObject(a)) return a === b;
  if (!isObject(b) || Object.keys(a).length !== Object.keys(b).length) return false;
  return Object.entries(a).every(([key, value]) => Object.hasOwn(b, key) && equal(value, b[key] ?? null));
}

function isObject(value: unknown): value is { [key: string]: Plain } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
