/**
 * One update against the document that does not have it yet: which ids are new, where its runs of new structs begin, and
 * what it deletes. Keeps saying so when it was applied.
 *
 * A run is new structs that each stand on the one before. It begins at a struct whose neighbour or parent the document
 * has, and lies where that lies: so only beginnings are looked up.
 *
 * Not here: whether the update may be applied (update/touched-paths.ts); it was judged before.
 */
import * as Y from "yjs";
import type { SharedType } from "../../../shared/yjs-values.ts";
import { DeletedRanges } from "../update/deleted-ranges.ts";
import type { ScannedDelete, ScannedId, ScannedStruct, ScannedUpdate } from "../update/update-scanner.ts";

/** Where a run begins. */
export type Beginning =
  | {
      readonly kind: "place";
      readonly type: SharedType;
      /** Null in a list. */
      readonly key: string | null;
      /** What it was written after, null for nothing. */
      readonly origin: ScannedId | null;
    }
  /** Inside a type whose content is not kept; `holder` is the item that held it. */
  | { readonly kind: "emptied"; readonly holder: Y.Item }
  /** Next to what is not kept. */
  | { readonly kind: "collected"; readonly id: ScannedId };

export class IncomingUpdate {
  readonly scanned: ScannedUpdate;
  readonly #doc: Y.Doc;
  /** The first client that it brings structs of, nearly always the only one, and how far the document knows it. */
  readonly #client: number;
  readonly #clock: number;
  #others: Map<number, number> | undefined;
  #deleted: DeletedRanges | undefined;

  constructor(doc: Y.Doc, scanned: ScannedUpdate) {
    this.#doc = doc;
    this.scanned = scanned;
    this.#client = scanned.structs[0]?.client ?? -1;
    this.#clock = Y.getState(doc.store, this.#client);
    let client = this.#client;
    for (const struct of scanned.structs) {
      if (struct.client === client) continue;
      client = struct.client;
      (this.#others ??= new Map()).set(client, Y.getState(doc.store, client));
    }
  }

  isNew({ client, clock }: ScannedId): boolean {
    const known = this.#knownOf(client);
    return known !== undefined && clock >= known;
  }

  /** Whether the document lacked any of it. */
  isNewStruct({ client, clock, length }: ScannedStruct): boolean {
    return this.isNew({ client, clock: clock + length - 1 });
  }

  isDeleting({ client, clock }: ScannedId): boolean {
    if (this.scanned.deletes.length === 0) return false;
    this.#deleted ??= new DeletedRanges(this.scanned.deletes);
    return this.#deleted.covers({ client, clock }, clock + 1);
  }

  /** Yjs joins deleted values that follow each other into one item. */
  isDeletingAnyOf({ id: { client, clock }, length }: Y.Item): boolean {
    for (let i = 0; i < length; i++) if (this.isDeleting({ client, clock: clock + i })) return true;
    return false;
  }

  /** Whether its author has deleted a value of an item that it brings. In our document all of a value that lost is deleted. */
  isGone(item: Y.Item, offset: number): boolean {
    const { client, clock } = item.id;
    return item.content instanceof Y.ContentDeleted || this.isDeleting({ client, clock: clock + offset });
  }

  /** Undefined for a struct that is not the beginning of a run, or begins in what the update creates. Before it is applied. */
  beginningOf(struct: ScannedStruct): Beginning | undefined {
    if (struct.kind === "gc") return undefined;
    const origin = this.#originOf(struct);
    const neighbour = origin ?? struct.rightOrigin;
    if (neighbour !== null) {
      if (this.isNew(neighbour)) return undefined;
      const item = this.find(neighbour);
      if (!(item instanceof Y.Item)) return { kind: "collected", id: neighbour };
      return { kind: "place", type: parentOf(item), key: item.parentSub, origin };
    }
    if (struct.parentId !== null) return this.#within(struct.parentId, struct.key);
    const root = this.#doc.share.get(struct.parentRoot ?? "");
    return root === undefined ? undefined : { kind: "place", type: root, key: struct.key, origin: null };
  }

  /** The document's struct with this id; undefined when it has none. */
  find({ client, clock }: ScannedId): Y.Item | Y.GC | undefined {
    const structs = this.#doc.store.clients.get(client);
    if (structs === undefined || clock >= Y.getState(this.#doc.store, client)) return undefined;
    return structs[Y.findIndexSS(structs, clock)];
  }

  /** The items that the new part of a struct became, once applied: several where something came between. */
  *itemsOf({ client, clock, length }: ScannedStruct): Generator<Y.Item> {
    const from = Math.max(clock, this.#knownOf(client) ?? 0);
    for (const item of itemsIn(this.#doc, { client, clock: from, length: clock + length - from })) {
      if (item instanceof Y.Item) yield item;
    }
  }

  /** Of a struct that is known in part, Yjs puts the rest right after that part. */
  #originOf({ client, clock, origin }: ScannedStruct): ScannedId | null {
    const known = this.#knownOf(client) ?? 0;
    return clock < known ? { client, clock: known - 1 } : origin;
  }

  /** Undefined for a client that it brings nothing of. */
  #knownOf(client: number): number | undefined {
    return client === this.#client ? this.#clock : this.#others?.get(client);
  }

  #within(parentId: ScannedId, key: string | null): Beginning | undefined {
    if (this.isNew(parentId)) return undefined;
    const holder = this.find(parentId);
    if (!(holder instanceof Y.Item)) return { kind: "collected", id: parentId };
    if (!(holder.content instanceof Y.ContentType)) return { kind: "emptied", holder };
    return { kind: "place", type: holder.content.type, key, origin: null };
  }
}

/** What the document has of a range of ids. */
export function* itemsIn(doc: Y.Doc, { client, clock, length }: ScannedDelete): Generator<Y.Item | Y.GC> {
  const structs = doc.store.clients.get(client);
  if (structs === undefined || clock >= Y.getState(doc.store, client)) return;
  for (let i = Y.findIndexSS(structs, clock); i < structs.length; i++) {
    const item = structs[i];
    if (item === undefined || item.id.clock >= clock + length) return;
    yield item;
  }
}

export function parentOf(item: Y.Item): SharedType {
  if (item.parent instanceof Y.AbstractType) return item.parent;
  throw new Error("An integrated item has a type for its parent.");
}

export function lastIdOf(item: Y.Item): ScannedId {
  return { client: item.id.client, clock: item.id.clock + item.length - 1 };
}
