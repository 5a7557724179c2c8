/**
 * A document written anew: what is there, without what was deleted, under one Yjs client id.
 *
 * It is copied item by item, not value by value, so that everything a client can store is carried exactly as it is: formats,
 * embeds, XML with its attributes, values stored whole, and roots whose type nobody has named yet.
 *
 * Invariants (EPOCH):
 *  1. The new document reads the same to every reader: data, other roots, deltas, markup, order of keys.
 *  2. It has no tombstones, and the ids of its items are clocks 0, 1, 2, … of `authorId`.
 *  3. A document of which that cannot be said is not recreated.
 *
 * Not carried: roots with nothing in them, the values under a member before its last one, and what undo managers and
 * relative positions of clients refer to. Subdocuments are never there: the scanner refuses them.
 *
 * Not here: the log and sessions (use-cases/compaction.ts), threads.
 */
import * as encoding from "lib0/encoding";
import * as Y from "yjs";
import { readRoots } from "../../shared/read-data.ts";
import type { SharedType } from "../../shared/yjs-values.ts";

export interface OldDocument {
  /** V2 encoding. */
  readonly state: Uint8Array;
  /** Of no client that the document knows. */
  readonly authorId: number;
}

export interface NewDocument {
  /** All of the document, V1 encoding. */
  readonly update: Uint8Array;
  /** Size of its V2 encoding. */
  readonly bytes: number;
}

/** @throws {Error} when the new document would not read the same */
export function recreateState({ state, authorId }: OldDocument): NewDocument {
  const doc = new Y.Doc();
  Y.applyUpdateV2(doc, state);
  const update = recreate(doc, authorId);
  const made = new Y.Doc();
  Y.applyUpdate(made, update);
  // an epoch cannot be taken back: a defect here must not become one
  if (JSON.stringify(readRoots(made)) !== JSON.stringify(readRoots(doc)))
    throw new Error("The recreated document does not read the same.");
  return { update, bytes: Y.encodeStateAsUpdateV2(made).byteLength };
}

/** The document as one V1 update under `authorId`. Reads only. */
export function recreate(doc: Y.Doc, authorId: number): Uint8Array {
  const writer = new ItemWriter(authorId);
  for (const [name, type] of doc.share) writer.write(type, name);
  return writer.update();
}

/** Where an item stands: a root's name, or the id of the item that holds the type. */
type Parent = string | Y.ID;

type Content = Y.Item["content"];

interface NewItem {
  readonly parent: Parent;
  readonly key: string | null;
  /** The element before it; of a member, null. */
  readonly origin: Y.ID | null;
  readonly content: Content;
}

/** Collects items in the order of their clocks: a type before what is in it, an element after the one before it. */
class ItemWriter {
  readonly #client: number;
  readonly #items: NewItem[] = [];
  #clock = 0;

  constructor(client: number) {
    this.#client = client;
  }

  /** A type may have members and a list: XML elements have, and texts with attributes. */
  write(type: SharedType, parent: Parent): void {
    for (const [key, item] of type._map)
      if (!item.deleted) this.#add({ parent, key, origin: null, content: item.content });
    let origin: Y.ID | null = null;
    for (const content of contentsOf(type)) origin = this.#add({ parent, key: null, origin, content });
  }

  /** Yjs' own encoders write what a document holds; these items are in none. */
  update(): Uint8Array {
    const encoder = new Y.UpdateEncoderV1();
    const { restEncoder } = encoder;
    encoding.writeVarUint(restEncoder, this.#items.length === 0 ? 0 : 1);
    if (this.#items.length > 0) {
      encoding.writeVarUint(restEncoder, this.#items.length);
      encoder.writeClient(this.#client);
      encoding.writeVarUint(restEncoder, 0);
      for (const item of this.#items) writeItem(encoder, item);
    }
    encoding.writeVarUint(restEncoder, 0);
    return encoder.toUint8Array();
  }

  /** Returns the id of the item's last element. */
  #add(item: NewItem): Y.ID {
    const id = Y.createID(this.#client, this.#clock);
    this.#clock += item.content.getLength();
    const last = Y.createID(this.#client, this.#clock - 1);
    this.#items.push(item);
    if (item.content instanceof Y.ContentType) this.write(item.content.type, id);
    return last;
  }
}

const HAS_ORIGIN = 0x80;
const HAS_KEY = 0x20;

function writeItem(encoder: Y.UpdateEncoderV1, { parent, key, origin, content }: NewItem): void {
  encoder.writeInfo(content.getRef() | (origin === null ? 0 : HAS_ORIGIN) | (key === null ? 0 : HAS_KEY));
  if (origin !== null) {
    // the element before it says where it is
    encoder.writeLeftID(origin);
  } else {
    const isRoot = typeof parent === "string";
    encoder.writeParentInfo(isRoot);
    if (isRoot) encoder.writeString(parent);
    else encoder.writeLeftID(parent);
    if (key !== null) encoder.writeString(key);
  }
  content.write(encoder, 0);
}

/** What a list or text holds, in order; runs that were typed or pushed bit by bit in one piece. */
function contentsOf(type: SharedType): Content[] {
  const contents: Content[] = [];
  let run: Content[] = [];
  for (let item = type._start; item !== null; item = item.right) {
    if (item.deleted) continue;
    const { content } = item;
    if (content.constructor !== run[0]?.constructor || !isRun(content)) {
      contents.push(...joined(run));
      run = [];
    }
    run.push(content);
  }
  return [...contents, ...joined(run)];
}

const isRun = (content: Content): boolean => content instanceof Y.ContentString || content instanceof Y.ContentAny;

/** In one step: item by item would copy a long run once for each of its pieces. */
function joined(run: readonly Content[]): readonly Content[] {
  const [first] = run;
  if (run.length < 2) return run;
  if (first instanceof Y.ContentAny) return [new Y.ContentAny(run.flatMap((content) => content.getContent()))];
  return [new Y.ContentString(run.map((content) => (content instanceof Y.ContentString ? content.str : "")).join(""))];
}
