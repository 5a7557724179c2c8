/**
 * Under which Yjs client id a replica writes: one that its actor used before and released, when the server offers one, so
 * that a document's ids do not grow with the sessions of its writers.
 *
 * Invariants (SDK-33):
 *  1. An offered id is taken only for a document that was not written and not shown yet, once its first sync is complete:
 *     then all that was ever written under the id is known. Otherwise it is given back at once.
 *  2. An id is given back only when everything written under it is saved, and nothing is written under it from then on.
 *
 * Not here: replicas that are kept beyond their process, which do without: somebody else may have loaded their edits.
 */
import { uint32 } from "lib0/random";
import type { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";
import type { Hello } from "../shared/protocol/server-frames.ts";

export class ClientIdLease {
  readonly #giveBack: (yjsClientId: number) => Promise<unknown>;
  /** The server takes ids back. */
  #isKnown = false;
  #offered: number | undefined;
  #taken: number | undefined;

  constructor(giveBack: (yjsClientId: number) => Promise<unknown>) {
    this.#giveBack = giveBack;
  }

  /** A connection begins: what the server offers with it, if anything. */
  greeted({ firstEpoch, yjsClientId }: Pick<Hello, "firstEpoch" | "yjsClientId">): void {
    this.#isKnown = firstEpoch !== undefined;
    this.#offered = yjsClientId;
  }

  /** The document is synced; `isNew`: for the first time. */
  settle(doc: Y.Doc, awareness: Awareness, isNew: boolean): void {
    const id = this.#offered;
    this.#offered = undefined;
    if (id === undefined) return;
    if (isNew && !hasWritten(doc) && awareness.getLocalState() === null) {
      rename(doc, awareness, id);
      this.#taken = id;
    } else {
      this.#giveBack(id).catch(() => undefined);
    }
  }

  /** Everything in `doc` is saved, and presence is over. Resolves when the server knows that the id is free, or could not be told. */
  async release(doc: Y.Doc, awareness: Awareness): Promise<void> {
    const id = doc.clientID;
    if (!this.#isKnown || (id !== this.#taken && !hasWritten(doc))) return;
    awareness.setLocalState(null);
    rename(doc, awareness, uint32());
    await this.#giveBack(id).catch(() => undefined);
  }
}

/** Editors take the presence under the document's id for their own, so both have the same. */
function rename(doc: Y.Doc, awareness: Awareness, id: number): void {
  doc.clientID = id;
  awareness.clientID = id;
  // y-websocket says goodbye for this id: its clock must be known
  awareness.setLocalState(null);
}

function hasWritten(doc: Y.Doc): boolean {
  return Y.getState(doc.store, doc.clientID) > 0;
}
