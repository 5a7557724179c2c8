/**
 * Reverts some of the edits of a document, others' kept, in the Yjs document itself: what they inserted goes, what they
 * deleted comes back, by Yjs' own UndoManager, which knows where deleted content belongs.
 *
 * The document must keep deleted content (gc off). The UndoManager is given what to undo instead of collecting it: it
 * would take the delete sets of long histories together again and again.
 *
 * Invariants (UNDO):
 *  1. Of a key's values at most one comes back: the newest that the edits to undo displaced, and none when somebody else
 *     wrote or deleted the key after them. (The UndoManager brings back all that it may, in order of client ids.)
 *  2. What others wrote into something that was deleted by the edits, or lost to one of them in a merge, comes back too.
 *
 * Not here: which edits these are, and what of the outcome can be said as JSON (undo-plan.ts).
 */
import * as Y from "yjs";

type DeleteSet = ReturnType<typeof Y.createDeleteSet>;

export class UndoneEdits {
  readonly #doc: Y.Doc;
  /** Clocks before the first edit. */
  readonly #start: ReadonlyMap<number, number>;
  readonly #inserted: DeleteSet[] = [];
  readonly #deleted: DeleteSet[] = [];
  /** What authors said that they deleted; the rest of what is gone was lost in a merge. */
  readonly #told: DeleteSet[] = [];

  constructor(doc: Y.Doc) {
    this.#doc = doc;
    this.#start = Y.decodeStateVector(Y.encodeStateVector(doc));
  }

  get isEmpty(): boolean {
    return this.#inserted.length === 0;
  }

  /** Takes note of an update that was or will be applied, whoever it is from. */
  note(update: Uint8Array): void {
    this.#told.push(Y.decodeUpdate(update).ds);
  }

  /** What `edit` does to the document is to be undone. */
  collect(edit: () => void): void {
    const take = (transaction: Y.Transaction): void => {
      this.#inserted.push(insertedBy(transaction));
      this.#deleted.push(transaction.deleteSet);
    };
    this.#doc.on("afterTransaction", take);
    edit();
    this.#doc.off("afterTransaction", take);
  }

  revert(): void {
    const insertions = Y.mergeDeleteSets(this.#inserted);
    const mine: Sets = { insertions, deletions: Y.mergeDeleteSets(this.#deleted), told: Y.mergeDeleteSets(this.#told) };
    const manager = new Y.UndoManager(this.#doc, { trackedOrigins: new Set() });
    // in one transaction, so that items stay split where the sets begin and end
    this.#doc.transact((transaction) => {
      const deletions = setOf(this.#toBringBack(transaction, mine));
      manager.undoStack.push({ insertions, deletions, meta: new Map() });
      manager.undo();
    });
    manager.destroy();
  }

  #toBringBack(transaction: Y.Transaction, sets: Sets): Set<Y.Item> {
    const gone = new Set<Y.Item>();
    Y.iterateDeletedStructs(transaction, sets.deletions, (item) => {
      if (item instanceof Y.Item && !isIn(sets.insertions, item)) gone.add(item);
    });
    // splits items, so that each is in a set whole or not at all
    for (const set of [sets.told, sets.insertions]) Y.iterateDeletedStructs(transaction, set, () => undefined);
    for (const item of this.#itemsSinceStart()) if (item.deleted && isLost(item, sets)) gone.add(item);
    const chosen = new Set<Y.Item>();
    for (const item of gone) if (item.parentSub === null || newestOfKey(item, sets, gone) === item) chosen.add(item);
    return chosen;
  }

  *#itemsSinceStart(): Generator<Y.Item> {
    for (const [client, structs] of this.#doc.store.clients) {
      const start = this.#start.get(client) ?? 0;
      for (let at = structs.length - 1; at >= 0; at--) {
        const struct = structs[at];
        if (struct === undefined || struct.id.clock < start) break;
        if (struct instanceof Y.Item) yield struct;
      }
    }
  }
}

interface Sets {
  readonly insertions: DeleteSet;
  readonly deletions: DeleteSet;
  readonly told: DeleteSet;
}

function isLost(item: Y.Item, { insertions, told }: Sets): boolean {
  return !isIn(told, item) && !isIn(insertions, item);
}

/** The value of the item's key that the edits to undo displaced last; undefined when it is not by them that it is gone. */
function newestOfKey({ parent, parentSub }: Y.Item, sets: Sets, gone: ReadonlySet<Y.Item>): Y.Item | undefined {
  if (!(parent instanceof Y.AbstractType) || parentSub === null) return undefined;
  let item = parent._map.get(parentSub) ?? null;
  while (item !== null && isIn(sets.insertions, item)) {
    const isDeletedByOthers = item.deleted && !isIn(sets.deletions, item) && isIn(sets.told, item);
    if (isDeletedByOthers) return undefined;
    item = item.left;
  }
  return item !== null && gone.has(item) ? item : undefined;
}

function insertedBy({ beforeState, afterState }: Y.Transaction): DeleteSet {
  const set = Y.createDeleteSet();
  for (const [client, end] of afterState) {
    const clock = beforeState.get(client) ?? 0;
    if (end > clock) set.clients.set(client, [{ clock, len: end - clock }]);
  }
  return set;
}

function setOf(items: Iterable<Y.Item>): DeleteSet {
  const set = Y.createDeleteSet();
  for (const { id, length } of items) {
    const ranges = set.clients.get(id.client);
    if (ranges === undefined) set.clients.set(id.client, [{ clock: id.clock, len: length }]);
    else ranges.push({ clock: id.clock, len: length });
  }
  return Y.mergeDeleteSets([set]);
}

function isIn(set: DeleteSet, { id }: Y.Item): boolean {
  return Y.isDeleted(set, id);
}
