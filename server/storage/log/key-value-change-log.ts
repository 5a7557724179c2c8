/**
 * The log of all contexts over an ordered store: keys and values as in log-keys.ts, writes through one group commit.
 *
 * Invariants: those of the port (change-log.ts), and
 *  1. The entries of one context in one commit are one record, a run (decision 0003); its head is in the same batch.
 *  2. `head` and `meta` in memory may run ahead of the disk; what is shown may not.
 *
 * Not here: caching of documents, when a checkpoint is due, reopening (storage-manager.ts).
 */
import { ok as assert } from "node:assert/strict";
import type { ContextMeta } from "../../../shared/context.ts";
import { ServiceError } from "../../../shared/errors.ts";
import type { ContextId } from "../../../shared/ids.ts";
import type { JsonObject } from "../../../shared/json.ts";
import { contextNotFound } from "../../state/context-not-found.ts";
import type {
  AppendOptions,
  AppendResult,
  ChangeLog,
  Checkpoint,
  CheckpointInfo,
  Collection,
  ContextTurn,
  FirstCheckpoint,
  Guard,
  Hint,
  IdempotencyRecord,
  ListedContext,
  LogDump,
  LogEntry,
  NewEntry,
  RecordQuery,
  RecordWrite,
  SideRecord,
  StoredContext,
  StoredNews,
  StoredSummary,
} from "../change-log.ts";
import type { EngineStats } from "../../../shared/monitoring.ts";
import type { Peers } from "../peers.ts";
import type { StoreOp, StoreRange, StoreView } from "../store/store.ts";
import type { LiveContext, Slot } from "./context-slots.ts";
import { bytesOf, sizeOf, tailOf } from "./head-record.ts";
import { LogCheckpoints, type CheckpointOptions } from "./log-checkpoints.ts";
import { deleteKeys, DELETE_STEP, purge } from "./deletion.ts";
import type { LogCore } from "./log-core.ts";
import * as errors from "./log-errors.ts";
import * as keys from "./log-keys.ts";
import * as reader from "./log-reader.ts";
import { assertEntries, holds, place, sizeOfEntries, type Placement } from "./placement.ts";
import { bytesOfOps, contextOp, idempotencyOps, newContext, sideRecordOps } from "./record-ops.ts";
import { SideRecords } from "./side-records.ts";

export class KeyValueChangeLog implements ChangeLog {
  readonly peers: Peers | undefined = undefined;
  readonly #core: LogCore;
  readonly #checkpoints: LogCheckpoints;
  readonly #records: SideRecords;
  /** Contexts whose caller was refused an append and has not loaded again (LOG-5); they outlive close() and open(). */
  readonly #refused = new Set<ContextId>();

  constructor(core: LogCore) {
    this.#core = core;
    this.#checkpoints = new LogCheckpoints(this.#core);
    this.#records = new SideRecords(this.#core);
  }

  get nodeClientId(): number {
    return this.#core.nodeClientId;
  }

  get hasFailed(): boolean {
    return this.#core.hasFailed;
  }

  get isShared(): boolean {
    return this.#core.isShared;
  }

  get engine(): EngineStats | undefined {
    return undefined;
  }

  get nodeSlot(): number {
    return this.#core.nodeSlot;
  }

  onHint(listener: (hint: Hint) => void): void {
    this.#core.onHint(listener);
  }

  open(): Promise<void> {
    return this.#core.open();
  }

  close(): Promise<void> {
    return this.#core.close();
  }

