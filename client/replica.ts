/**
 * The local copy of one context: a Y.Doc, its connection, and what the server has yet to confirm.
 *
 * Invariants:
 *  1. A local edit is in the document, in `pending` and in the store, in one synchronous step; nothing here throws into Yjs.
 *  2. `version` is never ahead of the document: a commit counts when all before it have come.
 *  3. After a refusal, or when the context was made anew, a fresh document from the server takes the old one's place, once
 *     it is synced: Yjs cannot take content back. Pending edits that still apply are kept, the others handed over.
 *  4. After `closed` nothing is sent; the document and what is pending stay readable.
 *
 * Not here: the wire (provider.ts), the public face (context.ts).
 */
import { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";
import type { Change, ChangeRecord } from "../shared/change.ts";
import { ServiceError } from "../shared/errors.ts";
import { LIMITS } from "../shared/limits.ts";
import type { Hello, Rejected, ServerExtension } from "../shared/protocol/server-frames.ts";
import { Emitter, callSafely } from "./emitter.ts";
import { PendingRequests } from "./pending-requests.ts";
import { PendingUpdates } from "./pending-updates.ts";
import type { PendingUpdate } from "./pending-updates.ts";
import { DurableProvider } from "./provider.ts";
import type { ProviderListener, ProviderOptions } from "./provider.ts";
import type { ReplicaStore, StoredReplica } from "./replica-store.ts";
import { VersionGate } from "./version-gate.ts";

/** `online`: synced and following. `offline`: edits wait, the SDK keeps trying. `closed`: for good. */
export type ContextStatus = "online" | "offline" | "closed";

/** An edit that will never be part of the context: why, and the Yjs update that holds it. */
export interface Refusal {
  readonly error: ServiceError;
  readonly update: Uint8Array;
}

// a type alias: an interface has no index signature, which Emitter's bound asks for
export type ContextEvents = {
  readonly status: readonly [status: ContextStatus];
  /** All local edits are durable on the server. */
  readonly saved: readonly [];
  readonly rejected: readonly [refusal: Refusal];
  /** `doc` replaces the document: editors must bind to it anew. */
  readonly reset: readonly [doc: Y.Doc];
  /** The session is over; `error` has code CLOSED when the application closed it. */
  readonly closed: readonly [error: ServiceError];
  /** The local store failed; edits are no longer kept beyond this process. */
  readonly storeFailed: readonly [error: unknown];
  /** An attempt to connect failed, or a connection was lost. */
  readonly connectionLost: readonly [];
};

/** Key of `Transaction.meta` under which a commit's records travel to listeners. */
export const COMMIT_RECORDS = Symbol("mcm.records");

export class Replica implements ProviderListener {
  readonly events = new Emitter<ContextEvents>();
  readonly pending = new PendingUpdates();
  readonly requests = new PendingRequests();
  readonly versions = new VersionGate();
  readonly #options: ProviderOptions;
  #store: ReplicaStore | undefined;
  /** What the application sees. */
  #doc = new Y.Doc();
  /** What the connection feeds: the same document, except while a fresh one has yet to sync. */
  #liveDoc = this.#doc;
  #provider: DurableProvider;
  #status: ContextStatus = "offline";
  #epoch: number | undefined;
  /** What the server said of versions that this document does not include for certain. */
  #announcedVersion = 0;

  constructor(options: ProviderOptions) {
    this.#options = options;
    this.#provider = this.#attach();
  }

  get doc(): Y.Doc {
    return this.#doc;
  }

  get awareness(): Awareness {
    return this.#provider.awareness;
  }

  get status(): ContextStatus {
    return this.#status;
  }

  /** True for transactions that bring in what others wrote. */
  isRemote(origin: unknown): boolean {
    return origin === this.#provider;
  }

  /** Takes over what a store holds and records to it from now on. Before connect(). */
  restore(store: ReplicaStore, { epoch, updates }: StoredReplica): void {
    this.#epoch = epoch;
    this.#doc.transact(() => {
      for (const update of updates) Y.applyUpdate(this.#doc, update);
    }, this.#provider);
    // which of it the server has is not known before it says so
    if (updates.length > 0) this.pending.add(Y.encodeStateAsUpdate(this.#doc), { isWholeState: true });
    this.#store = store;
  }

  connect(): void {
    this.#provider.connect();
  }

  /** Ends the session. `error` is what everybody who waits is told. */
  close(error: ServiceError): void {
    if (this.#status === "closed") return;
    this.#status = "closed";
    this.#provider.destroy();
    this.awareness.destroy();
    this.pending.fail(error);
    this.requests.fail(error, true);
    this.versions.fail(error);
    this.events.emit("status", "closed");
    this.events.emit("closed", error);
  }

  /** Releases what outlives the session: timers of presence, and the store once everything is in it. */
  async dispose(): Promise<void> {
    this.#doc.destroy();
    this.#liveDoc.destroy();
    await this.#store?.close();
  }

  received(extension: ServerExtension): void {
    switch (extension.type) {
      case "hello":
        return this.#greeted(extension.hello);
      case "ack":
        return this.#acked(extension.ack.frames);
      case "rejected":
        return this.#rejected(extension.rejected);
      case "commit":
        return this.#committed(extension.changes);
      case "response":
        return this.requests.answered(extension.response);
      case "event":
        // the server skipped commits for a slow connection and has now sent their sum
        if (extension.event["type"] === "resynced") this.versions.reach(Number(extension.event["version"]));
        return;
      case "unknown":
        return;
    }
  }

  synced(stateVector: Uint8Array): void {
    if (this.#liveDoc !== this.#doc) this.#replaceDocument();
    for (const entry of this.pending.entries) this.#sendUpdate(entry, stateVector);
    this.versions.reach(this.#announcedVersion);
    this.requests.connected((request) => this.#provider.sendRequest(request));
    this.#changeStatus("online");
  }

  connectionLost(): void {
    this.#disconnected();
    this.events.emit("connectionLost");
  }

  closed(error: ServiceError): void {
    this.close(error);
  }

  #attach(): DurableProvider {
    const doc = this.#liveDoc;
    const awareness = new Awareness(doc);
    awareness.setLocalState(null);
    const provider = new DurableProvider(this.#options, doc, awareness, this);
    doc.on("update", (update: Uint8Array, origin: unknown) =>
      callSafely(() => this.#updated(update, origin === provider)),
    );
    return provider;
  }

  /** Runs inside Yjs, where an exception would silence the document for good (invariant 1). */
  #updated(update: Uint8Array, isRemote: boolean): void {
    const entry = isRemote ? undefined : this.pending.add(update);
    this.#store?.record(update, this.#epoch, () => Y.encodeStateAsUpdate(this.#liveDoc));
    if (entry !== undefined) this.#sendUpdate(entry);
  }

  #sendUpdate(entry: PendingUpdate, serverVector?: Uint8Array): void {
    const isPartKnown = entry.isWholeState && serverVector !== undefined;
    const update = isPartKnown ? Y.diffUpdate(entry.update, serverVector) : entry.update;
    if (update.byteLength <= UPDATE_BYTES_MAX) entry.frame = this.#provider.sendUpdate(update);
    // not here and now: Yjs may be in the middle of a transaction
    else queueMicrotask(() => this.#giveUp(entry, tooLarge(update.byteLength)));
  }

  #greeted({ epoch, version }: Hello): void {
    const known = this.#epoch;
    this.#epoch = epoch;
    if (known === undefined || known === epoch) {
      this.#announcedVersion = version;
      if (known === undefined) this.#store?.recordEpoch(epoch);
      return;
    }
    const error = new ServiceError(
      "EPOCH_CHANGED",
      "The context was deleted and made anew. Read it again and repeat the edits that still make sense.",
    );
    this.versions.restart(error);
    this.requests.fail(error, false);
    for (const entry of [...this.pending.entries]) this.#refuse(entry, error);
    this.#reset();
  }

  #acked(frames: number): void {
    if (this.pending.isEmpty) return;
    this.pending.acked(frames);
    if (this.pending.isEmpty) this.events.emit("saved");
  }

  #rejected({ frame, code, message, details }: Rejected): void {
    const entry = this.pending.entries.find((candidate) => candidate.frame === frame);
    if (entry !== undefined) this.#giveUp(entry, new ServiceError(code, message, { details }));
  }

  #giveUp(entry: PendingUpdate, error: ServiceError): void {
    if (this.#status === "closed" || !this.pending.entries.includes(entry)) return;
    this.#refuse(entry, error);
    this.#reset();
  }

  #refuse(entry: PendingUpdate, error: ServiceError): void {
    this.pending.refuse(entry, error);
    this.events.emit("rejected", { error, update: entry.update });
  }

  #committed(changes: readonly Change[]): void {
    const first = changes[0]?.version ?? 0;
    const last = changes.at(-1)?.version ?? 0;
    const isNext = this.#provider.isReady && first <= this.versions.version + 1;
    if (!isNext) this.#announcedVersion = Math.max(this.#announcedVersion, last);
    // an observer of the application that throws must not look like a damaged message
    callSafely(() =>
      this.#liveDoc.transact((transaction) => {
        transaction.meta.set(COMMIT_RECORDS, changes.map(recordOf));
        for (const { update } of changes)
          if (update.byteLength > 0) Y.applyUpdate(this.#liveDoc, update, this.#provider);
      }, this.#provider),
    );
    if (isNext) this.versions.reach(last);
  }

  #reset(): void {
    this.#provider.destroy();
    this.#disconnected();
    if (this.#liveDoc !== this.#doc) this.#liveDoc.destroy();
    this.#liveDoc = new Y.Doc();
    this.#provider = this.#attach();
    this.#store?.replace(
      this.#epoch,
      this.pending.entries.map(({ update }) => update),
    );
    this.connect();
  }

  #replaceDocument(): void {
    this.#replay();
    const old = this.#doc;
    this.#doc = this.#liveDoc;
    old.destroy();
    this.events.emit("reset", this.#doc);
  }

  /** Puts kept edits into the fresh document. One that builds on what was refused can't be: it goes the same way. */
  #replay(): void {
    let trial: Y.Doc | undefined;
    for (const entry of [...this.pending.entries]) {
      trial ??= copyOf(this.#liveDoc);
      Y.applyUpdate(trial, entry.update);
      if (isComplete(trial)) {
        Y.applyUpdate(this.#liveDoc, entry.update, this.#provider);
      } else {
        trial = undefined;
        this.#refuse(
          entry,
          new ServiceError(
            "MALFORMED_UPDATE",
            "The edit builds on one that was refused. Make it again on the current content.",
          ),
        );
      }
    }
  }

  #disconnected(): void {
    this.pending.connectionLost();
    this.requests.connectionLost();
    this.#changeStatus("offline");
  }

  #changeStatus(status: "online" | "offline"): void {
    if (this.#status === "closed" || this.#status === status) return;
    this.#status = status;
    this.events.emit("status", status);
  }
}

/** A data frame is its update and a few bytes more. */
const UPDATE_BYTES_MAX = LIMITS.frameBytesMax - 16;

function tooLarge(bytes: number): ServiceError {
  return new ServiceError(
    "TOO_LARGE",
    `One edit takes ${bytes} bytes, ${UPDATE_BYTES_MAX} are allowed. Make it in several transactions.`,
  );
}

function recordOf({ update: _update, ...record }: Change): ChangeRecord {
  return record;
}

function copyOf(doc: Y.Doc): Y.Doc {
  const copy = new Y.Doc();
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
  return copy;
}

/** True when nothing waits for content that has not come. */
function isComplete(doc: Y.Doc): boolean {
  return doc.store.pendingStructs === null && doc.store.pendingDs === null;
}
