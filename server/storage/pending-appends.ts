/**
 * The appends under way: who waits for the disk, how much, and since when.
 *
 * Not here: the queue itself (group-commit.ts), which another log may not have.
 */
import type { ContextId } from "../../shared/ids.ts";
import type { Clock } from "../clock.ts";
import type { NewEntry } from "./change-log.ts";

interface Append {
  readonly contextId: ContextId;
  readonly startedAtMs: number;
}

/** Counts of one context while it has appends under way. They end in the order of their start. */
interface Progress {
  begun: number;
  ended: number;
  readonly waiters: { readonly after: number; resolve(): void }[];
}

export class PendingAppends {
  readonly #clock: Clock;
  /** In order of their start. */
  readonly #appends = new Set<Append>();
  readonly #contexts = new Map<ContextId, Progress>();
  #queueBytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get queueBytes(): number {
    return this.#queueBytes;
  }

  /** Age of the oldest append under way, 0 when there is none. */
  get lagMs(): number {
    for (const { startedAtMs } of this.#appends) return this.#clock.monotonicMs() - startedAtMs;
    return 0;
  }

  /** The returned function ends it. */
  begin(contextId: ContextId, entries: readonly NewEntry[]): () => void {
    const append = { contextId, startedAtMs: this.#clock.monotonicMs() };
    let bytes = 0;
    for (const { update } of entries) bytes += update.length;
    this.#appends.add(append);
    this.#queueBytes += bytes;
    const progress = this.#contexts.get(contextId) ?? { begun: 0, ended: 0, waiters: [] };
    this.#contexts.set(contextId, progress);
    progress.begun++;
    return () => {
      this.#appends.delete(append);
      this.#queueBytes -= bytes;
      progress.ended++;
      if (progress.ended === progress.begun) this.#contexts.delete(contextId);
      while ((progress.waiters[0]?.after ?? Infinity) <= progress.ended) progress.waiters.shift()?.resolve();
    };
  }

  contextIds(): readonly ContextId[] {
    return [...this.#contexts.keys()];
  }

  /** Resolves when the appends to the context that are under way now have ended. */
  settled(contextId: ContextId): Promise<void> {
    const progress = this.#contexts.get(contextId);
    if (progress === undefined) return Promise.resolve();
    return new Promise((resolve) => void progress.waiters.push({ after: progress.begun, resolve }));
  }

  async allSettled(): Promise<void> {
    await Promise.all(this.contextIds().map((id) => this.settled(id)));
  }
}
