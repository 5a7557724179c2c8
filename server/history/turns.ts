/**
 * One at a time, the rest in a bounded line: what is under way holds a part of a log in memory.
 *
 * Not here: threads (history-runner.ts).
 */
import { ServiceError } from "../../shared/errors.ts";

export class Turns {
  readonly #waitingMax: number;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax;
  }

  /** Those that run or wait. */
  get length(): number {
    return this.#waiting;
  }

  /** @throws {ServiceError} RATE_LIMITED when too many wait; what `task` throws */
  async take<Result>(task: () => Promise<Result>): Promise<Result> {
    if (this.#waiting >= this.#waitingMax) {
      throw new ServiceError(
        "RATE_LIMITED",
        "Too many requests for old versions wait already. Ask again in some seconds.",
        { details: { limit: this.#waitingMax } },
      );
    }
    this.#waiting++;
    const mine = this.#last.then(task);
    this.#last = mine.catch(() => undefined);
    try {
      return await mine;
    } finally {
      this.#waiting--;
    }
  }
}
