/**
 * Makes checkpoints, and documents anew, on one worker thread, so that live sync never waits for the encoding of a document.
 *
 * Not here: the making (checkpoint.ts), the thread (worker-pool.ts).
 */
import type { Monitor } from "../../monitor-port.ts";
import { bareEntry } from "../../state/document-fold.ts";
import { WorkerPool } from "../../worker-pool.ts";
import type { Checkpoint } from "../change-log.ts";
import type { CheckpointBuilder, FoldInput, RenewedDocument } from "./checkpoint.ts";
import type * as worker from "./checkpoint-worker.ts";

export class CheckpointPool implements CheckpointBuilder {
  readonly #pool: WorkerPool<typeof worker>;

  constructor(monitor?: Monitor) {
    const module = new URL("./checkpoint-worker", import.meta.url);
    this.#pool = new WorkerPool(module, { name: "checkpoints", threads: 1, monitor });
  }

  build(input: FoldInput): Promise<Checkpoint> {
    return this.#pool.run("build", sendable(input));
  }

  renew(input: FoldInput, salts: readonly number[]): Promise<RenewedDocument> {
    return this.#pool.run("renew", { ...sendable(input), salts });
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}

function sendable({ base, tail, nodeClientId }: FoldInput): FoldInput {
  return { base, tail: tail.map(bareEntry), nodeClientId };
}
