/**
 * The rules of locks, said as plainly as can be: a list of locks, every question a walk through all of it.
 *
 * Not here: speed, logs, waiting.
 */
import { covers, overlaps, parsePath } from "../../shared/path.ts";
import type { LockMode } from "../../shared/lock.ts";

export interface ModelLock {
  readonly lockId: string;
  readonly paths: readonly string[];
  readonly mode: LockMode;
  readonly holder: string;
  readonly token: number;
  ttlMs: number;
  endsAtMs: number;
}

export interface ModelLease {
  readonly lockId: string;
  readonly token: number;
  readonly paths: readonly string[];
}

export class LockModel {
  locks: ModelLock[] = [];

  mayLock(paths: readonly string[], mode: LockMode): boolean {
    return !this.locks.some((lock) => meets(lock.paths, paths) && !(mode === "shared" && lock.mode === "shared"));
  }

  /** Somebody's, and not over. */
  held(lockId: string, nowMs: number): ModelLock | undefined {
    return this.locks.find((lock) => lock.lockId === lockId && lock.endsAtMs > nowMs);
  }

  /** What a write of `actor` that shows these tokens is answered. */
  write(paths: readonly string[], { actor, tokens }: { actor: string; tokens: readonly number[] }, nowMs: number) {
    const shown = tokens.map((token) => this.#ofToken(token, actor, nowMs));
    return shown.includes(undefined) ? "FENCE_STALE" : this.#free(paths, shown);
  }

  /** What a live edit is answered in a session that took these locks. */
  edit(paths: readonly string[], { actor, leases }: { actor: string; leases: readonly ModelLease[] }, nowMs: number) {
    const held = leases.map(({ token }) => this.#ofToken(token, actor, nowMs)).filter((lock) => lock !== undefined);
    const lost = leases.filter(({ token }) => !held.some((lock) => lock.token === token));
    const own = (path: string) =>
      held.some((lock) => lock.paths.some((top) => covers(parsePath(top), parsePath(path))));
    const barred = paths.filter((path) => !own(path));
    return lost.some((lease) => meets(lease.paths, barred)) ? "FENCE_STALE" : this.#free(paths, held);
  }

  #ofToken(token: number, actor: string, nowMs: number): ModelLock | undefined {
    return this.locks.find((lock) => lock.token === token && lock.holder === actor && lock.endsAtMs > nowMs);
  }

  #free(paths: readonly string[], held: readonly (ModelLock | undefined)[]): "free" | "LOCKED" {
    const inWay = this.locks.filter((lock) => meets(lock.paths, paths));
    return inWay.every((lock) => lock.mode === "exclusive" && held.includes(lock)) ? "free" : "LOCKED";
  }
}

/** True when one of the paths overlaps one of the others. */
export function meets(paths: readonly string[], others: readonly string[]): boolean {
  return paths.some((path) => others.some((other) => overlaps(parsePath(path), parsePath(other))));
}
