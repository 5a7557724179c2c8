/**
 * Updates that only delete, as they were admitted lately: a client that lost its connection sends what was not
 * acknowledged once more, and a deletion sent twice looks like one that came too late.
 *
 * Invariants:
 *  1. It holds the newest `clockIndexChangesMax` of them at least and twice as many at most. Longer ones than `BYTES_MAX`
 *     count as known, so nothing is told of them.
 */
import { LIMITS } from "../../../shared/limits.ts";

/** Some ten deleted ranges: what one edit of a person or a program deletes of keys. */
const BYTES_MAX = 128;

export class RecentDeletions {
  /** Two generations: to take the oldest out of a Set one by one is to step over all that were taken out before. */
  #newer = new Set<string>();
  #older: ReadonlySet<string> = new Set();
  readonly #max: number;

  constructor(max: number = LIMITS.clockIndexChangesMax) {
    this.#max = max;
  }

  add(update: Uint8Array): void {
    if (update.byteLength > BYTES_MAX) return;
    if (this.#newer.size === this.#max) {
      this.#older = this.#newer;
      this.#newer = new Set();
    }
    this.#newer.add(textOf(update));
  }

  has(update: Uint8Array): boolean {
    if (update.byteLength > BYTES_MAX) return true;
    const text = textOf(update);
    return this.#newer.has(text) || this.#older.has(text);
  }
}

function textOf(update: Uint8Array): string {
  return String.fromCharCode(...update);
}
