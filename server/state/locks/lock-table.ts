/**
 * The locks of one context: who holds what, and what stands in the way of a lock or a write.
 *
 * Invariants (LOCK):
 *  1. No two locks overlap unless both are shared.
 *  2. The table is what its entries make of it, in their order: the same on every server that reads the log.
 *  3. A question costs as many steps as its path has, however many locks there are.
 *
 * Not here: time (leases.ts), waiting (lock-queue.ts), sessions and tokens of the wire.
 */
import type { Lock, LockEvent, LockMode } from "../../../shared/lock.ts";
import { parsePath } from "../../../shared/path.ts";
import type { LogEntry } from "../../storage/change-log.ts";

/** Locks that a writer may pass: those it holds. */
export type Held = ReadonlySet<string>;

interface Node {
  readonly own: Set<Lock>;
  /** Locks at or below it, each as often as it has paths there. */
  count: number;
  readonly children: Map<string, Node>;
}

export class LockTable {
  readonly #locks = new Map<string, Lock>();
  readonly #byToken = new Map<number, Lock>();
  readonly #root: Node = newNode();

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

  withToken(fencingToken: number): Lock | undefined {
    return this.#byToken.get(fencingToken);
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
    this.#remove(lock);
    if (event.op === "renew") this.#add({ ...lock, ttlMs: event.ttlMs });
  }

  /** A lock that overlaps one of the paths and does not go together with a lock of this mode. */
  obstacleToLock(paths: readonly string[], mode: LockMode): Lock | undefined {
    return this.#first(paths, (lock) => mode === "exclusive" || lock.mode === "exclusive");
  }

  /** A lock that forbids writing at one of the paths: another's, or a shared one, its holder's included. */
  obstacleToWrite(paths: readonly string[], held: Held): Lock | undefined {
    if (this.#locks.size === 0) return undefined;
    return this.#first(paths, (lock) => lock.mode === "shared" || !held.has(lock.lockId));
  }

  #first(paths: readonly string[], isWanted: (lock: Lock) => boolean): Lock | undefined {
    for (const path of paths) {
      for (const lock of this.#overlapping(path)) if (isWanted(lock)) return lock;
    }
    return undefined;
  }

  *#overlapping(path: string): Generator<Lock> {
    let node = this.#root;
    for (const step of parsePath(path)) {
      yield* node.own;
      const child = node.children.get(step);
      if (child === undefined) return;
      node = child;
    }
    yield* locksIn(node);
  }

  #add(lock: Lock): void {
    this.#locks.set(lock.lockId, lock);
    this.#byToken.set(lock.fencingToken, lock);
    for (const path of lock.paths) {
      let node = this.#root;
      node.count++;
      for (const step of parsePath(path)) {
        let child = node.children.get(step);
        if (child === undefined) node.children.set(step, (child = newNode()));
        node = child;
        node.count++;
      }
      node.own.add(lock);
    }
  }

  #remove(lock: Lock): void {
    this.#locks.delete(lock.lockId);
    this.#byToken.delete(lock.fencingToken);
    for (const path of lock.paths) {
      let node = this.#root;
      node.count--;
      for (const step of parsePath(path)) {
        const child = node.children.get(step);
        if (child === undefined) break;
        if (--child.count === 0) node.children.delete(step);
        node = child;
      }
      node.own.delete(lock);
    }
  }
}

function* locksIn(node: Node): Generator<Lock> {
  yield* node.own;
  for (const child of node.children.values()) yield* locksIn(child);
}

function newNode(): Node {
  return { own: new Set(), count: 0, children: new Map() };
}
