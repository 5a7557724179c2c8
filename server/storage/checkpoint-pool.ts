/**
 * Makes checkpoints on one worker thread, so that live sync never waits for the encoding of a document.
 *
 * The worker runs from dist as JavaScript; run from source (tests, development) it is loaded through tsx.
 * The thread starts with the first checkpoint and ends after a while without one.
 *
 * Not here: the making (checkpoint.ts).
 */
import { Piscina } from "piscina";
import type { Checkpoint } from "./change-log.ts";
import type { CheckpointBuilder, FoldInput } from "./checkpoint.ts";

const IDLE_MS = 60_000;

export class CheckpointPool implements CheckpointBuilder {
  #pool: Piscina<FoldInput, Checkpoint> | undefined;

  build({ base, tail, nodeClientId }: FoldInput): Promise<Checkpoint> {
    this.#pool ??= newPool();
    // Only what the fold reads, and each update by itself: a view is sent with all of the buffer it looks into.
    const bare = tail.map(({ seq, version, actor, update }) => ({ seq, version, actor, update: update.slice() }));
    return this.#pool.run({ base, tail: bare, nodeClientId }, { name: "build" });
  }

  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.destroy();
  }
}

function newPool(): Piscina<FoldInput, Checkpoint> {
  const isSource = import.meta.url.endsWith(".ts");
  return new Piscina({
    filename: new URL(`./checkpoint-worker.${isSource ? "ts" : "js"}`, import.meta.url).href,
    ...(isSource ? { execArgv: ["--import", "tsx"] } : {}),
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: IDLE_MS,
  });
}
