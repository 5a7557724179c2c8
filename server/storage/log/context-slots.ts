/**
 * What the log holds in memory of a context while it is written: its head, so that an append reads nothing.
 *
 * Invariants:
 *  1. There is at most one slot of a context, and decisions about it are taken one after the other in the order of the calls,
 *     also of those that arrive while its head is still being read.
 *  2. A slot with work under way stays; of the others the `idleMax` most recently used stay.
 *
 * Not here: what is decided (key-value-change-log.ts).
 */
import type { ContextHead, ContextMeta } from "../../../shared/context.ts";
import type { ContextId } from "../../../shared/ids.ts";
import type { HeadRecord } from "./head-record.ts";

/** A context that exists. */
export interface LiveContext {
  readonly number: number;
  /** After everything accepted, durable or not; so is `head`. */
  meta: ContextMeta;
  head: ContextHead;
  /** As in the store, or in the batch that is being written. */
  stored: HeadRecord;
  /** Its head must not be written again. */
  isErased: boolean;
}

export interface SlotContent {
  readonly live: LiveContext | undefined;
  /** Of the context, or of the last one that had its id; 0 if there never was one. */
  readonly epoch: number;
}

export interface Slot {
  readonly id: ContextId;
  live: LiveContext | undefined;
  epoch: number;
  /** Settles with the newest work on the context; never rejects. */
  settled: Promise<void>;
}

interface Holder {
  slot: Slot | undefined;
  /** Decisions waiting for the slot to be read; undefined once it is. */
  waiting: ((failure?: { readonly error: unknown }) => void)[] | undefined;
  busyCount: number;
}

export class ContextSlots {
  readonly #read: (id: ContextId) => Promise<SlotContent>;
  readonly #idleMax: number;
  /** Least recently used first. */
  readonly #holders = new Map<ContextId, Holder>();

  constructor(read: (id: ContextId) => Promise<SlotContent>, idleMax: number) {
    this.#read = read;
    this.#idleMax = idleMax;
  }

  has(id: ContextId): boolean {
    return this.#holders.has(id);
  }

  /** Runs `decide` on the slot: at once if it is in memory, else after it has been read. */
  async use<T>(id: ContextId, decide: (slot: Slot) => T | Promise<T>): Promise<T> {
    const holder = this.#holders.get(id) ?? this.#openHolder(id);
    if (holder.slot !== undefined) return decide(holder.slot);
    return new Promise<T>((resolve, reject) => {
      holder.waiting?.push((failure) => {
        if (failure !== undefined || holder.slot === undefined) return reject(failure?.error);
        // A promise executor would swallow a synchronous throw of `decide` only by luck: make it a rejection here.
        const { slot } = holder;
        resolve((async () => decide(slot))());
      });
    });
  }

  /** Keeps the slot in memory until `work` settles. */
  hold(slot: Slot, work: Promise<unknown>): void {
    const holder = this.#holders.get(slot.id);
    if (holder === undefined) return;
    holder.busyCount++;
    const settled = work.then(
      () => this.#release(slot.id, holder),
      () => this.#release(slot.id, holder),
    );
    slot.settled = settled;
  }

  #openHolder(id: ContextId): Holder {
    const holder: Holder = { slot: undefined, waiting: [], busyCount: 0 };
    this.#holders.set(id, holder);
    void this.#fill(id, holder);
    return holder;
  }

  async #fill(id: ContextId, holder: Holder): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    try {
      holder.slot = { id, ...(await this.#read(id)), settled: Promise.resolve() };
    } catch (error) {
      failure = { error };
      this.#holders.delete(id);
    }
    const waiting = holder.waiting ?? [];
    holder.waiting = undefined;
    for (const decide of waiting) decide(failure);
    this.#evict();
  }

  #release(id: ContextId, holder: Holder): void {
    holder.busyCount--;
    if (holder.busyCount > 0 || this.#holders.get(id) !== holder) return;
    this.#holders.delete(id);
    this.#holders.set(id, holder);
    this.#evict();
  }

  /** Looks at no more than a few: the busy ones at the front are few or the disk is the bottleneck. */
  #evict(): void {
    let excess = this.#holders.size - this.#idleMax;
    for (const [id, holder] of this.#holders) {
      if (excess-- <= 0) return;
      if (holder.busyCount === 0 && holder.waiting === undefined) this.#holders.delete(id);
    }
  }
}
