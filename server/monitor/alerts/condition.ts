/**
 * One threshold over time: reached when a value stays beyond it for a while, left when it stays on the good side of another.
 *
 * Invariants (ALERT):
 *  1. Decided by values and the times that come with them alone.
 *  2. Between the two values nothing changes, whichever side it came from.
 */

export interface ConditionOptions {
  readonly at: number;
  readonly forMs: number;
  readonly clearAt: number;
  readonly clearForMs: number;
  readonly badWhen: "high" | "low";
}

export class Condition {
  readonly #options: ConditionOptions;
  #holds = false;
  /** Since when the values have spoken for the other state. */
  #turningSinceMs: number | undefined;

  constructor(options: ConditionOptions) {
    this.#options = options;
  }

  get holds(): boolean {
    return this.#holds;
  }

  /** A value and its time, which never goes back; undefined counts as good. */
  see(value: number | undefined, nowMs: number): void {
    const { at, forMs, clearAt, clearForMs } = this.#options;
    const isTurning = this.#holds ? !this.#isBeyond(value, clearAt, false) : this.#isBeyond(value, at, true);
    if (!isTurning) {
      this.#turningSinceMs = undefined;
      return;
    }
    this.#turningSinceMs ??= nowMs;
    if (nowMs - this.#turningSinceMs < (this.#holds ? clearForMs : forMs)) return;
    this.#holds = !this.#holds;
    this.#turningSinceMs = undefined;
  }

  #isBeyond(value: number | undefined, limit: number, orAt: boolean): boolean {
    if (value === undefined) return false;
    if (value === limit) return orAt;
    return this.#options.badWhen === "high" ? value > limit : value < limit;
  }
}
