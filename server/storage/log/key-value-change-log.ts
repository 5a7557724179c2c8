/**
 * The log of all contexts over an ordered store: keys and values as in log-keys.ts, writes through one group commit.
 *
 * Invariants: those of the port (change-log.ts), and
 *  1. The entries of one context in one commit are one record, a run (decision 0003); its head is in the same batch.
 *  2. Only one process writes the store, so heads in memory are true; `head` may run ahead of the disk, what is shown may not.
 *  3. Checkpoint 0, the context as it was created, stays: with the log it is the history.
 *
 * Not here: caching of documents, when a checkpoint is due, reopening (storage-manager.ts).
 */
import { ok as assert } from "node:assert/strict";
import type { ContextHead, ContextMeta } from "../../../shared/context.ts";
import { ServiceError } from "../../../shared/errors.ts";
import type { ContextId } from "../../../shared/ids.ts";
import { LIMITS, type Limits } from "../../../shared/limits.ts";
import type { Clock } from "../../clock.ts";
import type {
  AppendOptions,
  AppendResult,
  ChangeLog,
  Checkpoint,
  Guard,
  IdempotencyRecord,
  LogEntry,
  NewEntry,
  StoredContext,
  StoredSummary,
} from "../change-log.ts";
import { ContextSlots, type LiveContext, type Slot } from "./context-slots.ts";
import { GroupCommit, type CommitSize } from "./group-commit.ts";
import * as keys from "./log-keys.ts";
import * as reader from "./log-reader.ts";
import { openLayout } from "./log-layout.ts";
import { CommitEncoder, type LogWork } from "./commit-encoder.ts";
import { encodeCheckpoint, encodeContext, encodeHead, type HeadRecord } from "./record-codec.ts";
import type { KeyValueStore, StoreOp, StoreView } from "../store/store.ts";

export interface KeyValueChangeLogOptions {
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly limits?: Limits;
}

/** Keys read and deleted in one step when a context or old idempotency records go. */
const DELETE_STEP = 1000;
/** What an entry takes beside its update, roughly; for the bounds of batch and queue. */
const ENTRY_OVERHEAD_BYTES = 128;

export class KeyValueChangeLog implements ChangeLog {
  readonly #store: KeyValueStore;
  readonly #clock: Clock;
  readonly #limits: Limits;
  #commit: GroupCommit<LogWork> | undefined;
  #slots: ContextSlots;
  /** Contexts whose caller was refused an append and has not loaded again (LOG-5); they outlive close() and open(). */
  readonly #refused = new Set<ContextId>();
  #nodeClientId = 0;
  #nextNumber = 1;

  constructor({ store, clock, limits = LIMITS }: KeyValueChangeLogOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#limits = limits;
    this.#slots = this.#newSlots();
  }

