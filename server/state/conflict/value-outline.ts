/**
 * What an item of a document says, as JSON that is small enough to be kept, also when the item is deleted: the value that
 * lost a conflict is gone from everywhere else.
 *
 * Marks as in shared/json-marks.ts. A value beyond the limit is unfolded as deep as fits: what is left out stands as
 * `{"$object": members}`, `{"$array": elements}` or, a value that is one long string, text or bytes, `{"$string": length}`.
 *
 * Invariants:
 *  1. What is read is at most `conflictValueBytesMax` of JSON, and reading costs no more than a few times that.
 *  2. The document is only read. Which items count as deleted the caller says; formats of texts are not told.
 *
 * Not here: reading live data (shared/read-data.ts).
 */
import { utf8ByteLength } from "lib0/string";
import * as Y from "yjs";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json } from "../../../shared/json.ts";
import { TEXT_MARK, XML_MARK } from "../../../shared/json-marks.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { setOwn, toJson } from "../../../shared/value-json.ts";
import { EMBED, isPlainObject } from "../../../shared/yjs-values.ts";
import type { SharedType } from "../../../shared/yjs-values.ts";

/** Whether the value at `offset` of an item counts as deleted. */
export type IsGone = (item: Y.Item, offset: number) => boolean;

/** For what is read in its present state. */
export const isDeleted: IsGone = (item) => item.deleted;

/** Base64 takes four characters for three bytes. */
const BASE64_BYTES = 1.34;

const OUTLINES: readonly string[] = ["$object", "$array", "$string"];

/** A value, and whether it is only an outline. */
export interface Outline {
  readonly json: Json;
  readonly isCut: boolean;
}

/** The last value of an item. */
export function outlineOf(item: Y.Item, isGone: IsGone, bytesMax: number = LIMITS.conflictValueBytesMax): Outline {
  const value: unknown = item.content.getContent()[item.length - 1];
  const read = (reading: Reading): Json => reading.value(value);
  return fitted({ bytesMax, read, isGone }) ?? { json: { $string: lengthOf(value, isGone) }, isCut: true };
}

/** Several items that were written into something, in the order given: characters in a row as one string, a member as `{key: value}`. */
export function writtenOf(
  pieces: readonly Piece[],
  isGone: IsGone,
  bytesMax: number = LIMITS.conflictValueBytesMax,
): Json {
  const read = (reading: Reading): Json => reading.written(pieces);
  return fitted({ bytesMax, read, isGone })?.json ?? { $array: pieces.length };
}

/** Values of one item that were written into something: `key` is the member's name, null in a list or text. */
export interface Piece {
  readonly key: string | null;
  readonly values: readonly unknown[];
  readonly isText: boolean;
}

/** Undefined when nothing is kept: formats and deleted content say nothing. */
export function pieceOf(
  content: Y.Item["content"],
  key: string | null,
  isKept: (offset: number) => boolean,
): Piece | undefined {
  if (!content.isCountable() || content instanceof Y.ContentDeleted) return undefined;
  const isString = content instanceof Y.ContentString;
  const all = isString ? content.str : content.getContent();
  const values: unknown[] = [];
  // more do not fit into what is kept
  for (let offset = 0; offset < all.length && values.length <= LIMITS.conflictValueBytesMax; offset++) {
    if (isKept(offset)) values.push(all[offset]);
  }
  return values.length === 0 ? undefined : { key, values, isText: isString && key === null };
}

/** True when the value, or a part of it, is only said in outline; also for data of this form that is none. */
export function hasOutline(value: Json): boolean {
  if (Array.isArray(value)) return value.some(hasOutline);
  if (!isJsonObject(value)) return false;
  const members = Object.entries(value);
  const [[key, count] = []] = members;
  if (members.length === 1 && key !== undefined && OUTLINES.includes(key) && typeof count === "number") return true;
  return members.some(([, member]) => hasOutline(member));
}

interface Fitting {
  readonly bytesMax: number;
  readonly read: (reading: Reading) => Json;
  readonly isGone: IsGone;
}

/** The whole if it fits, else from the top down while the next level fits; undefined if not even the top does. */
function fitted({ bytesMax, read, isGone }: Fitting): Outline | undefined {
  const at = (depth: number): Json | undefined => {
    const reading = new Reading(bytesMax, depth, isGone);
    const json = read(reading);
    return reading.isOver ? undefined : json;
  };
  const whole = at(LIMITS.depthMax);
  if (whole !== undefined) return { json: whole, isCut: false };
  let json: Json | undefined;
  for (let depth = 0; depth < LIMITS.depthMax; depth++) {
    const deeper = at(depth);
    if (deeper === undefined) break;
    json = deeper;
  }
  return json === undefined ? undefined : { json, isCut: true };
}

/** Of what can be too long by itself. */
function lengthOf(value: unknown, isGone: IsGone): number {
  if (typeof value === "string" || value instanceof Uint8Array) return value.length;
  return value instanceof Y.AbstractType ? keptIn(value, isGone) : 0;
}

/** Values in a list or text, as the first of each item says. */
function keptIn(type: SharedType, isGone: IsGone): number {
  let count = 0;
  for (let item = type._start; item !== null; item = item.right) {
    if (item.countable && !isGone(item, 0)) count += item.length;
  }
  return count;
}

