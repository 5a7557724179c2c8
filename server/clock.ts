/**
 * Port: time, timers, randomness and the event loop's turn. The simulation gives another one.
 *
 * Invariants:
 *  1. Nothing in server/ outside this file and the composition root reads a clock or starts a timer by itself.
 *  2. `defer` runs after the input that is ready now has been handled; deferred functions run in the order given.
 *
 * Not here: wall-clock formatting.
 */
import { randomBytes, randomUUID } from "node:crypto";

export interface Clock {
  /** Milliseconds since 1970; may jump. For records shown to people. */
  nowMs(): number;
  /** Milliseconds of a clock that never jumps. For durations and expiry. */
  monotonicMs(): number;
  /** Runs `task` once after `delayMs`; the returned function cancels it. A pending timer never keeps the process alive. */
  setTimer(delayMs: number, task: () => void): () => void;
  /** Runs `task` at the end of this event-loop turn. */
  defer(task: () => void): void;
  /** A UUID v4. */
  newId(): string;
  /** A random integer in [0, 2^32). */
  randomUint32(): number;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
  defer: (task) => void setImmediate(task),
  newId: () => randomUUID(),
  randomUint32: () => randomBytes(4).readUInt32BE(0),
};
