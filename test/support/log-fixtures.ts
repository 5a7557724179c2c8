/** Contexts, entries and clocks for tests of the log. */
import * as Y from "yjs";
import type { ContextMeta } from "../../shared/context.ts";
import { parseActor, parseContextId, type Actor, type ContextId } from "../../shared/ids.ts";
import type { Checkpoint, NewEntry, StoredContext } from "../../server/storage/change-log.ts";

export const alice: Actor = parseActor("alice");
export const bob: Actor = parseActor("bob");

/** Of the epoch of contexts made here. */
export const SALT = 12;

export const idOf = (text: string): ContextId => parseContextId(text);

export function metaOf(id: string): ContextMeta {
  return {
    id: idOf(id),
    name: `name of ${id}`,
    tags: ["a", "b"],
    createdAtMs: 1_000,
    createdBy: alice,
    epoch: 99,
    firstEpoch: 99,
    authorSalt: SALT,
  };
}

/** Of the first context that has its id. */
export function emptyCheckpoint(): Checkpoint {
  return {
    seq: 0,
    version: 0,
    state: Y.encodeStateAsUpdateV2(new Y.Doc()),
    owners: [],
    retired: [],
    authorSalt: SALT,
    locks: [],
    firstEpoch: 1,
  };
}

/** An entry whose update is a few bytes of its own; not valid Yjs. */
export function entryOf(n: number, extra: Partial<NewEntry> = {}): NewEntry {
  const update = new Uint8Array(4);
  new DataView(update.buffer).setUint32(0, n);
  return { kind: "change", actor: alice, atMs: 2_000 + n, origin: "sync", paths: [`/p${n}`], update, ...extra };
}

/** A new document for the context, with nothing in it. */
export function epochOf(n: number, authorSalt: number, extra: Partial<NewEntry> = {}): NewEntry {
  const update = Y.encodeStateAsUpdate(new Y.Doc());
  return { ...entryOf(n), kind: "epoch", paths: [], update, authorSalt, ...extra };
}

/** What `entryOf` put into the update. */
export const numberIn = (update: Uint8Array): number => new DataView(update.buffer, update.byteOffset).getUint32(0);

/** A Yjs client that hands out its updates as entries. */
export class Typist {
  readonly doc: Y.Doc = new Y.Doc();
  readonly #updates: Uint8Array[] = [];

  constructor(clientId: number) {
    this.doc.clientID = clientId;
    this.doc.on("update", (update: Uint8Array) => void this.#updates.push(update));
  }

  get text(): string {
    return this.doc.getText("text").toJSON();
  }

  receive(update: Uint8Array): void {
    Y.applyUpdate(this.doc, update);
    this.#updates.length = 0;
  }

  /** Takes over what was loaded. */
  follow(stored: Pick<StoredContext, "checkpoint" | "tail"> | undefined): this {
    if (stored === undefined) throw new Error("there is no such context");
    Y.applyUpdateV2(this.doc, stored.checkpoint.state);
    for (const { update } of stored.tail) Y.applyUpdate(this.doc, update);
    this.#updates.length = 0;
    return this;
  }

  get length(): number {
    return this.doc.getText("text").length;
  }

  type(text: string, actor: Actor = alice): NewEntry {
    return this.typeAt(this.length, text, actor);
  }

  typeAt(index: number, text: string, actor: Actor = alice): NewEntry {
    this.doc.getText("text").insert(index, text);
    return this.#entry(["@text"], actor);
  }

  set(key: string, value: number): NewEntry {
    this.doc.getMap("data").set(key, value);
    return this.#entry([`/${key}`], alice);
  }

  #entry(paths: readonly string[], actor: Actor): NewEntry {
    const update = this.#updates.pop() ?? new Uint8Array();
    return { kind: "change", actor, atMs: 2_000, origin: "sync", paths, update };
  }
}
