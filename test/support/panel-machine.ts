/** The panel's machine in tests: pictures and time come when a test says so. */
import type { Machine } from "../../client/panel/store/machine.ts";

interface Timer {
  readonly dueMs: number;
  readonly task: () => void;
}

export class PanelMachine implements Machine {
  readonly baseUrl: string;
  readonly fetch: typeof fetch;
  readonly kept = new Map<string, string>();
  readonly memory: Machine["memory"] = {
    get: (name) => this.kept.get(name),
    set: (name, value) => void (value === undefined ? this.kept.delete(name) : this.kept.set(name, value)),
  };
  readonly #frames = new Set<() => void>();
  readonly #timers = new Set<Timer>();
  #nowMs = 1_760_000_000_000;

  constructor(baseUrl: string, fetching: typeof fetch = fetch) {
    this.baseUrl = baseUrl;
    this.fetch = fetching;
  }

  readonly frame = (task: () => void): (() => void) => {
    this.#frames.add(task);
    return () => void this.#frames.delete(task);
  };

  readonly after = (ms: number, task: () => void): (() => void) => {
    const timer = { dueMs: this.#nowMs + ms, task };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  };

  readonly nowMs = (): number => this.#nowMs;

  /** How many tasks wait for the next picture. */
  get frames(): number {
    return this.#frames.size;
  }

  /** How long until the next timer is due; undefined when there is none. */
  get nextMs(): number | undefined {
    const due = [...this.#timers].map(({ dueMs }) => dueMs - this.#nowMs);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  draw(): void {
    const tasks = [...this.#frames];
    this.#frames.clear();
    for (const task of tasks) task();
  }

  /** Time passes; what is due is done, and so is everything that follows at once. */
  async pass(ms: number): Promise<void> {
    this.#nowMs += ms;
    for (const timer of [...this.#timers].sort((a, b) => a.dueMs - b.dueMs)) {
      if (timer.dueMs > this.#nowMs || !this.#timers.delete(timer)) continue;
      timer.task();
    }
    await settled();
  }
}

/** Promises that are due are done. */
export async function settled(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}
