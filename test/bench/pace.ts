/**
 * Waiting: for a count to be reached, and for the time at which something is due.
 *
 * Not here: the clock of a server; everything here is the load's.
 */
import { setTimeout as delay } from "node:timers/promises";

/** Counts up to a target; `reached` resolves then, or rejects with how far it got when nothing moved for too long. */
export class Goal {
  readonly reached: Promise<void>;
  readonly #target: number;
  #count = 0;
  #resolve: () => void = () => {};

  constructor(target: number, stallMs = 20_000) {
    this.#target = target;
    this.reached = new Promise((resolve, reject) => {
      let before = 0;
      const watch = setInterval(() => {
        if (this.#count === before) reject(new Error(`Stalled at ${this.#count} of ${target}.`));
        before = this.#count;
      }, stallMs);
      this.#resolve = () => {
        clearInterval(watch);
        resolve();
      };
    });
    this.reached.catch(() => {}); // whoever waits for it is told; before that it is nobody's
  }

  add(count: number): void {
    this.#count += count;
    if (this.#count >= this.#target) this.#resolve();
  }
}

/** Calls `act(0 … count-1)` at a steady rate; late calls are made up for, so that the rate holds. */
export async function atRate(perSecond: number, count: number, act: (i: number) => void): Promise<void> {
  const start = performance.now();
  for (let done = 0; done < count;) {
    const due = Math.min(count, Math.floor(((performance.now() - start) * perSecond) / 1000) + 1);
    while (done < due) act(done++);
    await delay(1);
  }
}
