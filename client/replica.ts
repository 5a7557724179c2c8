/**
 * The local copy of one context: a Y.Doc, its connection, and what the server has yet to confirm.
 *
 * Invariants:
 *  1. A local edit is in the document, in `pending` and in the store, in one synchronous step; nothing here throws into Yjs.
 *  2. `version` is never ahead of the document: a commit counts when all before it have come.
 *  3. After a refusal, or in another epoch, a fresh document from the server takes the old one's place, once it is synced:
 *     Yjs cannot take content back, and the content of two epochs in one document would be there twice. What is pending is
 *     kept, carried over, or handed to the application.
 *  4. The store holds the document that is shown, of its epoch, until another one is shown.
 *  5. After `closed` nothing is sent; the document and what is pending stay readable.
 *  6. All that is sent is sent as one actor.
 *
 * Not here: the wire (provider.ts), carrying edits over (carry-over.ts), the public face (context.ts).
 */
import { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";
import type { Change, ChangeRecord, JsonOp } from "../shared/change.ts";
import { ServiceError, toServiceError } from "../shared/errors.ts";
import type { Hello, Rejected, ServerExtension } from "../shared/protocol/server-frames.ts";
import type { Json, JsonObject } from "../shared/json.ts";
import { carryOver } from "./carry-over.ts";
import { ClientIdLease } from "./client-id-lease.ts";
import { accessOf } from "./context-access.ts";
import type { ContextAccess } from "./context-access.ts";
import { UPDATE_BYTES_MAX, otherActor, readOnly, recreated, tooLarge, withoutPlace } from "./edit-refusals.ts";
import { Emitter, callSafely } from "./emitter.ts";
import { conflictOf, isDatedConflict, lockNoticeOf } from "./from-wire.ts";
import { KeepingDoc, RESTORED } from "./keeping-doc.ts";
import { NewDocument } from "./new-document.ts";
import { Locks } from "./locks.ts";
import { PendingRequests } from "./pending-requests.ts";
import { PendingUpdates } from "./pending-updates.ts";
import type { PendingUpdate } from "./pending-updates.ts";
import { DurableProvider } from "./provider.ts";
import type { ProviderListener, ProviderOptions } from "./provider.ts";
import type { ContextEvents, ContextStatus, LockNotice, Refusal } from "./replica-events.ts";
import { Replay, hasArrived } from "./replay.ts";
import type { ChangeParams } from "./rescue.ts";
import type { KeptReplica, ReplicaStore, StoredReplica } from "./replica-store.ts";
import { VersionGate } from "./version-gate.ts";

/** Key of `Transaction.meta` under which a commit's records travel to listeners. */
export const COMMIT_RECORDS = Symbol("mcm.records");

interface ChangeOptions {
  readonly signal?: AbortSignal | undefined;
  /** Fencing tokens to show whatever became of their locks. */
  readonly tokens?: readonly number[];
}

export class Replica implements ProviderListener {
  readonly events = new Emitter<ContextEvents>(["rejected"]);
  readonly pending = new PendingUpdates();
  readonly requests = new PendingRequests();
  readonly locks = new Locks({ requests: this.requests, pending: this.pending });
  /** Of the document that is shown. */
  readonly versions = new VersionGate();
  readonly #options: ProviderOptions;
  readonly #clientId = new ClientIdLease((yjsClientId) => this.requests.request("release-client-id", { yjsClientId }));
  #store: ReplicaStore | undefined;
  /** What the application sees. */
  #shown = new KeepingDoc();
  /** What the connection feeds: the same document, except while a fresh one has yet to take its place. */
  #fed = this.#shown;
  #provider: DurableProvider;
  #status: ContextStatus = "offline";
  #actor: string | undefined;
  #access: ContextAccess | undefined;
  /** Of the document that is fed. */
  #epoch: number | undefined;
  /** What is carried over from the shown document, which is of an earlier epoch, to the one that is fed. */
  #carried: { readonly to: NewDocument; readonly epoch: number } | undefined;
  #isCarrying = false;
  #hasSynced = false;
  /** Edits of earlier processes are pending. */
  #hasLoadedEdits = false;
  /** Edits that were made in the shown document and will not be in the next. */
  #refused: Uint8Array[] = [];
  /** What the server said of versions that this document does not include for certain. */
  #announcedVersion = 0;

  /** `actor`: whom the server must take us for; whom it does, unless given. */
  constructor(options: ProviderOptions, actor?: string) {
    this.#options = options;
    this.#actor = actor;
    this.#provider = this.#attach();
  }

  get doc(): Y.Doc {
    return this.#shown.doc;
  }

  get awareness(): Awareness {
    return this.#provider.awareness;
  }

  get status(): ContextStatus {
    return this.#status;
  }

  /** Undefined while the server has not said. */
  get access(): ContextAccess | undefined {
    return this.#access;
  }

  get #isReader(): boolean {
    return this.#access?.mayWrite === false;
  }

  /** True for transactions that bring in what others wrote. */
  isRemote(origin: unknown): boolean {
    return origin === this.#provider || origin === RESTORED;
  }

  /** Takes over what a store holds and records to it from now on. Before connect(). */
  restore(store: ReplicaStore, { epoch, updates, edits, strays }: StoredReplica): void {
    this.#epoch = epoch;
    this.#shown.restore(updates, edits);
    // which of them the server has, or has refused, is not known before it says so
    for (const update of edits) this.pending.add(update, { wasSent: true });
    this.#hasLoadedEdits = edits.length > 0;
    this.#store = store;
    for (const update of strays) this.events.emit("rejected", { error: recreated(), update });
    if (strays.length > 0) store.replace(this.#kept());
  }

  connect(): void {
    this.#provider.connect();
  }

  /** Asks for a JSON change, under the locks that are held where it writes and those of `tokens`. */
  change(params: ChangeParams, { signal, tokens = [] }: ChangeOptions = {}): Promise<Json> {
    const own = this.locks.tokensFor(params.changes.flatMap(placesOf));
    const lockTokens = [...new Set([...own, ...tokens])];
    return this.requests.request("change", lockTokens.length === 0 ? params : { ...params, lockTokens }, { signal });
  }

  /** Gives the Yjs client id back, when nothing that was written under it is unsaved. What is written later has another. */
  async releaseClientId(): Promise<void> {
    const isDone = this.#status === "online" && this.pending.isEmpty && this.#store === undefined;
    if (isDone) await this.#clientId.release(this.doc, this.awareness);
  }

  /** Ends the session. `error` is what everybody who waits is told. */
  close(error: ServiceError): void {
    if (this.#status === "closed") return;
    this.#status = "closed";
    this.#carried?.to.end();
    this.#provider.destroy();
    this.awareness.destroy();
    this.pending.fail(error);
    this.requests.fail(error, true);
    this.locks.fail(error);
    this.versions.fail(error);
    this.events.emit("status", "closed");
    this.events.emit("closed", error);
  }

  /** Releases what outlives the session: timers of presence, and the store once everything is in it. */
  async dispose(): Promise<void> {
    this.doc.destroy();
    this.#fed.doc.destroy();
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
        return this.#heard(extension.event);
      case "unknown":
        return;
    }
  }

  synced(): void {
    this.#clientId.settle(this.#fed.doc, this.awareness, !this.#hasSynced && this.#store === undefined);
    this.#hasSynced = true;
    this.requests.begin((request) => this.#provider.sendRequest(request));
    this.locks.resume();
    if (this.#carried !== undefined) return this.#carryOn(this.#carried.to);
    if (this.#fed !== this.#shown) this.#replaceDocument();
    else if (this.#isReader ? !this.pending.isEmpty : this.#hasLoadedEdits && this.#refuseStrays())
      return this.#reset();
    for (const entry of this.pending.entries) this.#sendUpdate(entry);
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
    const fed = this.#fed;
    const awareness = new Awareness(fed.doc);
    awareness.setLocalState(null);
    const provider = new DurableProvider(this.#options, fed.doc, awareness, this);
    this.#hasSynced = false;
    fed.feedBy(provider);
    fed.doc.on("update", (update: Uint8Array, origin: unknown) => callSafely(() => this.#updated(fed, update, origin)));
    return provider;
  }

  /** Runs inside Yjs, where an exception would silence the document for good (invariant 1). */
  #updated(keeping: KeepingDoc, update: Uint8Array, origin: unknown): void {
    // a document that others are carried over to is recorded as a whole, when it is shown
    if (origin === RESTORED || (this.#carried !== undefined && keeping !== this.#shown)) return;
    const entry = keeping.isFed(origin) ? undefined : this.pending.add(update, { baseVersion: this.versions.version });
    this.#store?.record(update, this.#keptEpoch, entry?.id, () => this.#kept());
    if (entry !== undefined && keeping === this.#fed) this.#sendUpdate(entry);
  }

  #sendUpdate(entry: PendingUpdate): void {
    const { update, baseVersion } = entry;
    if (update.byteLength <= UPDATE_BYTES_MAX) this.pending.sent(entry, this.#provider.sendUpdate(update, baseVersion));
    // not here and now: Yjs may be in the middle of a transaction
    else queueMicrotask(() => this.#giveUp(entry, tooLarge(update.byteLength)));
  }

  #greeted(hello: Hello): void {
    const { epoch, firstEpoch, version, actor } = hello;
    this.#actor ??= actor;
    if (this.#actor !== actor) return this.close(otherActor());
    const known = this.#epoch;
    this.#epoch = epoch;
    if (known === undefined || known === epoch) {
      this.#announcedVersion = version;
      this.#clientId.greeted(hello);
      return;
    }
    if (firstEpoch === undefined || firstEpoch > known) this.#abandon();
    else this.#beginCarrying(known);
    this.#reset();
  }

  /** The context was deleted and made anew: what this replica holds means nothing there. */
  #abandon(): void {
    const error = recreated();
    this.#carried?.to.end();
    this.#carried = undefined;
    this.versions.restart(error);
    this.requests.fail(error, false);
    for (const entry of [...this.pending.entries]) this.#refuse(entry, error);
  }

  #beginCarrying(epoch: number): void {
    this.#carried ??= { to: new NewDocument((params) => this.change(params)), epoch };
    this.#carried.to.versions.rewind();
  }

  /** The document to carry over to is in step with the server, for the first time or again. */
  #carryOn(to: NewDocument): void {
    to.versions.reach(this.#announcedVersion);
    this.requests.connected((request) => this.#provider.sendRequest(request));
    to.synced(this.#fed.doc);
    if (!this.#isCarrying) void this.#carry(to);
  }

  async #carry(to: NewDocument): Promise<void> {
    this.#isCarrying = true;
    try {
      // edits may come until the moment in which the new document is shown
      do await carryOver(this.#shown, this.pending, to, (entry, error) => this.#refuse(entry, error));
      while (!this.pending.isEmpty);
      if (!to.isOver) this.#carriedOver(to);
    } catch (error) {
      if (!to.isOver) this.close(toServiceError(error));
    } finally {
      this.#isCarrying = false;
    }
  }

  #carriedOver(to: NewDocument): void {
    this.#carried = undefined;
    this.#replaceDocument();
    this.#store?.replace(this.#kept());
    this.versions.reach(to.versions.version);
    this.events.emit("saved");
    if (this.#provider.isReady) this.#changeStatus("online");
  }

  #acked(frames: number): void {
    const acked = this.pending.acked(frames);
    for (const { update } of acked) this.#shown.forget(update);
    const last = acked.at(-1);
    if (last === undefined || !this.pending.isEmpty) return;
    // edits of earlier processes have names of their own
    if (this.#hasLoadedEdits) this.#store?.replace(this.#kept());
    else this.#store?.recordSaved(last.id);
    this.#hasLoadedEdits = false;
    this.events.emit("saved");
  }

  #rejected({ frame, code, message, details }: Rejected): void {
    const entry = this.pending.entries.find((candidate) => candidate.frame === frame);
    if (entry !== undefined) this.#giveUp(entry, new ServiceError(code, message, { details }));
  }

  #giveUp(entry: PendingUpdate, error: ServiceError): void {
    if (this.#status === "closed" || this.#carried !== undefined || !this.pending.entries.includes(entry)) return;
    this.#refuse(entry, error);
    this.#refused.push(entry.update);
    this.#reset();
  }

  #refuse(entry: PendingUpdate, error: ServiceError): void {
    this.pending.refuse(entry, error);
    this.events.emit("rejected", { error, update: entry.update });
  }

  #committed(changes: readonly Change[]): void {
    const versions = this.#carried?.to.versions ?? this.versions;
    const first = changes[0]?.version ?? 0;
    const last = changes.at(-1)?.version ?? 0;
    const isNext = this.#provider.isReady && first <= versions.version + 1;
    if (!isNext) this.#announcedVersion = Math.max(this.#announcedVersion, last);
    const { doc } = this.#fed;
    // an observer of the application that throws must not look like a damaged message
    callSafely(() =>
      doc.transact((transaction) => {
        transaction.meta.set(COMMIT_RECORDS, changes.map(recordOf));
        for (const { update } of changes) if (update.byteLength > 0) Y.applyUpdate(doc, update, this.#provider);
      }, this.#provider),
    );
    if (isNext) versions.reach(last);
  }

  #heard(event: JsonObject): void {
    const { type, version, conflict } = event;
    if (type === "access") this.#heardOfAccess(accessOf(event));
    if (type === "lock-queue") this.events.emit("lockQueue", Number(event["waiting"]));
    if (type === "lock") this.#heardOfLock(lockNoticeOf(event));
    // the server skipped commits for a slow connection and has now sent their sum
    if (type === "resynced") (this.#carried?.to.versions ?? this.versions).reach(Number(version));
    if (type === "conflict" && isDatedConflict(conflict)) this.events.emit("conflict", conflictOf(conflict));
  }

  #heardOfAccess(access: ContextAccess | undefined): void {
    if (access === undefined || JSON.stringify(access) === JSON.stringify(this.#access)) return;
    this.#access = access;
    this.events.emit("access", access);
  }

  #heardOfLock(notice: LockNotice | undefined): void {
    if (notice === undefined) return;
    if (notice.op === "expire" || notice.op === "release") this.locks.ended(notice.lockId, notice.op);
    this.events.emit("lock", notice);
  }

  #reset(): void {
    this.#provider.destroy();
    this.#disconnected();
    if (this.#fed !== this.#shown) this.#fed.doc.destroy();
    this.#fed = new KeepingDoc();
    this.#provider = this.#attach();
    this.#store?.replace(this.#kept());
    this.connect();
  }

  #replaceDocument(): void {
    const wasSaved = this.pending.isEmpty;
    const refusals = this.#replay();
    const old = this.#shown;
    this.#shown = this.#fed;
    old.doc.destroy();
    this.events.emit("reset", this.doc);
    // not before: what the application does about them it does in the new document
    for (const refusal of refusals) this.events.emit("rejected", refusal);
    if (!wasSaved && this.pending.isEmpty) this.events.emit("saved");
  }

  /**
   * Puts kept edits into the fresh document. One that builds on what was refused can't be: it goes the same way. So do all of
   * a reader, but those that came through before: the server would refuse one after the other. Returns what went.
   */
  #replay(): readonly Refusal[] {
    const replay = new Replay(this.#fed.doc, this.#refused);
    this.#refused = [];
    const refusals: Refusal[] = [];
    for (const entry of [...this.pending.entries]) {
      const update = this.#isReader ? undefined : replay.put(entry.update, this.#provider);
      if (update !== undefined) entry.update = update;
      else if (this.#isReader && replay.includes(entry.update)) this.pending.done(entry);
      else {
        const error = this.#isReader ? readOnly() : withoutPlace();
        this.pending.refuse(entry, error);
        refusals.push({ error, update: entry.update });
      }
    }
    this.#store?.replace(this.#kept());
    return refusals;
  }

  /** Edits of an earlier process may build on what was refused then: it ended before it could be told. */
  #refuseStrays(): boolean {
    const known = Y.decodeStateVector(Y.encodeStateVector(this.doc));
    const strays = this.pending.entries.filter(({ update }) => !hasArrived(this.doc, update, known));
    for (const entry of strays) this.#refuse(entry, withoutPlace());
    this.#refused.push(...strays.map(({ update }) => update));
    return strays.length > 0;
  }

  #disconnected(): void {
    this.#carried?.to.connectionLost();
    this.pending.connectionLost();
    this.requests.connectionLost();
    this.#changeStatus("offline");
  }

  #changeStatus(status: "online" | "offline"): void {
    if (this.#status === "closed" || this.#status === status) return;
    this.#status = status;
    this.events.emit("status", status);
  }

  get #keptEpoch(): number {
    return this.#carried?.epoch ?? this.#epoch ?? 0;
  }

  /** What is to be found when the replica is loaded again. */
  #kept(): KeptReplica {
    const { doc } = this.#carried === undefined ? this.#fed : this.#shown;
    const edits = this.pending.entries.map(({ id, update }) => ({ number: id, update }));
    return { epoch: this.#keptEpoch, state: Y.encodeStateAsUpdate(doc), edits };
  }
}

/** Where an operation writes, as far as it says. */
function placesOf(op: JsonOp): readonly string[] {
  return op.op === "move" ? [op.path, op.from] : [op.path];
}

/** What one wrote oneself comes back without its bytes. */
function recordOf({ update: { byteLength: bytes }, ...record }: Change): ChangeRecord {
  return bytes === 0 ? record : { ...record, bytes };
}
