/**
 * The locks that a live session took: its live edits are written under them.
 *
 * Invariants (LOCK):
 *  1. A lease stays until the client gives it back, also when its time is over: until then the client may not know, and what
 *     it writes there is refused.
 *
 * Not here: whether a lease still counts (state/locks/lock-desk.ts).
 */
import type { Lock } from "../../shared/lock.ts";

/** What is remembered of a lock. */
export type Lease = Pick<Lock, "lockId" | "fencingToken" | "paths">;

export class SessionLeases {
  readonly #leases = new Map<string, Lease>();

  add<Granted extends Lease>(lock: Granted): Granted {
    const { lockId, fencingToken, paths } = lock;
    this.#leases.set(lockId, { lockId, fencingToken, paths });
    return lock;
  }

  remove(lockId: string): void {
    this.#leases.delete(lockId);
  }

  list(): readonly Lease[] {
    return [...this.#leases.values()];
  }
}
