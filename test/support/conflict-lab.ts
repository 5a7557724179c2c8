/**
 * A server's document that takes live updates as admission does, and says what conflicts each of them made.
 *
 * Not here: the clients; any Y.Doc will do.
 */
import * as Y from "yjs";
import { CollectedPlaces } from "../../server/state/conflict/collected-places.ts";
import { ConflictProbe } from "../../server/state/conflict/conflict-detector.ts";
import type { Detected, ProbeOptions } from "../../server/state/conflict/conflict-detector.ts";
import { touchOf } from "../../server/state/update/touched-paths.ts";
import { scanUpdate } from "../../server/state/update/update-scanner.ts";

export class ConflictLab {
  readonly doc = new Y.Doc();
  readonly #collected: CollectedPlaces;

  constructor(clientId: number) {
    this.doc.clientID = clientId;
    this.doc.getMap("data");
    this.#collected = new CollectedPlaces(this.doc);
  }

  take(update: Uint8Array, options: ProbeOptions = {}): readonly Detected[] {
    const scanned = scanUpdate(update);
    touchOf(this.doc, scanned);
    let found: readonly Detected[] = [];
    this.doc.transact(() => {
      const probe = new ConflictProbe(this.doc, scanned, { update, collected: this.#collected, ...options });
      Y.applyUpdate(this.doc, update);
      found = probe.conflicts();
    }, "lab");
    return found;
  }

  /** Several updates in one Yjs transaction, each with a probe of its own. */
  takeTogether(turns: readonly (() => void)[]): void {
    this.doc.transact(() => {
      for (const turn of turns) turn();
    }, "lab");
  }
}

/** A client's document with what the server has, and the updates of its own edits, one for each transaction. */
export class LabClient {
  readonly doc = new Y.Doc();
  readonly outbox: Uint8Array[] = [];

  constructor(clientId: number, server?: Y.Doc) {
    this.doc.clientID = clientId;
    if (server !== undefined) this.receive(server);
    this.doc.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== "server") this.outbox.push(update);
    });
  }

  get data(): Y.Map<unknown> {
    return this.doc.getMap("data");
  }

  receive(server: Y.Doc): void {
    Y.applyUpdate(this.doc, Y.encodeStateAsUpdate(server, Y.encodeStateVector(this.doc)), "server");
  }

  /** The update of one transaction. */
  edit(change: (data: Y.Map<unknown>) => void): Uint8Array {
    const from = this.outbox.length;
    this.doc.transact(() => change(this.data));
    const [update] = this.outbox.slice(from);
    return update ?? Uint8Array.of(0, 0);
  }

  /** Sends all that it has, as the answer to a step 1 does. */
  wholeFor(server: Y.Doc): Uint8Array {
    return Y.encodeStateAsUpdate(this.doc, Y.encodeStateVector(server));
  }
}
