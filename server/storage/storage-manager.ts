/**
 * The log as the server uses it: cached, checkpointed, and brought back after a failure.
 *
 * Invariants:
 *  1. After a failed write nothing is acknowledged until the log was closed, opened, and has proven that it can be written.
 *  2. `load` is consistent with every append accepted before it.
 *  3. Checkpoints are made and history is dropped beside the traffic; that one fails costs time or space, nothing else.
 *
 * Not here: what an entry means; documents in memory (state/state-manager.ts).
 */
import type { ContextMeta } from "../../shared/context.ts";
import { ServiceError, toServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS, type Limits } from "../../shared/limits.ts";
import type { RetentionPolicy } from "../state/retention.ts";
import type { Clock } from "../clock.ts";
import { NO_MONITOR } from "../monitor-port.ts";
import type { Monitor } from "../monitor-port.ts";
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
  LogEntry,
  NewEntry,
  RecordQuery,
  RecordWrite,
  SideRecord,
  StoredContext,
  StoredNews,
  StoredSummary,
} from "./change-log.ts";
import { sendBackup } from "./backup/backup-stream.ts";
import type { CheckpointBuilder } from "./checkpoint/checkpoint.ts";
import { CheckpointPool } from "./checkpoint/checkpoint-pool.ts";
import { CheckpointScheduler } from "./checkpoint/checkpoint-scheduler.ts";
import { ContextCache } from "./context-cache.ts";
import { LogRecovery } from "./log-recovery.ts";
import { PendingAppends } from "./pending-appends.ts";
import { RecordWatch } from "./record-watch.ts";
import { RestoredContexts } from "./restored-contexts.ts";
import { RetentionScheduler } from "./retention/retention-scheduler.ts";
import { SizeWatch } from "./retention/size-watch.ts";
import type { StorageFailures, StorageStatus } from "./storage-status.ts";

