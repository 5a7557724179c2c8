/**
 * Something of the server that has no feed: asked again and again while somebody looks.
 *
 * Invariants:
 *  1. One question at a time; the pause begins when the answer is there, and doubles after a failure, up to a bound.
 *  2. A failure leaves the last answer standing beside the problem.
 *  3. What is answered after `stop` is thrown away.
 */
import { signal } from "@preact/signals-core";
import type { ReadonlySignal } from "@preact/signals-core";
import type { Machine, Stop } from "./machine.ts";
import { problemOf } from "./problem.ts";
import type { Problem } from "./problem.ts";

const PAUSE_MS_MAX = 30_000;

export class Poll<Value> {
  readonly #value = signal<Value | undefined>(undefined);
  readonly #problem = signal<Problem | undefined>(undefined);
  readonly #machine: Machine;
  readonly #everyMs: number;
  readonly #ask: () => Promise<Value>;
  #failures = 0;
  #life = 0;
  #cancel: Stop = () => {};

  constructor(machine: Machine, everyMs: number, ask: () => Promise<Value>) {
    this.#machine = machine;
    this.#everyMs = everyMs;
    this.#ask = ask;
  }

  get value(): ReadonlySignal<Value | undefined> {
    return this.#value;
  }

  get problem(): ReadonlySignal<Problem | undefined> {
    return this.#problem;
  }

  /** Ends with what it returns. */
  start(): Stop {
    this.again();
    return () => this.#stop();
  }

  /** Asks now. */
  again(): void {
    this.#stop();
    void this.#look(this.#life);
  }

  #stop(): void {
    this.#life++;
    this.#cancel();
  }

  async #look(life: number): Promise<void> {
    try {
      const value = await this.#ask();
      if (life !== this.#life) return;
      this.#value.value = value;
      this.#problem.value = undefined;
      this.#failures = 0;
    } catch (error) {
      if (life !== this.#life) return;
      this.#problem.value = problemOf(error);
      this.#failures++;
    }
    const pauseMs = Math.min(Math.max(PAUSE_MS_MAX, this.#everyMs), this.#everyMs * 2 ** Math.min(this.#failures, 10));
    this.#cancel = this.#machine.after(pauseMs, () => void this.#look(life));
  }
}
