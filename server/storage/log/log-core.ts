/**
 * What every part of the log works with: the open store, its one group commit, and the contexts held in memory.
 *
 * Invariants:
 *  1. Decisions about a context are taken one after the other, and what they decide is written in their order.
 *  2. A read begins when everything accepted for its context before is durable (LOG-6).
 *  3. Only one process writes the store, so heads in memory are true.
 *
 * Not here: what is decided and read (key-value-change-log.ts, log-checkpoints.ts, side-records.ts).
 */
import { ok as assert } from "node:assert/strict";
import type { ContextId } from "../../../shared/ids.ts";
import { LIMITS, type Limits } from "../../../shared/limits.ts";
import type { Clock } from "../../clock.ts";
import type { Monitor } from "../../monitor-port.ts";
import type { KeyValueStore, StoreOp, StoreView } from "../store/store.ts";
import { CommitEncoder, type LogWork } from "./commit-encoder.ts";
import { ContextSlots, type Slot } from "./context-slots.ts";
import { GroupCommit, type CommitSize } from "./group-commit.ts";
import { closed, overloaded, unavailable } from "./log-errors.ts";
import * as keys from "./log-keys.ts";
import { openLayout } from "./log-layout.ts";
import * as reader from "./log-reader.ts";

export interface LogCoreOptions {
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly limits?: Limits;
  readonly monitor?: Monitor | undefined;
}

/** Keys read and deleted in one step when many go. */
export const DELETE_STEP = 1000;

export class LogCore {
  readonly #store: KeyValueStore;
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #monitor: Monitor | undefined;
  #commit: GroupCommit<LogWork> | undefined;
  #slots: ContextSlots;
  #nodeClientId = 0;
  #nextNumber = 1;

  constructor({ store, clock, limits = LIMITS, monitor }: LogCoreOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#limits = limits;
    this.#monitor = monitor;
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
      for (const number of layout.unfinishedPurges) await this.purge(number);
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

  /** A number that no context has. */
  takeNumber(): number {
    return this.#nextNumber++;
  }

  async decide<T>(contextId: ContextId, decide: (slot: Slot) => Promise<T>): Promise<T> {
    this.#requireCommit();
    return this.#slots.use(contextId, decide);
  }

  /** To ask before anything is decided that `submit` would make true. @throws {ServiceError} STORE_UNAVAILABLE */
  requireRoomFor(bytes: number): void {
    if (!this.#requireCommit().hasRoomFor(bytes)) throw overloaded(this.#limits.appendQueueBytesMax);
  }

  /** What was decided about the slot's context. */
  submit(slot: Slot, work: LogWork, size: CommitSize): Promise<void> {
    const done = this.#requireCommit().submit(work, size);
    this.#slots.hold(slot, done);
    return done;
  }

  /** What belongs to no context. */
  async write(ops: readonly StoreOp[], size: CommitSize): Promise<void> {
    await this.#requireCommit().submit({ kind: "ops", ops }, size);
  }

  /** Reads a context; `none` when there is none. */
  async read<T>(
    contextId: ContextId,
    none: T,
    use: (view: StoreView, found: reader.FoundContext) => T | Promise<T>,
  ): Promise<T> {
    this.#requireCommit();
    if (this.#slots.has(contextId)) await this.#slots.use(contextId, (slot) => slot.settled);
    return this.view(async (view) => {
      const found = await reader.findContext(view, contextId);
      return found === undefined ? none : use(view, found);
    });
  }

  async view<T>(use: (view: StoreView) => Promise<T>): Promise<T> {
    this.#requireCommit();
    try {
      return await this.#store.view(use);
    } catch (error) {
      throw unavailable(error);
    }
  }

  async delete(found: readonly Uint8Array[]): Promise<void> {
    if (found.length === 0) return;
    const ops = found.map((key) => ({ type: "del", key }) as const);
    await this.write(ops, { entries: found.length, bytes: 0 });
  }

  /** Deletes what a removed context left, step by step; a crash in between is made up for by the next open. */
  async purge(number: number): Promise<void> {
    for (const range of keys.ownedBy(number)) {
      let found: readonly Uint8Array[];
      do {
        found = await this.view((view) => reader.keysOf(view, { ...range, limit: DELETE_STEP }));
        await this.delete(found);
      } while (found.length > 0);
    }
    await this.delete([keys.purgeKey(number)]);
  }

  #requireCommit(): GroupCommit<LogWork> {
    const commit = this.#commit;
    if (commit === undefined) throw closed();
    if (commit.failure !== undefined) throw commit.failure;
    return commit;
  }

  #newCommit(): GroupCommit<LogWork> {
    const write = (works: readonly LogWork[]): Promise<void> =>
      this.#store.batch(new CommitEncoder().encode(works), { sync: true });
    return new GroupCommit({ clock: this.#clock, limits: this.#limits, monitor: this.#monitor, write });
  }

  #newSlots(): ContextSlots {
    return new ContextSlots((id) => this.view((view) => reader.readSlot(view, id)), this.#limits.idleHeadsMax);
  }
}
