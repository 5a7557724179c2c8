/**
 * What the parts of the log work with when this process is the only one that writes its store.
 *
 * Invariants (those of LogCore), and
 *  1. Heads in memory are true: an append reads nothing, and the next is decided before the one before it is durable.
 *
 * Not here: stores that several processes write (server/storage/postgres/shared-core.ts).
 */
import { ok as assert } from "node:assert/strict";
import type { ContextId } from "../../../shared/ids.ts";
import { LIMITS, type Limits } from "../../../shared/limits.ts";
import type { Clock } from "../../clock.ts";
import type { Monitor } from "../../monitor-port.ts";
import type { ContextTurn } from "../change-log.ts";
import type { KeyValueStore, StoreOp, StoreView } from "../store/store.ts";
import { CommitEncoder, type LogWork } from "./commit-encoder.ts";
import { ContextSlots, type Slot } from "./context-slots.ts";
import { purge } from "./deletion.ts";
import { GroupCommit, type CommitSize } from "./group-commit.ts";
import type { LogCore } from "./log-core.ts";
import { closed, overloaded, unavailable } from "./log-errors.ts";
import { openLayout } from "./log-layout.ts";
import * as reader from "./log-reader.ts";

export interface SoleWriterCoreOptions {
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly limits?: Limits;
  readonly monitor?: Monitor | undefined;
}

export class SoleWriterCore implements LogCore {
  readonly #store: KeyValueStore;
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #monitor: Monitor | undefined;
  #commit: GroupCommit<LogWork> | undefined;
  #slots: ContextSlots;
  #nodeClientId = 0;
  #nextNumber = 1;

  constructor({ store, clock, limits = LIMITS, monitor }: SoleWriterCoreOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#limits = limits;
    this.#monitor = monitor;
    this.#slots = this.#newSlots();
  }

  readonly isShared = false;
  readonly nodeSlot = 0;

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
      for (const number of layout.unfinishedPurges) await purge(this, number);
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

  takeNumber(): number {
    return this.#nextNumber++;
  }

  async decide<T>(contextId: ContextId, decide: (slot: Slot) => Promise<T>): Promise<T> {
    this.#requireCommit();
    return this.#slots.use(contextId, decide);
  }

  /** Nobody else writes. */
  onHint(): void {}

  async turn(_contextId: ContextId, turn: ContextTurn): Promise<void> {
    this.#requireCommit();
    turn.take(undefined);
  }

  requireRoomFor(bytes: number): void {
    if (!this.#requireCommit().hasRoomFor(bytes)) throw overloaded(this.#limits.appendQueueBytesMax);
  }

  submit(slot: Slot, work: LogWork, size: CommitSize): Promise<void> {
    const done = this.#requireCommit().submit(work, size);
    this.#slots.hold(slot, done);
    return done;
  }

  async write(ops: readonly StoreOp[], size: CommitSize): Promise<void> {
    await this.#requireCommit().submit({ kind: "ops", ops }, size);
  }

  async read<T>(
    contextId: ContextId,
    none: T,
    use: (view: StoreView, found: reader.FoundContext) => T | Promise<T>,
  ): Promise<T> {
    this.#requireCommit();
    if (this.#slots.has(contextId)) await this.#slots.use(contextId, (slot) => slot.settled);
    return this.view((view) => reader.ofContext(view, contextId, none, use));
  }

  async view<T>(use: (view: StoreView) => Promise<T>): Promise<T> {
    this.#requireCommit();
    try {
      return await this.#store.view(use);
    } catch (error) {
      throw unavailable(error);
    }
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
