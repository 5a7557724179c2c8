/**
 * A Y.Doc that keeps what local edits deleted until they are saved: only so can be told, when the document has to be given
 * up, what they were made on. What others deleted goes at once, as in any Y.Doc.
 */
import * as Y from "yjs";

type DeleteSet = Y.Transaction["deleteSet"];

export class KeepingDoc {
  readonly doc: Y.Doc;
  #feeder: unknown;
  #keeps = false;

  constructor() {
    this.doc = new Y.Doc({ gcFilter: () => !this.#keeps });
    // the last thing before a transaction's deleted content would go
    this.doc.on("afterTransaction", ({ origin }: Y.Transaction) => {
      this.#keeps = !this.isFed(origin);
    });
  }

  /** Transactions of this origin bring in what the server has. */
  feedBy(origin: unknown): void {
    this.#feeder = origin;
  }

  isFed(origin: unknown): boolean {
    return origin === this.#feeder;
  }

  /** Applies what a store kept, of which `edits` may not be saved. */
  restore(updates: readonly Uint8Array[], edits: readonly Uint8Array[]): void {
    const unsaved = Y.mergeDeleteSets(edits.map(deletesOf));
    this.doc.transact(() => {
      for (const update of updates) Y.applyUpdate(this.doc, update);
    }, RESTORED);
    const all = Y.createDeleteSetFromStructStore(this.doc.store);
    Y.tryGc(all, this.doc.store, ({ id }) => !Y.isDeleted(unsaved, id));
  }

  /** An edit is saved, or given up for good: what it deleted may go. */
  forget(edit: Uint8Array): void {
    const deletes = deletesOf(edit);
    if (deletes.clients.size > 0) Y.tryGc(deletes, this.doc.store, () => true);
  }
}

/** Of the transaction that brings a stored document back: nothing that it deletes goes before it is looked through. */
export const RESTORED = Symbol("mcm.restored");

function deletesOf(edit: Uint8Array): DeleteSet {
  return Y.decodeUpdate(edit).ds;
}