/** Reads lazily, and stops when it is over its budget. */
class Reading {
  isOver = false;
  #bytesLeft: number;
  #depth: number;
  readonly #isGone: IsGone;

  constructor(bytesMax: number, depth: number, isGone: IsGone) {
    this.#bytesLeft = bytesMax;
    this.#depth = depth;
    this.#isGone = isGone;
  }

  written(pieces: readonly Piece[]): Json {
    const runs = runsOf(pieces);
    return this.#list(runs.length, runs, ({ key, value }) => {
      if (key === null) return this.value(value);
      return this.#members(1, [[key, value]], (member) => this.value(member));
    });
  }

  value(value: unknown): Json {
    if (value instanceof Y.AbstractType) return this.#type(value);
    if (Array.isArray(value)) return this.#list(value.length, value, (element) => this.value(element));
    if (value instanceof Uint8Array) return this.#bytes(value);
    if (typeof value !== "object" || value === null) return this.#leaf(toJson(value, 0, "marked"));
    if (!isPlainObject(value)) return null;
    return this.#members(Object.keys(value).length, Object.entries(value), (member) => this.value(member));
  }

  #type(type: SharedType): Json {
    if (type instanceof Y.XmlText) return { text: [{ insert: this.#text(type) }] };
    if (type instanceof Y.XmlElement) {
      return { element: type.nodeName, attributes: this.#map(type), children: this.#elements(type) };
    }
    if (type instanceof Y.XmlFragment) return { [XML_MARK]: this.#elements(type) };
    if (type instanceof Y.Text) return { [TEXT_MARK]: this.#text(type) };
    return type instanceof Y.Map ? this.#map(type) : this.#elements(type);
  }

  #map(type: SharedType): Json {
    let count = 0;
    for (const item of type._map.values()) if (!this.#isGone(item, item.length - 1)) count++;
    return this.#members(count, this.#keptMembers(type), (item) =>
      this.value(item.content.getContent()[item.length - 1]),
    );
  }

  *#keptMembers(type: SharedType): Generator<[key: string, item: Y.Item]> {
    for (const entry of type._map) if (!this.#isGone(entry[1], entry[1].length - 1)) yield entry;
  }

  #elements(type: SharedType): Json {
    return this.#list(keptIn(type, this.#isGone), this.#keptValues(type), (value) => this.value(value));
  }

  *#keptValues(type: SharedType): Generator {
    for (let item = type._start; item !== null; item = item.right) {
      if (!item.countable) continue;
      const values = item.content instanceof Y.ContentString ? item.content.str : item.content.getContent();
      for (let i = 0; i < item.length; i++) if (!this.#isGone(item, i)) yield values[i];
    }
  }

  #text(type: SharedType): string {
    let text = "";
    for (const char of this.#keptValues(type)) {
      text += typeof char === "string" ? char : EMBED;
      if (text.length > this.#bytesLeft) break;
    }
    return this.#leaf(text);
  }

  #bytes(value: Uint8Array): Json {
    this.#spend(value.byteLength * BASE64_BYTES);
    return this.isOver ? null : toJson(value, 0, "marked");
  }

  #list<Value>(count: number, values: Iterable<Value>, read: (value: Value) => Json): Json {
    if (this.#depth <= 0 && count > 0) return this.#leaf({ $array: count });
    const list: Json[] = [];
    this.#spend(2);
    this.#depth--;
    for (const value of values) {
      if (this.isOver) break;
      list.push(read(value));
    }
    this.#depth++;
    return list;
  }

  #members<Value>(
    count: number,
    members: Iterable<readonly [key: string, value: Value]>,
    read: (value: Value) => Json,
  ): Json {
    if (this.#depth <= 0 && count > 0) return this.#leaf({ $object: count });
    const object: Record<string, Json> = {};
    this.#spend(2);
    this.#depth--;
    for (const [key, value] of members) {
      if (this.isOver) break;
      this.#leaf(key);
      setOwn(object, key, read(value));
    }
    this.#depth++;
    return object;
  }

  /** Weighs what is written as it is; a long string without encoding it. */
  #leaf<Leaf extends Json>(leaf: Leaf): Leaf {
    const isLong = typeof leaf === "string" && leaf.length > this.#bytesLeft;
    this.#spend(isLong ? leaf.length : 1 + utf8ByteLength(JSON.stringify(leaf)));
    return leaf;
  }

  #spend(bytes: number): void {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft < 0) this.isOver = true;
  }
}

/** Each value by itself, characters that follow each other as one string. */
function runsOf(pieces: readonly Piece[]): readonly { readonly key: string | null; readonly value: unknown }[] {
  const runs: { key: string | null; value: unknown; isText: boolean }[] = [];
  for (const { key, values, isText } of pieces) {
    const last = runs.at(-1);
    if (!isText) for (const value of values) runs.push({ key, value, isText });
    else if (last?.isText === true) last.value = `${String(last.value)}${values.join("")}`;
    else runs.push({ key, value: values.join(""), isText });
  }
  return runs;
}
