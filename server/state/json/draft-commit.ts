/**
 * From a draft to writes: the least changes that make a document hold what a draft says, and the paths they touch.
 *
 * Invariants (JSON):
 *  1. Planning writes nothing. All new Yjs types are built before the first write, since a write may delete what they copy.
 *  2. A place is written only where its content differs from the present: writing what is there is no change.
 *  3. A type that stays in its place stays the same type, so that others' concurrent edits in it survive.
 *  4. No plain object is ever given to Yjs (it looks at `value.constructor`, which may be the author's): no write throws.
 *
 * Not here: what operations mean (json-changes.ts).
 */
import * as Y from "yjs";
import { LIMITS } from "../../../shared/limits.ts";
import { formatPath } from "../../../shared/path.ts";
import type { Steps } from "../../../shared/path.ts";
import { sameContent } from "./draft-equality.ts";
import { Foreign, ListDraft, ObjectDraft, REMOVED, TextDraft, draftOf } from "./json-draft.ts";
import type { DraftType, DraftValue } from "./json-draft.ts";
import { coverOf } from "../path-cover.ts";
import { applyTextEdit } from "./text-edit.ts";
import { XmlDraft } from "./xml-draft.ts";
import { restoreXml, xmlFrom } from "./xml-write.ts";
import type { XmlType } from "./xml-write.ts";
import { EMBED, textOf } from "../../../shared/yjs-values.ts";

/** What Y.Map and Y.Array can hold. */
type SharedValue = null | boolean | number | string | Uint8Array | Y.Map<unknown> | Y.Array<unknown> | Y.Text | XmlType;

/** Elements given to an unattached Y.Array at once: it passes them as arguments, and the stack has an end. */
const PUSH_MAX = 10_000;

/** A place as it is reported: an element has no stable name, so from an array on all is reported as the array. */
interface Place {
  readonly steps: Steps;
  readonly inArray: boolean;
}

export class CommitPlan {
  readonly #writes: (() => void)[] = [];
  readonly #touched = new Set<string>();

  get isEmpty(): boolean {
    return this.#writes.length === 0;
  }

  /** Adds what the draft of one root says. */
  addRoot(name: string, draft: DraftValue): void {
    this.#addInPlace(draft, { steps: [name], inArray: false });
  }

  /** Carries the writes out; call it inside a transaction, once. */
  run(): void {
    for (const write of this.#writes) write();
  }

  /** Touched paths, sorted, none below another, at most `touchedPathsMax`: beyond it folded into their parents. */
  paths(): readonly string[] {
    return coverOf(this.#touched, LIMITS.touchedPathsMax);
  }

  #add(place: Place, write: () => void): void {
    this.#writes.push(write);
    let path = formatPath(place.steps);
    for (let end = -1; path.length > LIMITS.pathCharsMax; end--) path = formatPath(place.steps.slice(0, end));
    this.#touched.add(path);
  }

  #addInPlace(draft: DraftValue, place: Place): void {
    if (draft instanceof ObjectDraft && draft.source instanceof Y.Map) this.#addMembers(draft, draft.source, place);
    else if (draft instanceof ListDraft && draft.source instanceof Y.Array)
      this.#addElements(draft, draft.source, place);
    else if (draft instanceof TextDraft && draft.source !== undefined) this.#addEdits(draft, draft.source, place);
    else if (draft instanceof XmlDraft && draft.source !== undefined) this.#addXml(draft, draft.source, place);
  }

