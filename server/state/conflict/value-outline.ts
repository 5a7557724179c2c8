/**
 * What an item of a document says, as JSON that is small enough to be kept, also when the item is deleted: the value that
 * lost a conflict is gone from everywhere else.
 *
 * Marks as in shared/json-marks.ts. A value beyond the limit is unfolded as deep as fits: what is left out stands as
 * `{"$object": members}`, `{"$array": elements}` or, a value that is one long string, `{"$string": characters}`.
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

const OUTLINES: readonly string[] = ["$object", "$array", "$string"];

/** A value, and whether it is only an outline. */
export interface Outline {
  readonly json: Json;
  readonly isCut: boolean;
}

/** The last value of an item. */
export function outlineOf(item: Y.Item, isGone: IsGone, bytesMax: number = LIMITS.conflictValueBytesMax): Outline {
  const value: unknown = item.content.getContent()[item.length - 1];
  return fitted(bytesMax, (reading) => reading.value(value), isGone);
}

/** Several items that were written into something, in the order given: characters in a row as one string, a member as `{key: value}`. */
export function writtenOf(
  pieces: readonly Piece[],
  isGone: IsGone,
  bytesMax: number = LIMITS.conflictValueBytesMax,
): Json {
  return fitted(bytesMax, (reading) => reading.written(pieces), isGone).json;
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
  const values = content.getContent().filter((_, offset) => isKept(offset));
  return values.length === 0 ? undefined : { key, values, isText: content instanceof Y.ContentString && key === null };
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

/** The whole if it fits, else from the top down while the next level fits. */
function fitted(bytesMax: number, read: (reading: Reading) => Json, isGone: IsGone): Outline {
  const at = (depth: number): Json | undefined => {
    const reading = new Reading(bytesMax, depth, isGone);
    const json = read(reading);
    return reading.isOver ? undefined : json;
  };
  const whole = at(LIMITS.depthMax);
  if (whole !== undefined) return { json: whole, isCut: false };
  let json = at(0) ?? longString(read(new Reading(Infinity, 0, isGone)));
  for (let depth = 1; depth < LIMITS.depthMax; depth++) {
    const deeper = at(depth);
    if (deeper === undefined) break;
    json = deeper;
  }
  return { json, isCut: true };
}

/** At depth 0 only a string can be too long, that of a text or of bytes too. */
function longString(json: Json): Json {
  const [text] = isJsonObject(json) ? Object.values(json) : [json];
  return { $string: typeof text === "string" ? text.length : JSON.stringify(json).length };
}

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
    return this.#list(runsOf(pieces), ({ key, value }) => {
      if (key === null) return this.value(value);
      return this.#members([[key, value]], (member) => this.value(member));
    });
  }

  value(value: unknown): Json {
    if (value instanceof Y.AbstractType) return this.#type(value);
    if (Array.isArray(value)) return this.#list(value, (element) => this.value(element));
    if (value instanceof Uint8Array) return this.#bytes(value);
    if (typeof value !== "object" || value === null) return this.#leaf(toJson(value, 0, "marked"));
    return isPlainObject(value) ? this.#members(Object.entries(value), (member) => this.value(member)) : null;
  }

  #type(type: SharedType): Json {
    if (type instanceof Y.XmlText) return { text: [{ insert: this.#text(type) }] };
    if (type instanceof Y.XmlElement) {
      const attributes = this.#map(type);
      return { element: type.nodeName, attributes, children: this.#elements(type) };
    }
    if (type instanceof Y.XmlFragment) return { [XML_MARK]: this.#elements(type) };
    if (type instanceof Y.Text) return { [TEXT_MARK]: this.#text(type) };
    return type instanceof Y.Map ? this.#map(type) : this.#elements(type);
  }

  #map(type: SharedType): Json {
    const members = [...type._map].filter(([, item]) => !this.#isGone(item, item.length - 1));
    return this.#members(members, (item) => this.value(item.content.getContent()[item.length - 1]));
  }

  #elements(type: SharedType): Json {
    const values: unknown[] = [];
    // more elements than bytes cannot fit, and are only counted
    for (let item = type._start; item !== null; item = item.right) {
      if (item.countable) for (const value of this.#kept(item, item.content.getContent())) values.push(value);
      if (this.#depth > 0 && values.length > this.#bytesLeft) this.isOver = true;
      if (this.isOver) return null;
    }
    return this.#list(values, (value) => this.value(value));
  }

  #text(type: SharedType): string {
    let text = "";
    for (let item = type._start; item !== null && text.length <= this.#bytesLeft; item = item.right) {
      const chars = item.content instanceof Y.ContentString ? item.content.str : EMBED.repeat(item.length);
      if (item.countable) text += this.#kept(item, chars.split("")).join("");
    }
    return this.#leaf(text);
  }

  #kept<Value>(item: Y.Item, values: readonly Value[]): readonly Value[] {
    return values.filter((_, offset) => !this.#isGone(item, offset));
  }

  #bytes(value: Uint8Array): Json {
    this.#spend(value.byteLength * 1.34);
    return this.isOver ? null : toJson(value, 0, "marked");
  }

  #list<Value>(values: readonly Value[], read: (value: Value) => Json): Json {
    if (this.#depth <= 0 && values.length > 0) return this.#leaf({ $array: values.length });
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

  #members<Value>(members: readonly (readonly [key: string, value: Value])[], read: (value: Value) => Json): Json {
    if (this.#depth <= 0 && members.length > 0) return this.#leaf({ $object: members.length });
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
