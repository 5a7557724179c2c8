/**
 * Port: does the heavy work of the history. A worker thread in the server; the caller's own in tests and the simulation.
 *
 * Not here: the work (history-tasks.ts).
 */
import { ServiceError } from "../../shared/errors.ts";
import type { Checkpoint } from "../storage/change-log.ts";
import type { Monitor } from "../monitor-port.ts";
import { WorkerPool } from "../worker-pool.ts";
import { answer, checkpointOf } from "./history-tasks.ts";
import type { Excerpt, HistoryTask } from "./history-tasks.ts";
import type * as worker from "./history-worker.ts";
import type { Outcome } from "./history-worker.ts";

export interface HistoryRunner {
  /** JSON text. @throws {ServiceError} what the task refuses */
  ask(excerpt: Excerpt, task: HistoryTask): Promise<string>;
  checkpoint(excerpt: Excerpt): Promise<Checkpoint>;
  close(): Promise<void>;
}

export class HistoryThread implements HistoryRunner {
  readonly #pool: WorkerPool<typeof worker>;

  constructor(monitor?: Monitor) {
    const module = new URL("./history-worker", import.meta.url);
    this.#pool = new WorkerPool(module, { name: "history", threads: 1, isBackground: true, monitor });
  }

  async ask(excerpt: Excerpt, task: HistoryTask): Promise<string> {
    return valueOf(await this.#pool.run("ask", { excerpt, task }, buffersOf(excerpt)));
  }

  async checkpoint(excerpt: Excerpt): Promise<Checkpoint> {
    return valueOf(await this.#pool.run("checkpoint", excerpt, buffersOf(excerpt)));
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}

export class InlineHistory implements HistoryRunner {
  async ask(excerpt: Excerpt, task: HistoryTask): Promise<string> {
    return answer(excerpt, task);
  }

  async checkpoint(excerpt: Excerpt): Promise<Checkpoint> {
    return checkpointOf(excerpt);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Copying them would hold the event loop for as long as the history is large. */
function buffersOf({ pages }: Excerpt): ArrayBuffer[] {
  return pages.flatMap(({ rows, numbers, updates }) => [rows.buffer, numbers.buffer, updates.buffer]);
}

function valueOf<Value>(outcome: Outcome<Value>): Value {
  if ("value" in outcome) return outcome.value;
  const { code, message, details } = outcome.refused;
  throw new ServiceError(code, message, { details });
}
