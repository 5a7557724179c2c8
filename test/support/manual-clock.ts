/**
 * A Clock that stands still until a test moves it. Ids and random numbers count up.
 *
 * Not here: deferring in order with other events (test/sim has its own clock); `defer` is a microtask here.
 */
import type { Clock } from "../../server/clock.ts";

interface Timer {
  readonly dueMs: number;
  readonly task: () => void;
}

export class ManualClock implements Clock {
  #nowMs = 1_760_000_000_000;
  /** What the wall clock is ahead. */
  #jumpedMs = 0;
  #count = 0;
  readonly #timers = new Set<Timer>();

  nowMs(): number {
    return this.#nowMs + this.#jumpedMs;
  }
  monotonicMs(): number {
    return this.#nowMs;
  }
  setTimer(delayMs: number, task: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, task };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }
  defer(task: () => void): void {
    queueMicrotask(task);
  }
  newId(): string {
    this.#count += 1;
    return `00000000-0000-4000-8000-${String(this.#count).padStart(12, "0")}`;
  }
  randomUint32(): number {
    this.#count += 1;
    return this.#count;
  }

  /** Timers that have not run and were not cancelled. */
  get timerCount(): number {
    return this.#timers.size;
  }

  /** Somebody sets the wall clock, forwards or back. No time passes. */
  jump(ms: number): void {
    this.#jumpedMs += ms;
  }

  /** Moves time on and runs what falls due, in order of time. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let next = this.#nextUntil(endMs); next !== undefined; next = this.#nextUntil(endMs)) {
      this.#timers.delete(next);
      this.#nowMs = next.dueMs;
      next.task();
    }
    this.#nowMs = endMs;
  }

  #nextUntil(endMs: number): Timer | undefined {
    return [...this.#timers].filter(({ dueMs }) => dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0];
  }
}
