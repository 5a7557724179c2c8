/**
 * The values inside an update: lib0's "any" encoding and JSON text.
 *
 * Invariants (SCAN):
 *  1. An accepted value is finite JSON, or `undefined` or bytes, which stock clients store too. No BigInt, no NaN, no
 *     infinity: each makes JSON.stringify of the whole context fail or lie.
 *  2. No object has the key `__proto__`: Yjs copies keys by assignment, which would swap a prototype (docs/yjs.md Y6).
 *  3. Nesting stays within LIMITS.depthMax, the number of values of one update within `updateValuesMax`.
 */
import { LIMITS } from "../../../shared/limits.ts";
import type { ByteReader } from "./byte-reader.ts";
import { malformed, tooLarge } from "./update-refusals.ts";

/** Counts over one update. */
export interface ValueCount {
  values: number;
  readonly limits: { readonly updateValuesMax: number };
}

/** Moves past one value. */
export function skipAny(reader: ByteReader, count: ValueCount, depth = 1): void {
  enter(count, depth);
  const tag = reader.byte();
  switch (tag) {
    case 127: // undefined
    case 126: // null
    case 121: // false
    case 120: // true
      return;
    case 119:
      reader.skipText(LIMITS.stringCharsMax);
      return;
    case 118:
      return skipObject(reader, count, depth);
    case 117:
      return skipArray(reader, count, depth);
    case 116:
      return reader.skip(reader.varUint());
    default:
      return skipNumber(reader, tag);
  }
}

function skipNumber(reader: ByteReader, tag: number): void {
  switch (tag) {
    case 125:
      reader.varInt();
      return;
    case 124:
      return assertFinite(reader.float32());
    case 123:
      return assertFinite(reader.float64());
    case 122:
      throw malformed("number", "holds a BigInt, which JSON has not");
    default:
      throw malformed("value-tag", `holds a value of the unknown kind ${tag}`);
  }
}

/** Moves past a string of JSON; Yjs keeps rich text formats and embeds so. */
export function skipJsonText(reader: ByteReader, count: ValueCount): void {
  checkJson(parseJson(reader.text(LIMITS.stringCharsMax)), count, 1);
}

/** The same for an element of a list, where old clients spell undefined out. */
export function skipJsonElement(reader: ByteReader, count: ValueCount): void {
  const text = reader.text(LIMITS.stringCharsMax);
  if (text === "undefined") return enter(count, 1);
  checkJson(parseJson(text), count, 1);
}

/** @throws {ServiceError} MALFORMED_UPDATE, TOO_LARGE when the key cannot name anything */
export function assertKey(key: string): void {
  if (key === "__proto__") throw malformed("proto-key", "uses the key __proto__");
  if (key.length > LIMITS.keyCharsMax) {
    throw tooLarge("key", `uses a key of ${key.length} characters`, LIMITS.keyCharsMax);
  }
}

function skipObject(reader: ByteReader, count: ValueCount, depth: number): void {
  const size = reader.varUint();
  // a key and its value take two bytes at least
  if (size > reader.remaining / 2) throw malformed("count", "claims more values than it has bytes");
  for (let i = 0; i < size; i++) {
    assertKey(reader.text(LIMITS.stringCharsMax));
    skipAny(reader, count, depth + 1);
  }
}

function skipArray(reader: ByteReader, count: ValueCount, depth: number): void {
  const size = reader.varUint();
  if (size > reader.remaining) throw malformed("count", "claims more values than it has bytes");
  for (let i = 0; i < size; i++) skipAny(reader, count, depth + 1);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed("json", "holds JSON text that does not parse");
  }
}

function checkJson(value: unknown, count: ValueCount, depth: number): void {
  enter(count, depth);
  if (typeof value === "number") return assertFinite(value);
  if (Array.isArray(value)) {
    for (const item of value) checkJson(item, count, depth + 1);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) {
      assertKey(key);
      checkJson(item, count, depth + 1);
    }
  }
}

function enter(count: ValueCount, depth: number): void {
  if (depth > LIMITS.depthMax) throw malformed("depth", `holds a value nested deeper than ${LIMITS.depthMax}`);
  count.values++;
  if (count.values > count.limits.updateValuesMax) {
    throw tooLarge("values", "holds too many values", count.limits.updateValuesMax);
  }
}

function assertFinite(value: number): void {
  if (!Number.isFinite(value)) throw malformed("number", "holds NaN or an infinity, which JSON has not");
}
