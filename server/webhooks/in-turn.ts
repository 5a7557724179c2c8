/** One piece of work after the other, in the order in which they were asked for; one that fails does not stop the next. */
export class InTurn {
  #last: Promise<unknown> = Promise.resolve();

  take<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  /** Resolves when all that was asked for is over. */
  async settled(): Promise<void> {
    await this.#last;
  }
}
