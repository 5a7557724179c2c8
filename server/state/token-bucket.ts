/**
 * A token bucket: how much may be done at once, and how fast that comes back.
 *
 * Invariants:
 *  1. Time is an argument, and never goes back.
 *  2. `take` takes all of a cost or nothing; `spend` takes it in any case, for what has come already: the debt is waited for.
 */

export interface Rate {
  readonly perS: number;
  readonly burst: number;
  /** Debt beyond it is forgiven: one of many behind an address must not stop the others for long. */
  readonly debtMax?: number;
}

/** Full at first. Counts in thousandths: a millisecond gives back one for each `perS`. */
export class TokenBucket {
  readonly #rate: Rate;
  #level: number;
  #atMs: number;

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#level = rate.burst * 1000;
    this.#atMs = nowMs;
  }

  take(cost: number, nowMs: number): number {
    this.#refill(nowMs);
    // what costs more than there can ever be is had for all that there can be
    const due = Math.min(cost, this.#rate.burst) * 1000;
    if (this.#level < due) return this.#msUntil(due);
    this.#level -= due;
    return 0;
  }

  spend(cost: number, nowMs: number): number {
    const { debtMax = Infinity } = this.#rate;
    this.#refill(nowMs);
    this.#level = Math.max(this.#level - cost * 1000, -debtMax * 1000);
    return this.#level >= 0 ? 0 : this.#msUntil(0);
  }

  #refill(nowMs: number): void {
    const { perS, burst } = this.#rate;
    this.#level = Math.min(burst * 1000, this.#level + (nowMs - this.#atMs) * perS);
    this.#atMs = nowMs;
  }

  #msUntil(level: number): number {
    return Math.ceil((level - this.#level) / this.#rate.perS);
  }
}
