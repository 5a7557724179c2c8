/**
 * A draft of a context's data: reads through to the Yjs types and keeps changes beside them, so that operations can be
 * tried without touching the document, at a cost that follows the change and not the document.
 *
 * Invariants (JSON):
 *  1. A source is never written to. What differs from it is in `members`, `pieces`, `opened` and `edits`.
 *  2. `get` leaves no trace; what `open` returns may be changed and is seen by every later `get`.
 *  3. A draft stands in one place only: copying goes through `cloneDraft`, moving takes it out of its old place first.
 *  4. Values a live client stored that JSON has no word for (big integers) are `Foreign`: kept, not looked into.
 *
 * Not here: turning a draft into writes (draft-commit.ts), checking JSON from outside (value-intake.ts).
 */
import * as Y from "yjs";
import { ServiceError } from "../../../shared/errors.ts";
import { checkKey } from "./json-checks.ts";
import { isPlainObject, isXml, textOf } from "../../../shared/yjs-values.ts";
import { editedString, leastEdits } from "./text-edit.ts";
import type { TextEdit } from "./text-edit.ts";
import { XmlDraft } from "./xml-draft.ts";

export type DraftValue = null | boolean | number | string | Uint8Array | DraftType | Foreign;

/** What stands for a Yjs type. */
export type DraftType = ObjectDraft | ListDraft | TextDraft | XmlDraft;

/** What a path can step through. A step is a key, or an index in decimal. */
export interface Container {
  get(step: string): DraftValue | undefined;
  open(step: string): DraftValue | undefined;
  /** RFC 6902 `add`: sets a member, or moves the elements from there on one up; "-" is the end. */
  insert(step: string, value: DraftValue): void;
  /** Sets a member, or an element that exists. A string over a text becomes an edit of the text. */
  put(step: string, value: DraftValue): void;
  remove(step: string): void;
}

export class Foreign {
  readonly source: unknown;

  constructor(source: unknown) {
    this.source = source;
  }
}

/** Y.Map fits, and so does a Map of the entries of a plain object. */
interface ObjectSource {
  has(key: string): boolean;
  get(key: string): unknown;
  keys(): Iterable<string>;
}

export const REMOVED: unique symbol = Symbol("removed");

export class ObjectDraft implements Container {
  readonly source: ObjectSource;
  /** Members that were opened, set or removed. */
  members: Map<string, DraftValue | typeof REMOVED>;
  /** True when `members` are all there are, and the source's others are removed. */
  isWhole: boolean;

  constructor(
    source: ObjectSource = new Map<string, unknown>(),
    members: ObjectDraft["members"] = new Map(),
    isWhole = false,
  ) {
    this.source = source;
    this.members = members;
    this.isWhole = isWhole;
  }

  get(key: string): DraftValue | undefined {
    const member = this.members.get(key);
    if (member === REMOVED) return undefined;
    if (member !== undefined) return member;
    return this.#showsOfSource(key) ? draftOf(this.source.get(key)) : undefined;
  }

  open(key: string): DraftValue | undefined {
    const value = this.get(key);
    if (typeof value === "object" && value !== null) this.members.set(key, value);
    return value;
  }

  insert(key: string, value: DraftValue): void {
    this.put(key, value);
  }

  put(key: string, value: DraftValue): void {
    checkKey(key);
    this.members.set(key, written(this.open(key), value));
  }

  remove(key: string): void {
    if (this.get(key) === undefined) throw nothingThere();
    this.members.set(key, REMOVED);
  }

  /** Makes this object's members equal to another's, key by key. */
  become(other: ObjectDraft): void {
    const members: ObjectDraft["members"] = new Map();
    for (const [key, value] of other.entries()) members.set(key, written(this.open(key), value));
    this.members = members;
    this.isWhole = true;
  }

  *keys(): Generator<string> {
    if (!this.isWhole) for (const key of this.source.keys()) if (!this.members.has(key)) yield key;
    for (const [key, member] of this.members) if (member !== REMOVED) yield key;
  }

  *entries(): Generator<readonly [string, DraftValue]> {
    for (const key of this.keys()) yield [key, this.get(key) ?? null];
  }

  #showsOfSource(key: string): boolean {
    return !this.isWhole && this.source.has(key);
  }
}

/** Y.Array fits. */
interface ListSource {
  readonly length: number;
  get(index: number): unknown;
  toArray(): readonly unknown[];
}

