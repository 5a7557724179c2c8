/**
 * Who waits for locks of one context, first come, first served.
 *
 * Invariants (LOCK):
 *  1. A request is called when no lock and no earlier request is in its way: nobody overtakes on the same paths, and nobody
 *     waits for paths that it did not ask for.
 *  2. All paths of a request are granted at once or none: two requests never wait for each other.
 *
 * Not here: how long somebody waits (the caller ends it).
 */
import type { LockMode } from "../../../shared/lock.ts";
import type { LockTable } from "./lock-table.ts";
import { PathIndex } from "./path-index.ts";

export interface Waiting {
  readonly paths: readonly string[];
  readonly mode: LockMode;
  /** It asked at another server, which calls it. */
  readonly isElsewhere?: boolean;
}

export class LockQueue<Request extends Waiting> {
  /** In order of arrival; true for those that were called and have not answered. */
  readonly #requests = new Map<Request, boolean>();
  readonly #paths = new PathIndex<Request>();

  get length(): number {
    return this.#requests.size;
  }

  list(): readonly Request[] {
    return [...this.#requests.keys()];
  }

  /** Those that were not called. */
  waiting(): readonly Request[] {
    return this.list().filter((request) => this.#requests.get(request) === false);
  }

  /** As `waiting`, each with how many earlier requests are in its way, called ones too. */
  *places(): Generator<readonly [Request, ahead: number]> {
    const earlier = new PathIndex<Request>();
    for (const [request, isCalled] of this.#requests) {
      if (!isCalled) yield [request, new Set(inTheWay(request, earlier)).size];
      for (const path of request.paths) earlier.add(path, request);
    }
  }

  /**
   * Comes before those that are `isLater`, or last. True when no request is in its way that was here: it counts as called.
   */
  add(request: Request, isLater?: (other: Request) => boolean): boolean {
    const isCalled = request.isElsewhere !== true && !isBehind(request, this.#paths);
    const later = isLater === undefined ? [] : [...this.#requests].filter(([other]) => isLater(other));
    this.#requests.set(request, isCalled);
    for (const [other, wasCalled] of later) {
      this.#requests.delete(other);
      this.#requests.set(other, wasCalled);
    }
    for (const path of request.paths) this.#paths.add(path, request);
    return isCalled;
  }

  /** The request does not wait any more. */
  remove(request: Request): void {
    this.#requests.delete(request);
    for (const path of request.paths) this.#paths.delete(path, request);
  }

  /** Those that can be granted now, in order. They keep their places, and are not called again before `recall`. */
  call(table: LockTable): readonly Request[] {
    const called: Request[] = [];
    const earlier = new PathIndex<Request>();
    for (const [request, isCalled] of this.#requests) {
      const { paths, mode } = request;
      const isOurs = !isCalled && request.isElsewhere !== true;
      if (isOurs && table.obstacleToLock(paths, mode) === undefined && !isBehind(request, earlier)) {
        called.push(request);
      }
      for (const path of paths) earlier.add(path, request);
    }
    for (const request of called) this.#requests.set(request, true);
    return called;
  }

  /** It was called in vain: it waits on, in its place. */
  recall(request: Request): void {
    if (this.#requests.has(request)) this.#requests.set(request, false);
  }
}

function isBehind(request: Waiting, earlier: PathIndex<Waiting>): boolean {
  return inTheWay(request, earlier).next().done !== true;
}

/** One with several such paths comes several times. */
function* inTheWay({ paths, mode }: Waiting, earlier: PathIndex<Waiting>): Generator<Waiting> {
  for (const path of paths) {
    for (const other of earlier.overlapping(path)) if (mode === "exclusive" || other.mode === "exclusive") yield other;
  }
}
