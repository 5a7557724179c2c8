/**
 * Makes checkpoints on one worker thread, so that live sync never waits for the encoding of a document.
 *
 * Not here: the making (checkpoint.ts), the thread (worker-pool.ts).
 */
import type { FoldEntry } from "../../state/document-fold.ts";
import type { Monitor } from "../../monitor-port.ts";
import { WorkerPool } from "../../worker-pool.ts";
import type { Checkpoint } from "../change-log.ts";
import type { CheckpointBuilder, FoldInput } from "./checkpoint.ts";
import type * as worker from "./checkpoint-worker.ts";

export class CheckpointPool implements CheckpointBuilder {
  readonly #pool: WorkerPool<typeof worker>;

  constructor(monitor?: Monitor) {
    const module = new URL("./checkpoint-worker", import.meta.url);
    this.#pool = new WorkerPool(module, { name: "checkpoints", threads: 1, monitor });
  }

  build({ base, tail, nodeClientId }: FoldInput): Promise<Checkpoint> {
    return this.#pool.run("build", { base, tail: tail.map(bare), nodeClientId });
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}

/** Only what the fold reads, and each update by itself: a view is sent with all of the buffer it looks into. */
function bare({ kind, seq, version, actor, atMs, update, authorSalt, lock }: FoldEntry): FoldEntry {
  return {
    kind,
    seq,
    version,
    actor,
    atMs,
    update: update.slice(),
    ...(lock === undefined ? {} : { lock }),
    ...(authorSalt === undefined ? {} : { authorSalt }),
  };
}