/** A run of elements of the source, or a new element. */
type Piece = { readonly from: number; readonly count: number } | { value: DraftValue };

export class ListDraft implements Container {
  readonly source: ListSource;
  /** The list in order. Runs only ever go up in the source. */
  readonly pieces: Piece[];
  /** Elements of the source that were opened or replaced in their place, by their index there. */
  readonly opened: Map<number, DraftValue>;
  #length: number;
  /** A piece and the index of its first element. Operations mostly go up in a list: the next search starts here. */
  #finger = { at: 0, start: 0 };

  constructor(source: ListSource, pieces?: Piece[], opened: ListDraft["opened"] = new Map()) {
    this.source = source;
    this.pieces = pieces ?? [{ from: 0, count: source.length }];
    this.opened = opened;
    this.#length = this.pieces.reduce((length, piece) => length + lengthOf(piece), 0);
  }

  /** A list of new values: as if each had replaced an element, so that a long list is one piece. */
  static of(values: readonly DraftValue[]): ListDraft {
    return new ListDraft(sourceOf(Array.from({ length: values.length })), undefined, new Map(values.entries()));
  }

  get length(): number {
    return this.#length;
  }

  /** Those of `opened` that were not removed, in order. */
  *openedInPlace(): Generator<readonly [index: number, DraftValue]> {
    const opened = [...this.opened].sort(([a], [b]) => a - b);
    let next = 0;
    for (const piece of this.pieces) {
      if ("value" in piece) continue;
      for (let it = opened[next]; it !== undefined && it[0] < piece.from + piece.count; it = opened[++next])
        if (it[0] >= piece.from) yield it;
    }
  }

  get(step: string): DraftValue | undefined {
    const spot = this.#spotOf(indexOf(step));
    if (spot === undefined) return undefined;
    if ("value" in spot.piece) return spot.piece.value;
    const index = spot.piece.from + spot.offset;
    const opened = this.opened.get(index);
    return opened === undefined ? draftOf(this.source.get(index)) : opened;
  }

  open(step: string): DraftValue | undefined {
    const value = this.get(step);
    if (typeof value === "object" && value !== null) this.#set(step, value);
    return value;
  }

  insert(step: string, value: DraftValue): void {
    const index = step === "-" ? this.length : indexOf(step);
    const spot = this.#spotOf(index);
    if (spot !== undefined) this.#splice(spot, 0, { value });
    else if (index === this.length) this.pieces.push({ value });
    else throw noElement(this.length);
    this.#length++;
  }

  put(step: string, value: DraftValue): void {
    const present = this.open(step);
    if (present === undefined) throw noElement(this.length);
    this.#set(step, written(present, value));
  }

  remove(step: string): void {
    const spot = this.#spotOf(indexOf(step));
    if (spot === undefined) throw noElement(this.length);
    this.#splice(spot, 1);
    this.#length--;
  }

  /** Takes another's elements in the place of its own. */
  become(other: ListDraft): void {
    this.pieces.length = 0;
    for (const value of other.values()) this.pieces.push({ value });
    this.#length = this.pieces.length;
    this.#finger = { at: 0, start: 0 };
  }

  *values(): Generator<DraftValue> {
    const stored = this.source.toArray();
    for (const piece of this.pieces) {
      if ("value" in piece) {
        yield piece.value;
        continue;
      }
      for (let index = piece.from; index < piece.from + piece.count; index++) {
        const opened = this.opened.get(index);
        yield opened === undefined ? draftOf(stored[index]) : opened;
      }
    }
  }

  #set(step: string, value: DraftValue): void {
    const spot = this.#spotOf(indexOf(step));
    if (spot === undefined) return;
    if ("value" in spot.piece) spot.piece.value = value;
    else this.opened.set(spot.piece.from + spot.offset, value);
  }

  #spotOf(index: number | undefined): Spot | undefined {
    if (index === undefined || index >= this.#length) return undefined;
    let { at, start } = index >= this.#finger.start ? this.#finger : { at: 0, start: 0 };
    for (let piece = this.pieces[at]; piece !== undefined; piece = this.pieces[++at]) {
      this.#finger = { at, start };
      if (index < start + lengthOf(piece)) return { at, piece, offset: index - start };
      start += lengthOf(piece);
    }
    return undefined;
  }

  #splice({ at, piece, offset }: Spot, deleteCount: 0 | 1, ...inserted: readonly Piece[]): void {
    if ("value" in piece) {
      this.pieces.splice(at, deleteCount, ...inserted);
      return;
    }
    const before = { from: piece.from, count: offset };
    const after = { from: piece.from + offset + deleteCount, count: piece.count - offset - deleteCount };
    this.pieces.splice(at, 1, ...[before, ...inserted, after].filter((part) => lengthOf(part) > 0));
  }
}

