/**
 * Updates that only delete, as they were admitted lately: a client that lost its connection sends what was not
 * acknowledged once more, and a deletion sent twice looks like one that came too late.
 *
 * Invariants:
 *  1. It holds the newest `clockIndexChangesMax` of them. Longer ones than `BYTES_MAX` count as known, so nothing is told of them.
 */
import { LIMITS } from "../../../shared/limits.ts";

/** Some ten deleted ranges: what one edit of a person or a program deletes of keys. */
const BYTES_MAX = 128;

export class RecentDeletions {
  readonly #updates = new Set<string>();
  readonly #max: number;

  constructor(max: number = LIMITS.clockIndexChangesMax) {
    this.#max = max;
  }

  add(update: Uint8Array): void {
    if (update.byteLength > BYTES_MAX) return;
    this.#updates.add(textOf(update));
    if (this.#updates.size <= this.#max) return;
    for (const oldest of this.#updates) {
      this.#updates.delete(oldest);
      return;
    }
  }

  has(update: Uint8Array): boolean {
    return update.byteLength > BYTES_MAX || this.#updates.has(textOf(update));
  }
}

function textOf(update: Uint8Array): string {
  return String.fromCharCode(...update);
}
