/**
 * The locks that a live session took: its live edits are written under them.
 *
 * Invariants (LOCK):
 *  1. A lease stays until the client gives it back, also when its time is over: until then the client may not know, and what
 *     it writes there is refused.
 *
 * Not here: when a lock joins or leaves (state/context-state.ts, in the order of the session's edits), whether a lease still
 * counts (state/locks/lock-desk.ts).
 */
import type { Lease, LeaseBook } from "../state/writes.ts";

export class SessionLeases implements LeaseBook {
  readonly #leases = new Map<string, Lease>();

  /** In the order in which they were taken. */
  list(): readonly Lease[] {
    return this.#leases.size === 0 ? NONE : [...this.#leases.values()];
  }

  add({ lockId, fencingToken, paths }: Lease): void {
    this.#leases.set(lockId, { lockId, fencingToken, paths });
  }

  remove(lockId: string): void {
    this.#leases.delete(lockId);
  }
}

/** What nearly every edit is written under. */
const NONE: readonly Lease[] = [];
