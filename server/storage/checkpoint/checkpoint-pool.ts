/**
 * Makes checkpoints on one worker thread, so that live sync never waits for the encoding of a document.
 *
 * The worker runs from dist as JavaScript; run from source (tests, development) it is loaded through tsx.
 * The thread starts with the first checkpoint and ends after a while without one.
 *
 * Not here: the making (checkpoint.ts).
 */
import { Piscina } from "piscina";
import type { Checkpoint } from "../change-log.ts";
import type { CheckpointBuilder, FoldInput } from "./checkpoint.ts";

const IDLE_MS = 60_000;

export class CheckpointPool implements CheckpointBuilder {
  #pool: Piscina<FoldInput, Checkpoint> | undefined;

  build({ base, tail, nodeClientId }: FoldInput): Promise<Checkpoint> {
    const pool = (this.#pool ??= this.#open());
    // Only what the fold reads, and each update by itself: a view is sent with all of the buffer it looks into.
    const bare = tail.map(({ seq, version, actor, update }) => ({ seq, version, actor, update: update.slice() }));
    return pool.run({ base, tail: bare, nodeClientId }, { name: "build" });
  }

  /** A worker that dies between tasks, or cannot start, takes the pool with it: what waits is rejected, the next build starts anew. */
  #open(): Piscina<FoldInput, Checkpoint> {
    const pool = newPool();
    pool.on("error", () => {
      if (this.#pool === pool) this.#pool = undefined;
      void pool.destroy();
    });
    return pool;
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
    ...(isSource ? { execArgv: ["--import", typeScriptLoader()] } : {}),
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: IDLE_MS,
  });
}

/** A module that teaches a thread TypeScript: `--import tsx` by itself does so on the main thread only. */
function typeScriptLoader(): string {
  const api = import.meta.resolve("tsx/esm/api");
  return `data:text/javascript,${encodeURIComponent(`import { register } from ${JSON.stringify(api)}; register();`)}`;
}