  #addMembers(draft: ObjectDraft, map: Y.Map<unknown>, place: Place): void {
    const placeOf = (key: string): Place => (place.inArray ? place : { steps: [...place.steps, key], inArray: false });
    const remove = (key: string): void => this.#add(placeOf(key), () => map.delete(key));
    for (const key of draft.isWhole ? map.keys() : []) if (!draft.members.has(key)) remove(key);
    for (const [key, member] of draft.members) {
      if (member === REMOVED) {
        if (map.has(key)) remove(key);
      } else if (!map.has(key) || !this.#staysInPlace(map.get(key), member, placeOf(key))) {
        const value = sharedValueOf(member);
        this.#add(placeOf(key), () => void map.set(key, value));
      }
    }
  }

  #addElements(draft: ListDraft, list: Y.Array<unknown>, place: Place): void {
    const here = { ...place, inArray: true };
    for (const [index, element] of draft.openedInPlace()) {
      if (this.#staysInPlace(list.get(index), element, here)) continue;
      this.#addSplice(here, list, { index, deleteCount: 1, values: [sharedValueOf(element)] });
    }
    // One for one so far, so source indices still hold; from the last on, they hold for inserting and removing too.
    for (const splice of splicesOf(draft, list.length).reverse()) this.#addSplice(here, list, splice);
  }

  #addSplice(place: Place, list: Y.Array<unknown>, { index, deleteCount, values }: Splice): void {
    this.#add(place, () => {
      if (deleteCount > 0) list.delete(index, deleteCount);
      if (values.length > 0) list.insert(index, values);
    });
  }

  #addEdits({ edits, text }: TextDraft, source: Y.Text, place: Place): void {
    if (edits.length === 0 || text === textOf(source)) return;
    this.#add(place, () => {
      for (const edit of edits) applyTextEdit(source, edit);
    });
  }

  #addXml(draft: XmlDraft, source: XmlType, place: Place): void {
    if (draft.isChanged) this.#add(place, () => restoreXml(source, draft.tree));
  }

  /** False when the draft must be written over what is there; what changes inside it is planned here. */
  #staysInPlace(present: unknown, draft: DraftValue, place: Place): boolean {
    if (isInPlaceType(draft) && draft.source === present) {
      this.#addInPlace(draft, place);
      return true;
    }
    return sameContent(draftOf(present), draft);
  }
}

interface Splice {
  readonly index: number;
  readonly deleteCount: number;
  readonly values: SharedValue[];
}

/** What inserts and removes elements of the source, in order, by its indices. */
function splicesOf({ pieces }: ListDraft, length: number): Splice[] {
  const splices: Splice[] = [];
  let index = 0;
  let values: SharedValue[] = [];
  for (const piece of [...pieces, { from: length, count: 0 }]) {
    if ("value" in piece) {
      values.push(sharedValueOf(piece.value));
      continue;
    }
    if (piece.from > index || values.length > 0) splices.push({ index, deleteCount: piece.from - index, values });
    index = piece.from + piece.count;
    values = [];
  }
  return splices;
}

/** A new value for Yjs with the content of a draft. */
export function sharedValueOf(draft: DraftValue): SharedValue {
  if (draft instanceof ObjectDraft) return mapOf(draft);
  if (draft instanceof ListDraft) return arrayOf([...draft.values()]);
  if (draft instanceof TextDraft) return textWith(draft);
  if (draft instanceof XmlDraft) return xmlFrom(draft.tree);
  if (draft instanceof Foreign) throw new Error("ValueIntake lets no foreign value through.");
  return draft;
}

function mapOf(draft: ObjectDraft): Y.Map<unknown> {
  const map = new Y.Map<unknown>();
  for (const [key, member] of draft.entries()) map.set(key, sharedValueOf(member));
  return map;
}

function arrayOf(elements: readonly DraftValue[]): Y.Array<unknown> {
  const array = new Y.Array<unknown>();
  for (let start = 0; start < elements.length; start += PUSH_MAX) {
    array.push(elements.slice(start, start + PUSH_MAX).map(sharedValueOf));
  }
  return array;
}

/** With the formatting of the text it is copied from. A Yjs type in it cannot have two parents: it stays a mere U+FFFC. */
function textWith(draft: TextDraft): Y.Text {
  if (draft.source === undefined) return new Y.Text(draft.text);
  const text = new Y.Text();
  const delta: { readonly insert: unknown }[] = draft.source.toDelta();
  text.applyDelta(delta.map((part) => (part.insert instanceof Y.AbstractType ? { ...part, insert: EMBED } : part)));
  for (const edit of draft.edits) applyTextEdit(text, edit);
  return text;
}

function isInPlaceType(draft: DraftValue): draft is DraftType {
  return typeof draft === "object" && draft !== null && !(draft instanceof Uint8Array || draft instanceof Foreign);
}
