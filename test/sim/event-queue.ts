/**
 * The only source of time and order in a simulated run: a queue of events, and a trace of what they did.
 *
 * 1. Events run in order of time, those of one moment in the order they were scheduled.
 * 2. After each event all promise jobs it started have run (one turn of the real event loop), so an event is over when
 *    the next one begins.
 * 3. The first violation stops the run: what comes after it would only show its consequences.
 */
import { createHash } from "node:crypto";

interface SimEvent {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

export class EventQueue {
  #nowMs = 0;
  #scheduled = 0;
  #executed = 0;
  /** A binary heap. */
  readonly #heap: SimEvent[] = [];
  readonly #hash = createHash("sha256");
  readonly #print: ((line: string) => void) | undefined;
  #violation: string | undefined;

  constructor(print?: (line: string) => void) {
    this.#print = print;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  get executed(): number {
    return this.#executed;
  }

  get violation(): string | undefined {
    return this.#violation;
  }

  /** Fingerprint of everything noted so far; ends the trace. */
  digest(): string {
    return this.#hash.digest("hex").slice(0, 16);
  }

  /** Adds to the trace: two runs of a seed must note the same. */
  note(what: string): void {
    const line = `${this.#nowMs} ${what}`;
    this.#hash.update(line).update("\n");
    this.#print?.(line);
  }

  /** A checker found that `rule` is broken. */
  violate(rule: string, what: string): void {
    this.#violation ??= `${rule}: ${what} (at ${this.#nowMs} ms)`;
    this.note(`VIOLATION ${rule}: ${what}`);
  }

  after(delayMs: number, run: () => void): void {
    const event = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#scheduled++, run };
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    for (let up = (at - 1) >> 1; at > 0 && isBefore(event, heap[up]); up = (at - 1) >> 1) {
      swap(heap, at, up);
      at = up;
    }
  }

  /** Runs everything that is due until then, or until a violation. */
  async runUntil(endMs: number): Promise<void> {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= endMs; next = this.#heap[0]) {
      this.#pop();
      this.#nowMs = next.atMs;
      this.#executed++;
      try {
        next.run();
      } catch (error) {
        this.violate(
          "S9",
          `an exception that nobody caught: ${error instanceof Error ? (error.stack ?? "") : String(error)}`,
        );
      }
      await drain();
      if (this.#violation !== undefined) return;
    }
    this.#nowMs = endMs;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    for (let at = 0; ;) {
      const left = at * 2 + 1;
      const smaller = isBefore(heap[left + 1], heap[left]) ? left + 1 : left;
      if (!isBefore(heap[smaller], last)) return;
      swap(heap, at, smaller);
      at = smaller;
    }
  }
}

/** Resolves when no promise job is left. */
export function drain(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

function isBefore(a: SimEvent | undefined, b: SimEvent | undefined): boolean {
  if (a === undefined) return false;
  if (b === undefined) return true;
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

function swap(heap: SimEvent[], a: number, b: number): void {
  const [first, second] = [heap[a], heap[b]];
  if (first === undefined || second === undefined) return;
  heap[a] = second;
  heap[b] = first;
}