  create(meta: ContextMeta, checkpoint: FirstCheckpoint): Promise<StoredSummary> {
    assert(checkpoint.seq === 0 && checkpoint.version === 0, "a context begins with checkpoint 0");
    assert(checkpoint.authorSalt === meta.authorSalt, "checkpoint and metadata are of one epoch");
    return this.#core.decide(meta.id, async (slot) => {
      if (slot.live !== undefined) {
        await slot.settled;
        throw errors.alreadyExists(meta.id);
      }
      const epoch = slot.epoch + 1;
      const { live, ops } = newContext(this.#core.takeNumber(), { ...meta, epoch, firstEpoch: epoch }, checkpoint);
      const created = { meta: live.meta, head: live.head };
      slot.live = live;
      slot.epoch = epoch;
      this.#refused.delete(meta.id);
      await this.#core.submit(slot, { kind: "ops", ops }, { entries: 1, bytes: bytesOfOps(ops) });
      return created;
    });
  }

  async append(
    contextId: ContextId,
    guard: Guard,
    entries: readonly NewEntry[],
    options: AppendOptions = {},
  ): Promise<AppendResult> {
    assertEntries(entries);
    try {
      const decide = (slot: Slot): Promise<AppendResult> => this.#decideAppend(slot, guard, entries, options);
      return await this.#core.decide(contextId, decide, sizeOfEntries(entries));
    } catch (error) {
      if (!(error instanceof ServiceError && error.code === "CONTEXT_NOT_FOUND")) this.#refused.add(contextId);
      throw error;
    }
  }

  async turn(contextId: ContextId, turn: ContextTurn): Promise<void> {
    if (this.#refused.has(contextId)) throw errors.refusedBefore(contextId);
    await this.#core.turn(contextId, turn);
  }

  load(contextId: ContextId): Promise<StoredContext | undefined> {
    this.#refused.delete(contextId);
    return this.#core.read<StoredContext | undefined>(contextId, undefined, reader.loadContext);
  }

  summary(contextId: ContextId): Promise<StoredSummary | undefined> {
    return this.#core.read<StoredSummary | undefined>(contextId, undefined, (_, { meta, stored }) => ({
      meta,
      head: stored.head,
    }));
  }

  heads(contextIds: readonly ContextId[]): Promise<ReadonlyMap<ContextId, number>> {
    return this.#core.view((view) => reader.headsOf(view, contextIds));
  }

  read(contextId: ContextId, afterSeq: number, limit: number): Promise<readonly LogEntry[]> {
    const read = (view: StoreView, found: reader.FoundContext): Promise<readonly LogEntry[]> =>
      reader.entriesAfter(view, found, { seq: afterSeq, limit });
    return this.#core.read<readonly LogEntry[]>(contextId, [], read, (number) => reader.runsAfter(number, afterSeq));
  }

  news(contextId: ContextId, afterSeq: number, limit: number): Promise<StoredNews | undefined> {
    const read = async (view: StoreView, found: reader.FoundContext): Promise<StoredNews> => {
      const { meta, stored } = found;
      const isBehind = afterSeq < stored.head.seq;
      const entries = isBehind ? await reader.entriesAfter(view, found, { seq: afterSeq, limit }) : [];
      return { meta, head: stored.head, entries };
    };
    const foresee = (number: number): StoreRange => reader.runsAfter(number, afterSeq);
    return this.#core.read<StoredNews | undefined>(contextId, undefined, read, foresee);
  }

  readBackwards(contextId: ContextId, beforeSeq: number, limit: number): Promise<readonly LogEntry[]> {
    return this.#core.read<readonly LogEntry[]>(contextId, [], (view, found) =>
      reader.entriesBefore(view, found, { seq: beforeSeq, limit }),
    );
  }

  writeCheckpoint(contextId: ContextId, checkpoint: Checkpoint, options?: CheckpointOptions): Promise<void> {
    return this.#checkpoints.write(contextId, checkpoint, options);
  }

  releaseCheckpoint(contextId: ContextId, seq: number, records?: readonly RecordWrite[]): Promise<void> {
    return this.#checkpoints.release(contextId, seq, records);
  }

  checkpoints(contextId: ContextId): Promise<readonly CheckpointInfo[]> {
    return this.#checkpoints.list(contextId);
  }

  checkpointBefore(contextId: ContextId, seq: number): Promise<Checkpoint | undefined> {
    return this.#checkpoints.newestUpTo(contextId, seq);
  }

  trim(contextId: ContextId, base: Checkpoint): Promise<void> {
    return this.#checkpoints.trim(contextId, base);
  }

  findIdempotent(contextId: ContextId, key: string, notBeforeMs: number): Promise<IdempotencyRecord | undefined> {
    return this.#core.read<IdempotencyRecord | undefined>(contextId, undefined, async (view, found) => {
      const record = await reader.newestIdempotent(view, found, key);
      return record !== undefined && record.atMs >= notBeforeMs ? record : undefined;
    });
  }

  recordIdempotent(contextId: ContextId, record: IdempotencyRecord): Promise<void> {
    return this.#core.decide(contextId, async (slot) => {
      // What its caller holds of the context may contain the append that was refused.
      if (this.#refused.has(contextId)) throw errors.refusedBefore(contextId);
      const { number } = slot.live ?? (await absent(slot));
      const ops = idempotencyOps(number, record);
      await this.#core.submit(slot, { kind: "ops", ops }, { entries: 1, bytes: bytesOfOps(ops) });
    });
  }

  async forgetIdempotent(notBeforeMs: number): Promise<number> {
    const range = { ...keys.expiredBefore(notBeforeMs), limit: DELETE_STEP };
    const expired = await this.#core.view((view) => reader.keysOf(view, range));
    await deleteKeys(
      this.#core,
      expired.flatMap((key) => [key, keys.idempotencyKeyOf(key)]),
    );
    return expired.length;
  }

  writeRecords(contextId: ContextId | undefined, writes: readonly RecordWrite[]): Promise<void> {
    return this.#records.write(contextId, writes);
  }

  readRecord(contextId: ContextId | undefined, collection: Collection, key: string): Promise<JsonObject | undefined> {
    return this.#records.read(contextId, collection, key);
  }

  listRecords(
    contextId: ContextId | undefined,
    collection: Collection,
    query: RecordQuery,
  ): Promise<readonly SideRecord[]> {
    return this.#records.list(contextId, collection, query);
  }

  async list(after: ContextId | undefined, limit: number): Promise<readonly ListedContext[]> {
    return this.#core.view((view) => reader.listContexts(view, after, limit));
  }

  remove(contextId: ContextId): Promise<boolean> {
    return this.#core.decide(contextId, async (slot) => {
      const { live } = slot;
      if (live === undefined) {
        await slot.settled;
        return false;
      }
      slot.live = undefined;
      await this.#core.submit(slot, { kind: "remove", contextId, live }, { entries: 1, bytes: 0 });
      await purge(this.#core, live.number);
      return true;
    });
  }

  bytesOnDisk(contextId: ContextId): Promise<number> {
    return this.#core.read(contextId, 0, (_, { stored }) => bytesOf(stored));
  }

  dump(dump: LogDump): Promise<void> {
    return this.#core.view((view) => reader.dumpAll(view, dump));
  }

  async #decideAppend(
    slot: Slot,
    guard: Guard,
    entries: readonly NewEntry[],
    options: AppendOptions,
  ): Promise<AppendResult> {
    if (this.#refused.has(slot.id)) throw errors.refusedBefore(slot.id);
    const live = slot.live ?? (await absent(slot));
    if (!holds(guard, live.head)) {
      await slot.settled; // What others did must not be shown before it is durable.
      return { kind: "conflict", head: { ...live.stored.head } };
    }
    const { entries: count, bytes } = sizeOfEntries(entries);
    try {
      this.#core.requireRoomFor(bytes);
    } catch (error) {
      this.#refused.add(slot.id); // At once: the next append may be smaller and come in this same turn.
      throw error;
    }
    const placed = place(entries, live);
    const ops = opsBeside(live, placed, options);
    slot.epoch = placed.meta.epoch;
    live.meta = placed.meta;
    live.head = placed.head;
    const work = { kind: "append", live, entries: placed.entries, head: placed.head, ops } as const;
    await this.#core.submit(slot, work, { entries: count, bytes: bytes + bytesOfOps(ops) });
    return { kind: "appended", entries: placed.entries, tail: tailOf(live.stored), size: sizeOf(live.stored) };
  }
}

/** What becomes durable in the batch of an append beside its entries. */
function opsBeside(live: LiveContext, placed: Placement, { idempotency, records }: AppendOptions): readonly StoreOp[] {
  const { entries, head, meta } = placed;
  const { number } = live;
  const ops: StoreOp[] = meta === live.meta ? [] : [contextOp({ number, meta })];
  const last = entries.at(-1);
  if (idempotency !== undefined && last !== undefined) {
    const { seq, paths, atMs } = last;
    ops.push(...idempotencyOps(number, { ...idempotency, version: head.version, seq, paths, atMs }));
  }
  if (records !== undefined) ops.push(...sideRecordOps(number, records(entries)));
  return ops;
}

/** Not before what others did is durable, like every answer that shows it. @throws {ServiceError} CONTEXT_NOT_FOUND */
async function absent(slot: Slot): Promise<never> {
  await slot.settled;
  throw contextNotFound();
}