  get nodeClientId(): number {
    assert(this.#nodeClientId > 0, "nodeClientId is known after open()");
    return this.#nodeClientId;
  }

  get hasFailed(): boolean {
    return this.#commit?.failure !== undefined;
  }

  async open(): Promise<void> {
    assert(this.#commit === undefined, "the log is open");
    try {
      await this.#store.open();
      const layout = await openLayout(this.#store, this.#clock);
      this.#nodeClientId = layout.nodeClientId;
      this.#nextNumber = layout.nextNumber;
      this.#slots = this.#newSlots();
      this.#commit = this.#newCommit();
      for (const number of layout.unfinishedPurges) await this.#purge(number);
    } catch (error) {
      this.#commit = undefined;
      await this.#store.close();
      throw unavailable(error);
    }
  }

  async close(): Promise<void> {
    const commit = this.#commit;
    this.#commit = undefined;
    await commit?.drained();
    await this.#store.close();
  }

  create(meta: ContextMeta, checkpoint: Checkpoint): Promise<StoredSummary> {
    assert(checkpoint.seq === 0 && checkpoint.version === 0, "a context begins with checkpoint 0");
    return this.#decide(meta.id, async (slot) => {
      if (slot.live !== undefined) {
        await slot.settled;
        throw new ServiceError(
          "ALREADY_EXISTS",
          `There is a context "${meta.id}" already. Open it, or choose another id.`,
        );
      }
      const { live, ops, bytes } = newContext(this.#nextNumber++, { ...meta, epoch: slot.epoch + 1 }, checkpoint);
      slot.live = live;
      slot.epoch = live.meta.epoch;
      this.#refused.delete(meta.id);
      await this.#submit(slot, { kind: "ops", ops }, { entries: 1, bytes });
      return { meta: live.meta, head: live.stored.head };
    });
  }

  async append(
    contextId: ContextId,
    guard: Guard,
    entries: readonly NewEntry[],
    options: AppendOptions = {},
  ): Promise<AppendResult> {
    assertEntries(entries);
    const size = sizeOf(entries);
    try {
      return await this.#decide(contextId, (slot) => {
        if (this.#refused.has(contextId)) throw refusedBefore(contextId);
        const { live } = slot;
        if (live === undefined) return afterSettling(slot, () => Promise.reject(notFound(contextId)));
        if (!holds(guard, live.head))
          return afterSettling(slot, async () => ({ kind: "conflict", head: { ...live.stored.head } }));
        if (!this.#requireCommit().hasRoomFor(size.bytes)) {
          this.#refused.add(contextId); // At once: the next append may be smaller and come in this same turn.
          throw overloaded(this.#limits.appendQueueBytesMax);
        }
        return this.#append(slot, live, { entries, size, options });
      });
    } catch (error) {
      if (!(error instanceof ServiceError && error.code === "CONTEXT_NOT_FOUND")) this.#refused.add(contextId);
      throw error;
    }
  }

  async load(contextId: ContextId): Promise<StoredContext | undefined> {
    this.#refused.delete(contextId);
    return this.#read(contextId, (view) => reader.loadContext(view, contextId));
  }

  summary(contextId: ContextId): Promise<StoredSummary | undefined> {
    return this.#read(contextId, async (view) => {
      const found = await reader.findContext(view, contextId);
      return found && { meta: found.meta, head: found.stored.head };
    });
  }

