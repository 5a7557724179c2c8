/**
 * The locks that a live session took: its live edits are written under them.
 *
 * Invariants (LOCK):
 *  1. A lease stays until the client gives it back, also when its time is over: until then the client may not know, and what
 *     it writes there is refused.
 *  2. Who gave it back before it was granted, or went away, does not get it.
 *
 * Not here: when a lock joins or leaves (state/context-state.ts, in the order of the session's edits), whether a lease still
 * counts (state/locks/lock-desk.ts).
 */
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Lease, LeaseBook } from "../state/writes.ts";

/** A lock that was asked for and is not granted yet. */
interface Asked {
  readonly lockId: string | undefined;
  readonly controller: AbortController;
}

export class SessionLeases implements LeaseBook {
  readonly #leases = new Map<string, Lease>();
  readonly #asked = new Set<Asked>();

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

  /** @throws {ServiceError} LIMIT_EXCEEDED when there is no room for one more */
  assertRoom(lockId: string | undefined): void {
    const isKnown = lockId !== undefined && this.#leases.has(lockId);
    if (!isKnown && this.#leases.size + this.#asked.size >= LIMITS.sessionLeasesMax) throw tooMany();
  }

  /** The signal aborts when the lock is not wanted any more; `end` when there is an answer. @throws {ServiceError} LIMIT_EXCEEDED */
  asking(lockId: string | undefined): { readonly signal: AbortSignal; readonly end: () => void } {
    this.assertRoom(lockId);
    const asked = { lockId, controller: new AbortController() };
    this.#asked.add(asked);
    return { signal: asked.controller.signal, end: () => void this.#asked.delete(asked) };
  }

  stopAsking(lockId: string): void {
    for (const asked of this.#asked) if (asked.lockId === lockId) asked.controller.abort();
  }

  /** The session is over. */
  close(): void {
    for (const { controller } of this.#asked) controller.abort();
  }
}

/** What nearly every edit is written under. */
const NONE: readonly Lease[] = [];

function tooMany(): ServiceError {
  return new ServiceError(
    "LIMIT_EXCEEDED",
    `A session has ${LIMITS.sessionLeasesMax} locks, held or asked for, which is its limit. Release some, or lock several paths at once.`,
    { details: { limit: LIMITS.sessionLeasesMax } },
  );
}
