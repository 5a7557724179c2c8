/**
 * Adaptive group commit: while one batch is on its way to the disk the next one forms; an idle writer starts at the end of the turn.
 *
 * So a lone writer waits for one sync, and under load a batch grows with the time the disk takes: no window to tune (docs/yjs.md Y23).
 *
 * Invariants (COMMIT):
 *  1. Items are written in the order of submit, one batch at a time; a promise resolves after the batch that holds its item is durable.
 *  2. After the first failed batch every waiting and every later item is rejected with STORE_UNAVAILABLE; nothing more is written.
 *  3. A batch stays within commitEntriesMax and commitBytesMax, unless a single item is larger.
 *
 * Not here: what a batch is made of; reopening (storage-manager.ts).
 */
import type { Clock } from "../../clock.ts";
import { NO_MONITOR } from "../../monitor-port.ts";
import type { Monitor } from "../../monitor-port.ts";
import { ServiceError } from "../../../shared/errors.ts";
import type { Limits } from "../../../shared/limits.ts";

export interface CommitSize {
  readonly entries: number;
  readonly bytes: number;
}

export interface GroupCommitOptions<T> {
  readonly clock: Clock;
  readonly limits: Pick<Limits, "commitEntriesMax" | "commitBytesMax" | "appendQueueBytesMax">;
  readonly monitor?: Pick<Monitor, "committed" | "commitFailed"> | undefined;
  /** Writes the items atomically and durably. Called again only after it settled. */
  write(items: readonly T[]): Promise<void>;
}

interface Waiting<T> {
  readonly item: T;
  readonly size: CommitSize;
  resolve(): void;
  reject(error: ServiceError): void;
}

export class GroupCommit<T> {
  readonly #options: GroupCommitOptions<T>;
  readonly #monitor: Pick<Monitor, "committed" | "commitFailed">;
  #queue: Waiting<T>[] = [];
  #queueBytes = 0;
  #isWriting = false;
  #isScheduled = false;
  #failure: ServiceError | undefined;
  readonly #drainWaiters: (() => void)[] = [];

  constructor(options: GroupCommitOptions<T>) {
    this.#options = options;
    this.#monitor = options.monitor ?? NO_MONITOR;
  }

  /** The first failure; it stays. */
  get failure(): ServiceError | undefined {
    return this.#failure;
  }

  /** False when `bytes` more would pass the bound of the queue. Ask before deciding anything that submit would make true. */
  hasRoomFor(bytes: number): boolean {
    return this.#queue.length === 0 || this.#queueBytes + bytes <= this.#options.limits.appendQueueBytesMax;
  }

  /** @throws {ServiceError} STORE_UNAVAILABLE when this or an earlier batch failed: its outcome is unknown */
  submit(item: T, size: CommitSize): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#queue.push({ item, size, resolve, reject });
      this.#queueBytes += size.bytes;
      this.#schedule();
    });
  }

  /** Resolves when nothing waits or is being written, be it written or refused. */
  drained(): Promise<void> {
    if (!this.#isWriting && this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => void this.#drainWaiters.push(resolve));
  }

  /** Also after a batch: those whom it answered get this turn to join the next one. */
  #schedule(): void {
    if (this.#isWriting || this.#isScheduled || this.#queue.length === 0) return;
    this.#isScheduled = true;
    this.#options.clock.defer(() => {
      this.#isScheduled = false;
      void this.#writeBatch();
    });
  }

  async #writeBatch(): Promise<void> {
    const { clock } = this.#options;
    const batch = this.#takeBatch();
    const startedAtMs = clock.monotonicMs();
    this.#isWriting = true;
    try {
      await this.#options.write(batch.map((waiting) => waiting.item));
      this.#monitor.committed({ ...sumOf(batch), durationMs: clock.monotonicMs() - startedAtMs });
      for (const waiting of batch) waiting.resolve();
    } catch (error) {
      this.#monitor.commitFailed();
      this.#fail(error, batch);
    }
    this.#isWriting = false;
    this.#schedule();
    if (this.#queue.length === 0) for (const resolve of this.#drainWaiters.splice(0)) resolve();
  }

  #takeBatch(): readonly Waiting<T>[] {
    const { commitEntriesMax, commitBytesMax } = this.#options.limits;
    let entries = 0;
    let bytes = 0;
    let count = 0;
    for (const { size } of this.#queue) {
      entries += size.entries;
      bytes += size.bytes;
      if (count > 0 && (entries > commitEntriesMax || bytes > commitBytesMax)) break;
      this.#queueBytes -= size.bytes;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  #fail(error: unknown, batch: readonly Waiting<T>[]): void {
    const failure = new ServiceError(
      "STORE_UNAVAILABLE",
      "The log could not be written; whether this write happened is unknown. The store is being reopened: try again in a moment.",
      { cause: error },
    );
    this.#failure = failure;
    const waiting = [...batch, ...this.#queue.splice(0)];
    this.#queueBytes = 0;
    for (const one of waiting) one.reject(failure);
  }
}

function sumOf(batch: readonly { readonly size: CommitSize }[]): CommitSize {
  let entries = 0;
  let bytes = 0;
  for (const { size } of batch) {
    entries += size.entries;
    bytes += size.bytes;
  }
  return { entries, bytes };
}
