/**
 * A document that is synced no more, and the newest edits in it: what it read like before them, and after each.
 *
 * Invariants:
 *  1. `after(n)` holds what the server confirmed and the first n edits, and nothing of the later ones.
 *  2. `confirmed` edits are on the server for certain: what came from it builds on them.
 *
 * This needs the content that the edits deleted: keeping-doc.ts.
 *
 * Not here: what becomes of the edits (rescue.ts).
 */
import * as Y from "yjs";
import { readRoots } from "../shared/read-data.ts";
import type { RootsJson } from "../shared/read-data.ts";
import { isPlainObject, isUntyped, kindOfRoot } from "../shared/yjs-values.ts";

export class OldDocument {
  readonly confirmed: number;
  readonly #edits: readonly Uint8Array[];
  /** State after `confirmed` edits. */
  readonly #base: Uint8Array;
  readonly #formless: readonly boolean[];
  #walker: { readonly doc: Y.Doc; at: number } | undefined;

  /** `doc` is left as it is. */
  constructor(doc: Y.Doc, edits: readonly Uint8Array[]) {
    this.#edits = edits;
    const whole = new Y.Doc({ gc: false });
    Y.applyUpdate(whole, Y.encodeStateAsUpdate(doc));
    let confirmed = 0;
    let base = without(whole, edits);
    while (!isComplete(base)) base = without(whole, edits.slice(++confirmed));
    this.confirmed = confirmed;
    this.#base = Y.encodeStateAsUpdate(base);
    this.#formless = edits.map((edit, index) => index >= confirmed && applyAndJudge(base, edit));
  }

  get length(): number {
    return this.#edits.length;
  }

  /** True when an edit of these does what JSON cannot say, such as formatting a text. */
  isFormless(from: number, to: number): boolean {
    return this.#formless.slice(from, to).includes(true);
  }

  /** The content after the first `n` edits, at least `confirmed`. */
  after(n: number): RootsJson {
    if (this.#walker === undefined || this.#walker.at > n) {
      const doc = new Y.Doc();
      Y.applyUpdate(doc, this.#base);
      this.#walker = { doc, at: this.confirmed };
    }
    const { doc, at } = this.#walker;
    for (const edit of this.#edits.slice(at, n)) Y.applyUpdate(doc, edit);
    this.#walker.at = Math.max(at, n);
    return readRoots(doc);
  }
}

/** The document as it was before these edits, the newest of their authors. */
function without(whole: Y.Doc, edits: readonly Uint8Array[]): Y.Doc {
  const vector = Y.decodeStateVector(Y.encodeStateVector(whole));
  const deletes = new Map<number, Range[]>();
  for (const edit of edits) {
    const { structs, ds } = Y.decodeUpdate(edit);
    for (const { id } of structs) vector.set(id.client, Math.min(vector.get(id.client) ?? 0, id.clock));
    for (const [client, ranges] of ds.clients) deletes.set(client, [...(deletes.get(client) ?? []), ...ranges]);
  }
  const kept = Y.createDeleteSet();
  for (const [client, ranges] of Y.createDeleteSetFromStructStore(whole.store).clients) {
    const unknown = { clock: vector.get(client) ?? 0, len: Infinity };
    kept.clients.set(client, subtract(ranges, [...(deletes.get(client) ?? []), unknown]));
  }
  return Y.createDocFromSnapshot(whole, Y.createSnapshot(kept, vector), new Y.Doc({ gc: false }));
}

interface Range {
  readonly clock: number;
  readonly len: number;
}

/** What is in `ranges` and in none of `holes`. */
function subtract(ranges: readonly Range[], holes: readonly Range[]): Range[] {
  const inOrder = [...holes].sort((a, b) => a.clock - b.clock);
  const left: Range[] = [];
  for (const { clock, len } of ranges) {
    let from = clock;
    const end = clock + len;
    for (const hole of inOrder) {
      if (from >= end || hole.clock >= end) break;
      if (hole.clock > from) left.push({ clock: from, len: hole.clock - from });
      from = Math.max(from, hole.clock + hole.len);
    }
    if (from < end) left.push({ clock: from, len: end - from });
  }
  return left;
}

/** Applies an edit, and says whether it did what JSON cannot say. */
function applyAndJudge(doc: Y.Doc, edit: Uint8Array): boolean {
  const { structs, ds } = Y.decodeUpdate(edit);
  const removed = [...ds.clients].some(([client, ranges]) => ranges.some((range) => holdsFormless(doc, client, range)));
  Y.applyUpdate(doc, edit);
  return removed || structs.some(({ id, length }) => holdsFormless(doc, id.client, { clock: id.clock, len: length }));
}

function holdsFormless(doc: Y.Doc, client: number, { clock, len }: Range): boolean {
  const structs = doc.store.clients.get(client);
  if (structs === undefined || clock >= Y.getState(doc.store, client)) return false;
  for (let at = Y.findIndexSS(structs, clock); at < structs.length; at++) {
    const struct = structs[at];
    if (struct === undefined || struct.id.clock >= clock + len) return false;
    if (struct instanceof Y.Item && !struct.deleted && isFormless(struct)) return true;
  }
  return false;
}

/** Formats, embeds and attributes of a text, hooks, and values that JSON lacks. In XML texts the first two have a form. */
function isFormless({ content, parent, parentSub }: Y.Item): boolean {
  if (content instanceof Y.ContentFormat || content instanceof Y.ContentEmbed) return !(parent instanceof Y.XmlText);
  if (content instanceof Y.ContentType) return content.type instanceof Y.XmlHook || isText(parent);
  return (parentSub !== null && isText(parent)) || content.getContent().some((value) => !isJson(value));
}

function isText(type: Y.Item["parent"]): boolean {
  if (!(type instanceof Y.AbstractType)) return false;
  return type instanceof Y.Text || (isUntyped(type) && kindOfRoot(type) === "text");
}

function isJson(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return typeof value !== "undefined" && typeof value !== "bigint";
  if (value instanceof Uint8Array) return true;
  if (Array.isArray(value)) return value.every(isJson);
  return isPlainObject(value) && Object.values(value).every(isJson);
}

/** True when nothing waits for content that is not there. */
export function isComplete(doc: Y.Doc): boolean {
  return doc.store.pendingStructs === null && doc.store.pendingDs === null;
}