  read(contextId: ContextId, afterSeq: number, limit: number): Promise<readonly LogEntry[]> {
    return this.#read(contextId, async (view) => {
      const found = await reader.findContext(view, contextId);
      return found === undefined ? [] : reader.entriesAfter(view, found, { seq: afterSeq, limit });
    });
  }

  readBackwards(contextId: ContextId, beforeSeq: number, limit: number): Promise<readonly LogEntry[]> {
    return this.#read(contextId, async (view) => {
      const found = await reader.findContext(view, contextId);
      return found === undefined ? [] : reader.entriesBefore(view, found, { seq: beforeSeq, limit });
    });
  }

  writeCheckpoint(contextId: ContextId, checkpoint: Checkpoint): Promise<void> {
    return this.#decide(contextId, async (slot) => {
      const { live } = slot;
      if (live === undefined) return;
      assert(checkpoint.seq <= live.head.seq, "a checkpoint cannot be ahead of its log");
      const size = { entries: 1, bytes: checkpoint.state.length };
      await this.#submit(slot, { kind: "checkpoint", live, checkpoint }, size);
    });
  }

  findIdempotent(contextId: ContextId, key: string, notBeforeMs: number): Promise<IdempotencyRecord | undefined> {
    return this.#read(contextId, async (view) => {
      const found = await reader.findContext(view, contextId);
      const record = found && (await reader.newestIdempotent(view, found, key));
      return record !== undefined && record.atMs >= notBeforeMs ? record : undefined;
    });
  }

  async forgetIdempotent(notBeforeMs: number): Promise<number> {
    const range = { ...keys.expiredBefore(notBeforeMs), limit: DELETE_STEP };
    const expired = await this.#view((view) => reader.keysOf(view, range));
    await this.#delete(expired.flatMap((key) => [key, keys.idempotencyKeyOf(key)]));
    return expired.length;
  }

  async list(after: ContextId | undefined, limit: number): Promise<readonly StoredSummary[]> {
    return this.#view((view) => reader.listContexts(view, after, limit));
  }

  remove(contextId: ContextId): Promise<boolean> {
    return this.#decide(contextId, async (slot) => {
      const { live } = slot;
      if (live === undefined) {
        await slot.settled;
        return false;
      }
      slot.live = undefined;
      await this.#submit(slot, { kind: "remove", contextId, live }, { entries: 1, bytes: 0 });
      await this.#purge(live.number);
      return true;
    });
  }

  async bytesOnDisk(contextId: ContextId): Promise<number> {
    return this.#read(contextId, async (view) => {
      const found = await reader.findContext(view, contextId);
      return found === undefined ? 0 : found.stored.logBytes + found.stored.checkpointBytes;
    });
  }

  async #append(
    slot: Slot,
    live: LiveContext,
    { entries, size, options }: { entries: readonly NewEntry[]; size: CommitSize; options: AppendOptions },
  ): Promise<AppendResult> {
    const placed = place(entries, live.head);
    const last = placed.at(-1);
    assert(last !== undefined);
    const { seq, version } = last;
    live.head = { ...live.head, seq, version, updatedAtMs: Math.max(live.head.updatedAtMs, last.atMs) };
    const idempotency = options.idempotency && { ...options.idempotency, version, atMs: last.atMs };
    await this.#submit(slot, { kind: "append", live, entries: placed, head: live.head, idempotency }, size);
    const { checkpointSeq, checkpointBytes, logBytes, coveredBytes } = live.stored;
    return {
      kind: "appended",
      entries: placed,
      tail: { entries: seq - checkpointSeq, bytes: logBytes - coveredBytes, checkpointBytes },
    };
  }

  /** Deletes what a removed context left, step by step; a crash in between is made up for by the next open. */
  async #purge(number: number): Promise<void> {
    for (const range of keys.ownedBy(number)) {
      let found: readonly Uint8Array[];
      do {
        found = await this.#view((view) => reader.keysOf(view, { ...range, limit: DELETE_STEP }));
        await this.#delete(found);
      } while (found.length > 0);
    }
    await this.#delete([keys.purgeKey(number)]);
  }

  async #delete(found: readonly Uint8Array[]): Promise<void> {
    if (found.length === 0) return;
    const ops = found.map((key) => ({ type: "del", key }) as const);
    await this.#requireCommit().submit({ kind: "ops", ops }, { entries: found.length, bytes: 0 });
  }

  async #decide<T>(contextId: ContextId, decide: (slot: Slot) => Promise<T>): Promise<T> {
    this.#requireCommit();
    return this.#slots.use(contextId, decide);
  }

  #submit(slot: Slot, work: LogWork, size: CommitSize): Promise<void> {
    const done = this.#requireCommit().submit(work, size);
    this.#slots.hold(slot, done);
    return done;
  }

  /** Reads after everything accepted before is durable (LOG-6). */
  async #read<T>(contextId: ContextId, use: (view: StoreView) => Promise<T>): Promise<T> {
    this.#requireCommit();
    if (this.#slots.has(contextId)) await this.#slots.use(contextId, (slot) => slot.settled);
    return this.#view(use);
  }

  async #view<T>(use: (view: StoreView) => Promise<T>): Promise<T> {
    this.#requireCommit();
    try {
      return await this.#store.view(use);
    } catch (error) {
      throw unavailable(error);
    }
  }

  #requireCommit(): GroupCommit<LogWork> {
    const commit = this.#commit;
    if (commit === undefined)
      throw new ServiceError("STORE_UNAVAILABLE", "The log is closed. Try again when the server is ready.");
    if (commit.failure !== undefined) throw commit.failure;
    return commit;
  }

  #newCommit(): GroupCommit<LogWork> {
    const write = (works: readonly LogWork[]): Promise<void> =>
      this.#store.batch(new CommitEncoder().encode(works), { sync: true });
    return new GroupCommit({ clock: this.#clock, limits: this.#limits, write });
  }

  #newSlots(): ContextSlots {
    return new ContextSlots((id) => this.#view((view) => reader.readSlot(view, id)), this.#limits.idleHeadsMax);
  }
}

