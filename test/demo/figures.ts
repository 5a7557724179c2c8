/** Durations, and what is said of them: how many, how fast half and nearly all of them were. */

export class Durations {
  readonly #ms: number[] = [];
  #isSorted = true;

  add(ms: number): void {
    this.#ms.push(ms);
    this.#isSorted = false;
  }

  get count(): number {
    return this.#ms.length;
  }

  /** The duration that this percentage did not exceed; 0 when there is none. */
  percentile(percent: number): number {
    if (!this.#isSorted) this.#ms.sort((a, b) => a - b);
    this.#isSorted = true;
    return this.#ms[Math.max(0, Math.ceil((this.#ms.length * percent) / 100) - 1)] ?? 0;
  }

  get max(): number {
    return this.percentile(100);
  }
}

/** What a replay measured. What a crash delayed is counted apart: it measures the restart, not the server. */
export class Figures {
  /** From an edit to its ack: durable. */
  readonly acks = new Durations();
  /** From an edit to its arrival in the stock client's document. */
  readonly propagation = new Durations();
  /** From an edit to its ack, of those that met a crash or were made before everybody was back. */
  readonly acksAcrossCrash = new Durations();
  /** Even while all is well; one more when the server is killed, one more when everybody is connected again. */
  era = 0;
  seconds = 0;

  get crashes(): number {
    return Math.ceil(this.era / 2);
  }

  get acksPerSecond(): number {
    return (this.acks.count + this.acksAcrossCrash.count) / this.seconds;
  }

  /** True when nothing was down between then and now. */
  wasCalmSince(era: number): boolean {
    return era === this.era && era % 2 === 0;
  }
}