/** An element's piece, and where in the piece it is. */
interface Spot {
  readonly at: number;
  readonly piece: Piece;
  readonly offset: number;
}

function lengthOf(piece: Piece): number {
  return "value" in piece ? 1 : piece.count;
}

function sourceOf(values: readonly unknown[]): ListSource {
  return { length: values.length, get: (index) => values[index], toArray: () => values };
}

export class TextDraft {
  readonly source: Y.Text | undefined;
  /** What was done to the source, each on the result of the one before. */
  readonly edits: TextEdit[];
  #text: string | undefined;

  constructor(source: Y.Text | undefined, text?: string, edits: TextEdit[] = []) {
    this.source = source;
    this.edits = edits;
    this.#text = text;
  }

  get text(): string {
    this.#text ??= this.source === undefined ? "" : textOf(this.source);
    return this.#text;
  }

  edit(edit: TextEdit): void {
    this.#text = editedString(this.text, edit);
    this.edits.push(edit);
  }

  rewrite(text: string): void {
    for (const edit of leastEdits(this.text, text)) this.edit(edit);
  }
}

/** A draft of a value as it stands in a document. */
export function draftOf(stored: unknown): DraftValue {
  switch (typeof stored) {
    case "string":
    case "boolean":
      return stored;
    case "number":
      return Number.isFinite(stored) ? stored : null;
    case "undefined":
      return null;
    case "object":
      return stored === null ? null : draftOfObject(stored);
    default:
      return new Foreign(stored);
  }
}

function draftOfObject(stored: object): DraftValue {
  if (stored instanceof Y.Map) return new ObjectDraft(stored);
  if (stored instanceof Y.Array) return new ListDraft(stored);
  if (isXml(stored)) return new XmlDraft(stored);
  if (stored instanceof Y.Text) return new TextDraft(stored);
  if (stored instanceof Uint8Array) return stored;
  if (Array.isArray(stored)) return new ListDraft(sourceOf(stored));
  return isPlainObject(stored) ? new ObjectDraft(new Map(Object.entries(stored))) : new Foreign(stored);
}

/** An independent draft with the same content. Costs as much as was changed, not as much as there is. */
export function cloneDraft(value: DraftValue): DraftValue {
  if (value instanceof ObjectDraft) {
    const members = [...value.members].map(
      ([key, member]) => [key, member === REMOVED ? REMOVED : cloneDraft(member)] as const,
    );
    return new ObjectDraft(value.source, new Map(members), value.isWhole);
  }
  if (value instanceof ListDraft) {
    const pieces = value.pieces.map((piece) => ("value" in piece ? { value: cloneDraft(piece.value) } : piece));
    const opened = [...value.opened].map(([index, element]) => [index, cloneDraft(element)] as const);
    return new ListDraft(value.source, pieces, new Map(opened));
  }
  if (value instanceof TextDraft) return new TextDraft(value.source, value.text, [...value.edits]);
  return value;
}

/** What stands in a place after `value` was written over `present`. */
function written(present: DraftValue | undefined, value: DraftValue): DraftValue {
  if (present instanceof XmlDraft && value instanceof XmlDraft && present.become(value.tree)) return present;
  if (!(present instanceof TextDraft)) return value;
  const text = value instanceof TextDraft && value.source === undefined ? value.text : value;
  if (typeof text !== "string") return value;
  present.rewrite(text);
  return present;
}

function indexOf(step: string): number | undefined {
  return /^(0|[1-9]\d{0,14})$/.test(step) ? Number(step) : undefined;
}

function nothingThere(): ServiceError {
  return new ServiceError("PATH_NOT_FOUND", "The path names nothing. Read the data around it for what is there now.");
}

function noElement(length: number): ServiceError {
  const hint = length === 0 ? "The array is empty" : `The array's elements are 0 to ${length - 1}`;
  return new ServiceError("PATH_NOT_FOUND", `The array has no such element. ${hint}; add with "-" appends.`);
}
