/**
 * Recreates documents on a worker thread, so that live sync never waits for it.
 *
 * Not here: how (state/compaction.ts), the thread (worker-pool.ts).
 */
import type { NewDocument, OldDocument } from "../state/compaction.ts";
import type { Monitor } from "../monitor-port.ts";
import { WorkerPool } from "../worker-pool.ts";
import type { Recreator } from "./compaction.ts";
import type * as worker from "./recreation-worker.ts";

export class RecreationPool implements Recreator {
  readonly #pool: WorkerPool<typeof worker>;

  constructor(monitor?: Monitor) {
    const module = new URL("./recreation-worker", import.meta.url);
    this.#pool = new WorkerPool(module, { name: "recreation", threads: 1, monitor });
  }

  /** To start a thread takes as long as a large document. */
  ready(): Promise<void> {
    return this.#pool.run("ready", undefined);
  }

  recreate(old: OldDocument): Promise<NewDocument> {
    return this.#pool.run("recreate", old);
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}
