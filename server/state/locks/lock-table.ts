/**
 * The locks of one context: who holds what, and what stands in the way of a lock or a write.
 *
 * Invariants (LOCK):
 *  1. No two locks overlap unless both are shared.
 *  2. The table is what its entries make of it, in their order: the same on every server that reads the log.
 *  3. A question costs the steps of its paths and the locks that it may pass there, however many others there are.
 *
 * Not here: time (leases.ts), waiting (lock-queue.ts), sessions and tokens of the wire.
 */
import type { Lock, LockEvent, LockMode } from "../../../shared/lock.ts";
import type { LogEntry } from "../../storage/change-log.ts";
import { PathIndex } from "./path-index.ts";

/** Ids of locks that a writer may pass: those it holds. */
export type Held = ReadonlySet<string>;

export class LockTable {
  readonly #locks = new Map<string, Lock>();
  readonly #byToken = new Map<number, string>();
  readonly #counts = new Map<string, number>();
  /** Ids of the locks at each path. */
  readonly #paths = new PathIndex<string>();

  constructor(locks: Iterable<Lock> = []) {
    for (const lock of locks) this.#add(lock);
  }

  get size(): number {
    return this.#locks.size;
  }

  /** In the order in which they were granted. */
  list(): readonly Lock[] {
    return [...this.#locks.values()];
  }

  get(lockId: string): Lock | undefined {
    return this.#locks.get(lockId);
  }

  /** Locks of this holder. */
  countOf(holder: string): number {
    return this.#counts.get(holder) ?? 0;
  }

  withToken(fencingToken: number): Lock | undefined {
    return this.#locks.get(this.#byToken.get(fencingToken) ?? "");
  }

  /** What a lock entry says happens to the table; one about a lock that is not there changes nothing. */
  apply(event: LockEvent, { seq, actor, atMs }: Pick<LogEntry, "seq" | "actor" | "atMs">): void {
    if (event.op === "acquire") {
      const { op: _op, ...asked } = event;
      this.#add({ ...asked, holder: actor, fencingToken: seq, grantedAtMs: atMs });
      return;
    }
    const lock = this.#locks.get(event.lockId);
    if (lock === undefined) return;
    if (event.op === "renew") this.#locks.set(lock.lockId, { ...lock, ttlMs: event.ttlMs });
    else this.#remove(lock);
  }

  /** A lock that overlaps one of the paths and does not go together with a lock of this mode. */
  obstacleToLock(paths: readonly string[], mode: LockMode): Lock | undefined {
    return this.#first(paths, (lock) => mode === "exclusive" || lock.mode === "exclusive");
  }

  /** A lock that forbids writing at one of the paths: another's, or a shared one, its holder's included. */
  obstacleToWrite(paths: readonly string[], held: Held): Lock | undefined {
    return this.#first(paths, (lock) => lock.mode === "shared" || !held.has(lock.lockId));
  }

  #first(paths: readonly string[], isWanted: (lock: Lock) => boolean): Lock | undefined {
    if (this.#locks.size === 0) return undefined;
    for (const path of paths) {
      for (const lockId of this.#paths.overlapping(path)) {
        const lock = this.#locks.get(lockId);
        if (lock !== undefined && isWanted(lock)) return lock;
      }
    }
    return undefined;
  }

  #add(lock: Lock): void {
    this.#counts.set(lock.holder, this.countOf(lock.holder) + 1);
    this.#locks.set(lock.lockId, lock);
    this.#byToken.set(lock.fencingToken, lock.lockId);
    for (const path of lock.paths) this.#paths.add(path, lock.lockId);
  }

  #remove(lock: Lock): void {
    const left = this.countOf(lock.holder) - 1;
    if (left === 0) this.#counts.delete(lock.holder);
    else this.#counts.set(lock.holder, left);
    this.#locks.delete(lock.lockId);
    this.#byToken.delete(lock.fencingToken);
    for (const path of lock.paths) this.#paths.delete(path, lock.lockId);
  }
}
