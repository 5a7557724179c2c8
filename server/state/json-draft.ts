/**
 * A draft of a context's data: reads through to the Yjs types and keeps changes beside them, so that operations can be
 * tried without touching the document, at a cost that follows the change and not the document.
 *
 * Invariants (JSON):
 *  1. A source is never written to. What differs from it is in `members`, `slots`, `opened` and `edits`.
 *  2. `get` leaves no trace; what `open` returns may be changed and is seen by every later `get`.
 *  3. A draft stands in one place only: copying goes through `cloneDraft`, moving takes it out of its old place first.
 *  4. Values a live client stored that JSON has no word for (XML, big integers) are `Foreign`: kept, not looked into.
 *
 * Not here: turning a draft into writes (draft-commit.ts), checking JSON from outside (value-intake.ts).
 */
import * as Y from "yjs";
import { ServiceError } from "../../shared/errors.ts";
import { checkKey } from "./json-checks.ts";
import { isPlainObject, isXml } from "./yjs-values.ts";
import { editedString, leastEdit, textOf } from "./text-edit.ts";
import type { TextEdit } from "./text-edit.ts";

export type DraftValue = null | boolean | number | string | Uint8Array | ObjectDraft | ListDraft | TextDraft | Foreign;

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
  readonly members: Map<string, DraftValue | typeof REMOVED>;

  constructor(source: ObjectSource = new Map<string, unknown>(), members: ObjectDraft["members"] = new Map()) {
    this.source = source;
    this.members = members;
  }

  get(key: string): DraftValue | undefined {
    const member = this.members.get(key);
    if (member === REMOVED) return undefined;
    if (member !== undefined) return member;
    return this.source.has(key) ? draftOf(this.source.get(key)) : undefined;
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
    for (const key of this.keys()) if (other.get(key) === undefined) this.remove(key);
    for (const key of other.keys()) this.put(key, other.open(key) ?? null);
  }

  *keys(): Generator<string> {
    for (const key of this.source.keys()) if (this.members.get(key) !== REMOVED) yield key;
    for (const [key, value] of this.members) if (value !== REMOVED && !this.source.has(key)) yield key;
  }

  *entries(): Generator<readonly [string, DraftValue]> {
    for (const key of this.keys()) yield [key, this.get(key) ?? null];
  }
}

/** Y.Array fits. */
interface ListSource {
  readonly length: number;
  get(index: number): unknown;
}

/** An element of the source by its index there, or a new one. Numbers only ever grow along a list. */
type Slot = number | { value: DraftValue };

export class ListDraft implements Container {
  readonly source: ListSource;
  /** Undefined as long as nothing was inserted or removed. */
  slots: Slot[] | undefined;
  /** Elements of the source that were opened or replaced in their place, by their index there. */
  readonly opened: Map<number, DraftValue>;

  constructor(source: ListSource, slots?: Slot[], opened: ListDraft["opened"] = new Map()) {
    this.source = source;
    this.slots = slots;
    this.opened = opened;
  }

  get length(): number {
    return this.slots?.length ?? this.source.length;
  }

  at(index: number): DraftValue | undefined {
    const slot = this.#slotAt(index);
    if (typeof slot !== "number") return slot?.value;
    return this.opened.get(slot) ?? draftOf(this.source.get(slot));
  }

  get(step: string): DraftValue | undefined {
    const index = indexOf(step);
    return index === undefined ? undefined : this.at(index);
  }

  open(step: string): DraftValue | undefined {
    const value = this.get(step);
    if (typeof value === "object" && value !== null) this.#set(Number(step), value);
    return value;
  }

  insert(step: string, value: DraftValue): void {
    const index = step === "-" ? this.length : indexOf(step);
    if (index === undefined || index > this.length) throw noElement(this.length);
    this.#changeableSlots().splice(index, 0, { value });
  }

  put(step: string, value: DraftValue): void {
    const present = this.open(step);
    if (present === undefined) throw noElement(this.length);
    this.#set(Number(step), written(present, value));
  }

  remove(step: string): void {
    if (this.get(step) === undefined) throw noElement(this.length);
    this.#changeableSlots().splice(Number(step), 1);
  }

  *values(): Generator<DraftValue> {
    for (let index = 0; index < this.length; index++) yield this.at(index) ?? null;
  }

  #slotAt(index: number): Slot | undefined {
    if (this.slots !== undefined) return this.slots[index];
    return index < this.source.length ? index : undefined;
  }

  #set(index: number, value: DraftValue): void {
    const slot = this.#slotAt(index);
    if (typeof slot === "number") this.opened.set(slot, value);
    else if (slot !== undefined) slot.value = value;
  }

  #changeableSlots(): Slot[] {
    this.slots ??= Array.from({ length: this.source.length }, (_, index) => index);
    return this.slots;
  }
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
    const edit = leastEdit(this.text, text);
    if (edit !== undefined) this.edit(edit);
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
  if (stored instanceof Y.Text && !isXml(stored)) return new TextDraft(stored);
  if (stored instanceof Uint8Array) return stored;
  if (Array.isArray(stored)) return new ListDraft({ length: stored.length, get: (index): unknown => stored[index] });
  return isPlainObject(stored) ? new ObjectDraft(new Map(Object.entries(stored))) : new Foreign(stored);
}

/** An independent draft with the same content. Costs as much as was changed, not as much as there is. */
export function cloneDraft(value: DraftValue): DraftValue {
  if (value instanceof ObjectDraft) {
    const members = [...value.members].map(
      ([key, member]) => [key, member === REMOVED ? REMOVED : cloneDraft(member)] as const,
    );
    return new ObjectDraft(value.source, new Map(members));
  }
  if (value instanceof ListDraft) {
    const slots = value.slots?.map((slot) => (typeof slot === "number" ? slot : { value: cloneDraft(slot.value) }));
    const opened = [...value.opened].map(([index, element]) => [index, cloneDraft(element)] as const);
    return new ListDraft(value.source, slots, new Map(opened));
  }
  if (value instanceof TextDraft) return new TextDraft(value.source, value.text, [...value.edits]);
  return value;
}

/**
 * True when writing `wanted` over `present` would change nothing. A text holds what an equal string says, but a string
 * is not yet a text. Numbers compare by value; the order of keys does not count.
 */
export function sameContent(present: DraftValue, wanted: DraftValue): boolean {
  if (present instanceof TextDraft) return present.text === (wanted instanceof TextDraft ? wanted.text : wanted);
  if (present instanceof ObjectDraft) return wanted instanceof ObjectDraft && sameMembers(present, wanted);
  if (present instanceof ListDraft) return wanted instanceof ListDraft && sameElements(present, wanted);
  if (present instanceof Foreign) return wanted instanceof Foreign && present.source === wanted.source;
  return present === wanted;
}

function sameMembers(present: ObjectDraft, wanted: ObjectDraft): boolean {
  let count = 0;
  for (const [key, member] of present.entries()) {
    const other = wanted.get(key);
    if (other === undefined || !sameContent(member, other)) return false;
    count++;
  }
  for (const _ of wanted.keys()) count--;
  return count === 0;
}

function sameElements(present: ListDraft, wanted: ListDraft): boolean {
  if (present.length !== wanted.length) return false;
  for (let index = 0; index < present.length; index++) {
    if (!sameContent(present.at(index) ?? null, wanted.at(index) ?? null)) return false;
  }
  return true;
}

/** What stands in a place after `value` was written over `present`. */
function written(present: DraftValue | undefined, value: DraftValue): DraftValue {
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