function newContext(
  number: number,
  meta: ContextMeta,
  checkpoint: Checkpoint,
): { readonly live: LiveContext; readonly ops: readonly StoreOp[]; readonly bytes: number } {
  const head: ContextHead = { seq: 0, version: 0, lockSeq: 0, updatedAtMs: meta.createdAtMs };
  const checkpointKey = keys.checkpointKey(number, 0);
  const value = encodeCheckpoint(checkpointKey, checkpoint);
  const stored: HeadRecord = { head, checkpointSeq: 0, checkpointBytes: value.length, logBytes: 0, coveredBytes: 0 };
  const contextKey = keys.contextKey(meta.id);
  const headKey = keys.headKey(number);
  const ops: readonly StoreOp[] = [
    { type: "put", key: contextKey, value: encodeContext(contextKey, { number, meta }) },
    { type: "put", key: headKey, value: encodeHead(headKey, stored) },
    { type: "put", key: checkpointKey, value },
    { type: "del", key: keys.epochKey(meta.id) },
  ];
  return { live: { number, meta, head, stored, isErased: false }, ops, bytes: value.length };
}

/** Gives each entry its place. Changes and voids cannot alter admission, so lockSeq stays where it is. */
function place(entries: readonly NewEntry[], head: ContextHead): readonly LogEntry[] {
  let { seq, version } = head;
  return entries.map((entry) => {
    seq++;
    if (entry.kind === "change") version++;
    // written out: a spread of objects with and without a message costs microseconds each
    const { kind, actor, atMs, origin, paths, update, message } = entry;
    return message === undefined
      ? { kind, seq, version, actor, atMs, origin, paths, update }
      : { kind, seq, version, actor, atMs, origin, paths, update, message };
  });
}

function holds(guard: Guard, head: ContextHead): boolean {
  return "seq" in guard ? guard.seq === head.seq : guard.lockSeq === head.lockSeq;
}

/** An answer that shows what others did must not come before that is durable. */
async function afterSettling<T>(slot: Slot, answer: () => Promise<T>): Promise<T> {
  await slot.settled;
  return answer();
}

/** Programmer errors must show here, not in the commit, where they would stop the log. */
function assertEntries(entries: readonly NewEntry[]): void {
  assert(entries.length > 0, "an append has at least one entry");
  for (const { atMs } of entries)
    assert(Number.isSafeInteger(atMs) && atMs >= 0, "atMs is a whole number of milliseconds");
}

function sizeOf(entries: readonly NewEntry[]): CommitSize {
  let bytes = 0;
  for (const entry of entries) bytes += entry.update.length + ENTRY_OVERHEAD_BYTES;
  return { entries: entries.length, bytes };
}

/** Whatever the store threw that is not a ServiceError already. */
function unavailable(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  return new ServiceError("STORE_UNAVAILABLE", "The log cannot be read or opened now. Try again in a moment.", {
    cause: error,
  });
}

function notFound(contextId: ContextId): ServiceError {
  return new ServiceError("CONTEXT_NOT_FOUND", `There is no context "${contextId}". Create it first.`);
}

function overloaded(limitBytes: number): ServiceError {
  const message = "Too many changes wait for the disk. Nothing was written: try again in a moment.";
  return new ServiceError("STORE_UNAVAILABLE", message, { details: { limitBytes } });
}

function refusedBefore(contextId: ContextId): ServiceError {
  return new ServiceError(
    "STORE_UNAVAILABLE",
    `An earlier change to "${contextId}" was refused; load the context and try again.`,
  );
}
