/**
 * Who waits for locks of one context, first come, first served.
 *
 * Invariants (LOCK):
 *  1. A request is granted when no lock and no earlier waiting request is in its way: nobody overtakes on the same paths,
 *     and nobody waits for paths that it did not ask for.
 *  2. All paths of a request are granted at once or none: two requests never wait for each other.
 *
 * Not here: how long somebody waits (the caller ends it).
 */
import type { LockMode } from "../../../shared/lock.ts";
import { overlaps, parsePath } from "../../../shared/path.ts";
import type { LockTable } from "./lock-table.ts";

export interface Waiting {
  readonly paths: readonly string[];
  readonly mode: LockMode;
}

export class LockQueue<Request extends Waiting> {
  /** In order of arrival; true for those that were called and have not answered. */
  readonly #requests = new Map<Request, boolean>();

  get length(): number {
    return this.#requests.size;
  }

  list(): readonly Request[] {
    return [...this.#requests.keys()];
  }

  add(request: Request): void {
    this.#requests.set(request, false);
  }

  /** The request does not wait any more. */
  remove(request: Request): void {
    this.#requests.delete(request);
  }

  /** The first request that can be granted now. It keeps its place, and is not called again before `recall`. */
  call(table: LockTable): Request | undefined {
    const earlier: Request[] = [];
    for (const [request, isCalled] of this.#requests) {
      const isFree =
        !isCalled &&
        table.obstacleToLock(request.paths, request.mode) === undefined &&
        !earlier.some((other) => excludes(other, request));
      if (isFree) {
        this.#requests.set(request, true);
        return request;
      }
      earlier.push(request);
    }
    return undefined;
  }

  /** It was called in vain: it waits on, in its place. */
  recall(request: Request): void {
    if (this.#requests.has(request)) this.#requests.set(request, false);
  }

  /** True when the request would have to wait for one that is waiting already. */
  isBehind(request: Waiting): boolean {
    return this.list().some((other) => excludes(other, request));
  }
}

function excludes(a: Waiting, b: Waiting): boolean {
  if (a.mode === "shared" && b.mode === "shared") return false;
  return a.paths.some((path) => b.paths.some((other) => overlaps(parsePath(path), parsePath(other))));
}
