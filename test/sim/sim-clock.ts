/**
 * The Clock of one life of the server: simulated time, ids and chance from the seed.
 *
 * 1. After `stop` nothing that was scheduled runs: a killed process has no timers.
 * 2. The wall clock may be set, the monotonic one counts from the start of the process.
 */
import type { Clock } from "../../server/clock.ts";
import type { EventQueue } from "./event-queue.ts";
import type { Random } from "./random.ts";

/** 2026-01-01. */
export const EPOCH_MS = 1_767_225_600_000;

export class SimClock implements Clock {
  readonly #events: EventQueue;
  readonly #random: Random;
  readonly #bornMs: number;
  #skewMs: number;
  #isStopped = false;

  constructor(events: EventQueue, random: Random, skewMs: number) {
    this.#events = events;
    this.#random = random;
    this.#bornMs = events.nowMs;
    this.#skewMs = skewMs;
  }

  nowMs(): number {
    return EPOCH_MS + this.#events.nowMs + this.#skewMs;
  }

  monotonicMs(): number {
    return this.#events.nowMs - this.#bornMs;
  }

  setTimer(delayMs: number, task: () => void): () => void {
    let isCancelled = false;
    this.#events.after(delayMs, () => {
      if (!isCancelled && !this.#isStopped) task();
    });
    return () => {
      isCancelled = true;
    };
  }

  defer(task: () => void): void {
    this.setTimer(0, task);
  }

  newId(): string {
    return this.#random.uuid();
  }

  randomUint32(): number {
    return this.#random.uint32();
  }

  /** Somebody sets the wall clock. */
  setSkew(skewMs: number): void {
    this.#skewMs = skewMs;
  }

  stop(): void {
    this.#isStopped = true;
  }
}
