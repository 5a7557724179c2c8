/**
 * How long the locks of one context still last, by this server's monotonic clock: wall clocks jump, and a jump must
 * neither end a lease early nor keep a dead one.
 *
 * Invariants (LOCK):
 *  1. A lease lasts at least its time to live from its grant, its last renewal, or the load of its context, whichever was
 *     last: nobody takes over what its holder may still believe to have.
 *
 * Not here: which locks there are (lock-table.ts), timers (the caller).
 */
export class Leases {
  /** Monotonic milliseconds at which each lock ends. */
  readonly #endsAtMs = new Map<string, number>();

  /** The lock's time begins now, or anew. */
  begin(lockId: string, ttlMs: number, nowMs: number): void {
    this.#endsAtMs.set(lockId, nowMs + ttlMs);
  }

  end(lockId: string): void {
    this.#endsAtMs.delete(lockId);
  }

  leftMs(lockId: string, nowMs: number): number {
    return Math.max(0, (this.#endsAtMs.get(lockId) ?? nowMs) - nowMs);
  }

  isOver(lockId: string, nowMs: number): boolean {
    return (this.#endsAtMs.get(lockId) ?? nowMs) <= nowMs;
  }

  overdue(nowMs: number): readonly string[] {
    return [...this.#endsAtMs].filter(([, endsAtMs]) => endsAtMs <= nowMs).map(([lockId]) => lockId);
  }

  /** When the next one ends; undefined when there is none. */
  nextEndMs(): number | undefined {
    return this.#endsAtMs.size === 0 ? undefined : Math.min(...this.#endsAtMs.values());
  }
}