export interface StorageLogger {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface StorageManagerOptions {
  readonly log: ChangeLog;
  readonly clock: Clock;
  readonly limits?: Limits;
  readonly logger?: StorageLogger;
  readonly monitor?: Monitor;
  /** A worker thread unless given. */
  readonly checkpoints?: CheckpointBuilder;
  /** How much history is kept; bounded in bytes unless given. */
  readonly retention?: RetentionPolicy;
}

/** How often what is old is looked for: cached contexts, idempotency records. */
const HOUSEKEEPING_MS = 60_000;

export class StorageManager {
  readonly records: RecordWatch;
  readonly #log: ChangeLog;
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #logger: StorageLogger | undefined;
  readonly #monitor: Monitor;
  readonly #cache: ContextCache;
  readonly #pending: PendingAppends;
  readonly #checkpoints: CheckpointScheduler;
  readonly #retention: RetentionScheduler;
  readonly #restored: RestoredContexts;
  readonly #sizes: SizeWatch;
  readonly #recovery: LogRecovery;
  readonly #failureListeners = new Set<(contextIds: readonly ContextId[]) => void>();
  readonly #recoveryListeners = new Set<() => void>();
  readonly #shrinkListeners = new Set<(contextId: ContextId, bytes: number) => void>();
  #failures: StorageFailures = { count: 0, reason: "" };
  #cancelHousekeeping: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: StorageManagerOptions) {
    const { log, clock, limits = LIMITS, logger, monitor = NO_MONITOR } = options;
    const { checkpoints: builder = new CheckpointPool(monitor) } = options;
    this.#log = log;
    this.#clock = clock;
    this.#limits = limits;
    this.#logger = logger;
    this.#monitor = monitor;
    this.#cache = new ContextCache(clock, limits);
    this.#pending = new PendingAppends(clock);
    this.#recovery = new LogRecovery({ log, clock, limits, onRecovered: () => this.#recovered() });
    this.#restored = new RestoredContexts({ log, builder, clock });
    this.#checkpoints = new CheckpointScheduler({
      builder,
      limits,
      nodeClientId: () => log.nodeClientId,
      load: (id) => this.load(id),
      write: async (id, checkpoint) => {
        await this.writeCheckpoint(id, checkpoint);
        monitor.checkpointed(true);
      },
      onError: (id, error) => {
        monitor.checkpointed(false);
        this.#warn("A checkpoint could not be made; the next load of the context takes longer.", id, { error });
      },
    });
    this.#retention = new RetentionScheduler({
      policy: options.retention ?? { bytesMax: limits.historyBytesMax },
      builder,
      limits,
      log: this,
      nodeClientId: () => log.nodeClientId,
      nowMs: () => clock.nowMs(),
      onThinned: (contextId, versions) => logger?.info("Old history was dropped.", { contextId, ...versions }),
      onError: (id, error) => this.#warn("Old history could not be dropped; it will be tried again.", id, { error }),
    });
    this.#sizes = new SizeWatch(limits.contextStorageBytesWarn);
    this.records = new RecordWatch({
      log,
      clock,
      onError: (error) => {
        if (this.#isFailing(error)) return;
        logger?.warn("What other servers wrote could not be read; it is tried again.", { error });
      },
    });
  }

  get nodeClientId(): number {
    return this.#log.nodeClientId;
  }

  get nodeSlot(): number {
    return this.#log.nodeSlot;
  }

  get isShared(): boolean {
    return this.#log.isShared;
  }

  onHint(listener: (hint: Hint) => void): void {
    this.#log.onHint(listener);
  }

  /** @throws {ServiceError} DATA_DIR_LOCKED, DATA_DAMAGED, DATA_FORMAT_NEWER, STORE_UNAVAILABLE */
  async start(): Promise<void> {
    await this.#log.open();
    try {
      await this.#restored.opened();
    } catch (error) {
      await this.#log.close();
      throw error;
    }
    this.#recovery.started();
    this.records.start();
    this.#keepHouse();
  }

  /** Refuses new work, finishes what was accepted, releases the store. The same promise for every caller. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  get failures(): StorageFailures {
    return this.#failures;
  }

  status(): StorageStatus {
    const { queueBytes, lagMs } = this.#pending;
    const { available, lastError, failedAtMs } = this.#recovery;
    const { engine } = this.#log;
    return {
      available: available && this.#closing === undefined,
      ...(lastError === undefined ? {} : { lastError }),
      ...(failedAtMs === undefined ? {} : { failedAtMs }),
      queueBytes,
      lagMs,
      ...(engine === undefined ? {} : { engine }),
    };
  }

  /** Called once for each failure with the contexts whose appends have an unknown outcome: drop them and load again. */
  onFailure(listener: (contextIds: readonly ContextId[]) => void): () => void {
    this.#failureListeners.add(listener);
    return () => void this.#failureListeners.delete(listener);
  }

  onRecovered(listener: () => void): () => void {
    this.#recoveryListeners.add(listener);
    return () => void this.#recoveryListeners.delete(listener);
  }

  /** Called with what a context takes on disk when some of that was dropped; what appends add they say themselves. */
  onShrunk(listener: (contextId: ContextId, bytes: number) => void): () => void {
    this.#shrinkListeners.add(listener);
    return () => void this.#shrinkListeners.delete(listener);
  }

  /** Resolves when no checkpoint is being made and no history dropped. */
  async settled(): Promise<void> {
    await this.#checkpoints.settled();
    await this.#retention.settled();
  }

  async create(meta: ContextMeta, first: FirstCheckpoint): Promise<StoredSummary> {
    const creating = this.#guarded(() => this.#log.create(meta, first));
    await this.#cache.fill(meta.id, async () => {
      const summary = await creating;
      const checkpoint = { ...first, firstEpoch: summary.meta.firstEpoch };
      const size = { bytes: first.state.length, logBytes: 0, baseSeq: 0, baseVersion: 0 };
      return { ...summary, checkpoint, tail: [], size };
    });
    return creating;
  }

  async append(
    contextId: ContextId,
    guard: Guard,
    entries: readonly NewEntry[],
    options?: AppendOptions,
  ): Promise<AppendResult> {
    const done = this.#pending.begin(contextId, entries);
    try {
      const result = await this.#guarded(() => this.#log.append(contextId, guard, entries, options));
      if (result.kind === "appended") this.#appended(contextId, result);
      return result;
    } catch (error) {
      this.#cache.delete(contextId);
      throw error;
    } finally {
      done();
    }
  }

  turn(contextId: ContextId, turn: ContextTurn): Promise<void> {
    return this.#guarded(() => this.#log.turn(contextId, turn));
  }

  async load(contextId: ContextId): Promise<StoredContext | undefined> {
    await this.#pending.settled(contextId);
    if (!this.#recovery.available) throw reopening();
    if (this.#log.isShared) await this.#forgetOld(contextId);
    const cached = this.#cache.get(contextId);
    this.#monitor.cacheRead("contexts", cached !== undefined);
    if (cached !== undefined) return cached;
    const loaded = await this.#cache.fill(contextId, () =>
      this.#guarded(() => this.#restored.load(contextId), contextId),
    );
    this.#monitor.undamaged(contextId);
    return loaded;
  }

  heads(contextIds: readonly ContextId[]): Promise<ReadonlyMap<ContextId, number>> {
    return this.#guarded(() => this.#log.heads(contextIds));
  }

  summary(contextId: ContextId): Promise<StoredSummary | undefined> {
    return this.#guarded(() => this.#log.summary(contextId), contextId);
  }

  read(contextId: ContextId, afterSeq: number, limit: number): Promise<readonly LogEntry[]> {
    return this.#guarded(() => this.#log.read(contextId, afterSeq, limit), contextId);
  }

  news(contextId: ContextId, afterSeq: number, limit: number): Promise<StoredNews | undefined> {
    return this.#guarded(() => this.#log.news(contextId, afterSeq, limit), contextId);
  }

  readBackwards(contextId: ContextId, beforeSeq: number, limit: number): Promise<readonly LogEntry[]> {
    return this.#guarded(() => this.#log.readBackwards(contextId, beforeSeq, limit), contextId);
  }

  /** Those that shorten a cold load are written without being asked for. */
  async writeCheckpoint(
    contextId: ContextId,
    checkpoint: Checkpoint,
    options: { readonly isKept?: boolean; readonly records?: readonly RecordWrite[] } = {},
  ): Promise<void> {
    await this.#guarded(() => this.#log.writeCheckpoint(contextId, checkpoint, options));
    if (options.isKept === true) this.#cache.delete(contextId);
    else this.#cache.advance(contextId, checkpoint);
  }

  async releaseCheckpoint(contextId: ContextId, seq: number, records?: readonly RecordWrite[]): Promise<void> {
    await this.#guarded(() => this.#log.releaseCheckpoint(contextId, seq, records));
    this.#cache.delete(contextId);
    await this.#shrunk(contextId);
  }

  checkpoints(contextId: ContextId): Promise<readonly CheckpointInfo[]> {
    return this.#guarded(() => this.#log.checkpoints(contextId));
  }

  checkpointBefore(contextId: ContextId, seq: number): Promise<Checkpoint | undefined> {
    return this.#guarded(() => this.#log.checkpointBefore(contextId, seq), contextId);
  }

  async trim(contextId: ContextId, base: Checkpoint): Promise<void> {
    try {
      await this.#guarded(() => this.#log.trim(contextId, base));
    } finally {
      this.#cache.delete(contextId);
    }
    await this.#shrunk(contextId);
  }

  findIdempotent(contextId: ContextId, key: string, notBeforeMs: number): Promise<IdempotencyRecord | undefined> {
    return this.#guarded(() => this.#log.findIdempotent(contextId, key, notBeforeMs));
  }

  recordIdempotent(contextId: ContextId, record: IdempotencyRecord): Promise<void> {
    return this.#guarded(() => this.#log.recordIdempotent(contextId, record));
  }

  writeRecords(contextId: ContextId | undefined, writes: readonly RecordWrite[]): Promise<void> {
    return this.#guarded(() => this.records.write(contextId, writes));
  }

  readRecord(contextId: ContextId | undefined, collection: Collection, key: string): Promise<JsonObject | undefined> {
    return this.#guarded(() => this.#log.readRecord(contextId, collection, key));
  }

  listRecords(
    contextId: ContextId | undefined,
    collection: Collection,
    query: RecordQuery,
  ): Promise<readonly SideRecord[]> {
    return this.#guarded(() => this.#log.listRecords(contextId, collection, query));
  }

  list(after: ContextId | undefined, limit: number): Promise<readonly ListedContext[]> {
    return this.#guarded(() => this.#log.list(after, limit));
  }

  async remove(contextId: ContextId): Promise<boolean> {
    try {
      const isRemoved = await this.#guarded(() => this.#log.remove(contextId));
      this.#monitor.undamaged(contextId);
      return isRemoved;
    } finally {
      this.#cache.delete(contextId);
      this.#checkpoints.forget(contextId);
      this.#retention.forget(contextId);
      this.#sizes.forget(contextId);
    }
  }

  bytesOnDisk(contextId: ContextId): Promise<number> {
    return this.#guarded(() => this.#log.bytesOnDisk(contextId));
  }

  /** All that is acknowledged by now, in the frames of backup-stream.ts. @throws {ServiceError} STORE_UNAVAILABLE; what `write` throws */
  backup(write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
    return this.#guarded(() => sendBackup(this.#log, this.#clock.nowMs(), write));
  }

  /** Every call of the log goes through here: a failed write, and damage, must be seen whoever met it. */
  async #guarded<T>(call: () => Promise<T>, contextId?: ContextId): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (toServiceError(error).code === "DATA_DAMAGED") this.#monitor.damaged(contextId);
      this.#isFailing(error);
      throw error;
    }
  }

  /** The log is closed and opened again: it begins now, or has begun. */
  #isFailing(error: unknown): boolean {
    if (this.#log.hasFailed && this.#recovery.available) this.#failed(error);
    return !this.#recovery.available;
  }

  /** What others appended to a context is not in the cache. */
  async #forgetOld(contextId: ContextId): Promise<void> {
    const cached = this.#cache.get(contextId);
    if (cached === undefined) return;
    const now = await this.summary(contextId);
    const isSame = now?.head.seq === cached.head.seq && now.meta.firstEpoch === cached.meta.firstEpoch;
    if (!isSame) this.#cache.delete(contextId);
  }

  #failed(error: unknown): void {
    const affected = this.#pending.contextIds();
    this.#cache.clear();
    this.#recovery.begin(error);
    this.#failures = { count: this.#failures.count + 1, reason: this.#recovery.lastError ?? "" };
    this.#logger?.error("A write failed. Nothing is acknowledged until the log is open again.", {
      error: this.#recovery.lastError,
      affected: affected.length,
    });
    for (const listener of this.#failureListeners) listener(affected);
  }

  #recovered(): void {
    this.#logger?.info("The log is open again.");
    for (const listener of this.#recoveryListeners) listener();
  }

  #appended(contextId: ContextId, result: Extract<AppendResult, { kind: "appended" }>): void {
    this.#cache.append(contextId, result);
    this.#checkpoints.appended(contextId, result);
    this.#retention.appended(contextId, result);
    const { size } = result;
    if (!this.#sizes.isNewlyLarge(contextId, size)) return;
    const limitBytes = this.#limits.contextStorageBytesMax;
    this.#warn("A context comes close to what one may take on disk; at the limit its writes are refused.", contextId, {
      bytes: size.bytes,
      limitBytes,
    });
  }

  /** It is dropped already: that its size cannot be read now is no failure, the next append says it. */
  async #shrunk(contextId: ContextId): Promise<void> {
    const bytes = await this.bytesOnDisk(contextId).catch(() => undefined);
    if (bytes === undefined) return;
    for (const listener of this.#shrinkListeners) listener(contextId, bytes);
  }

  /** Nothing while the log is being reopened: that is the reason, and it was told. */
  #warn(message: string, contextId: ContextId, fields: Readonly<Record<string, unknown>>): void {
    if (this.#recovery.available) this.#logger?.warn(message, { contextId, ...fields });
  }

  /** Timers repeat by being set again, so that a slow round never overlaps the next. */
  #keepHouse(): void {
    this.#cancelHousekeeping = this.#clock.setTimer(HOUSEKEEPING_MS, () => void this.#tidy());
  }

  async #tidy(): Promise<void> {
    this.#cache.purge();
    try {
      const notBeforeMs = Math.max(0, this.#clock.nowMs() - this.#limits.idempotencyTtlMs);
      const forgetSome = (): Promise<number> => this.#guarded(() => this.#log.forgetIdempotent(notBeforeMs));
      while (this.#recovery.available && (await forgetSome()) > 0);
    } catch (error) {
      this.#logger?.warn("Old idempotency records could not be deleted.", { error });
    }
    try {
      if (this.#recovery.available) await this.#retention.look();
    } catch (error) {
      this.#logger?.warn("The age of histories could not be looked at.", { error });
    }
    if (this.#closing === undefined) this.#keepHouse();
  }

  async #close(): Promise<void> {
    this.#cancelHousekeeping?.();
    await this.#recovery.stop();
    await this.records.stop();
    await this.#pending.allSettled();
    await this.#retention.close();
    await this.#checkpoints.close();
    await this.#log.close();
    this.#cache.clear();
  }
}

function reopening(): ServiceError {
  const message = "The log is being reopened after a failed write. Try again in a moment.";
  return new ServiceError("STORE_UNAVAILABLE", message);
}
