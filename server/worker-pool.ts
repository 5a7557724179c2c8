/**
 * Runs the functions of a module on worker threads, so that live sync never waits for heavy work.
 *
 *   import type * as module from "./checkpoint-worker.ts";
 *   new WorkerPool<typeof module>(new URL("./checkpoint-worker", import.meta.url), { name: "checkpoints", threads: 1 })
 *
 * Invariants:
 *  1. At most `threads` calls run at once; others wait in order. Threads start when needed and end after a while of rest.
 *  2. A thread that dies rejects what it ran; the last one takes what waits with it, and the next call starts anew.
 *  3. Run from dist the module is JavaScript; run from source (tests, development) a file is made of it first.
 *
 * Not here: what the functions do. Input and output are copied: send only what is read, and no view into a larger buffer.
 */
import { Piscina } from "piscina";
import { ServiceError } from "../shared/errors.ts";
import { NO_MONITOR } from "./monitor-port.ts";
import type { Monitor } from "./monitor-port.ts";

const IDLE_MS = 60_000;

const isSource = import.meta.url.endsWith(".ts");
const fromSource = isSource ? (await import("./worker-source.ts")).workerFromSource : undefined;

export interface WorkerPoolOptions {
  /** Under which its work is counted. */
  readonly name: string;
  readonly monitor?: Pick<Monitor, "working"> | undefined;
  readonly threads: number;
  /** Nobody live waits for it: its threads step back when cores are short. */
  readonly isBackground?: boolean;
}

/** The lowest there is. Only Linux gives threads a priority of their own; elsewhere it would be the whole process'. */
const BACKGROUND_NICENESS = process.platform === "linux" ? 19 : 0;

/** The shape of a worker module: each function takes one value. */
type Functions<Module> = { readonly [Name in keyof Module]: (input: never) => unknown };
type Input<F> = F extends (input: infer I) => unknown ? I : never;
type Output<F> = F extends (input: never) => infer O ? Awaited<O> : never;

export class WorkerPool<Module extends Functions<Module>> {
  readonly #module: URL;
  readonly #name: string;
  readonly #monitor: Pick<Monitor, "working">;
  readonly #threads: number;
  readonly #niceness: number;
  #pool: Piscina | undefined;
  #isClosed = false;

  /** `module` is without extension, and beside the source of the caller as beside its compiled form. */
  constructor(module: URL, { name, monitor = NO_MONITOR, threads, isBackground = false }: WorkerPoolOptions) {
    this.#module = module;
    this.#name = name;
    this.#monitor = monitor;
    this.#threads = threads;
    this.#niceness = isBackground ? BACKGROUND_NICENESS : 0;
  }

  /**
   * @param given buffers in `input` that the thread may keep: they are moved instead of copied, and are of no use here after
   * @throws what the function throws; an Error when its thread died; ServiceError SHUTTING_DOWN when the pool was closed
   */
  async run<Name extends keyof Module & string>(
    name: Name,
    input: Input<Module[Name]>,
    given: readonly ArrayBuffer[] = [],
  ): Promise<Output<Module[Name]>> {
    if (this.#isClosed) throw closed();
    this.#pool ??= this.#open();
    const ended = this.#monitor.working(this.#name);
    try {
      const output = await this.#pool.run(input, { name, transferList: [...given] });
      ended(true);
      return output;
    } catch (error) {
      ended(false);
      throw this.#isClosed ? closed(error) : error;
    }
  }

  /** Ends the threads; what runs and waits is rejected. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.destroy();
  }

  #open(): Piscina {
    const pool = new Piscina({
      filename: fromSource?.(this.#module) ?? `${this.#module.href}.js`,
      minThreads: 0,
      maxThreads: this.#threads,
      idleTimeout: IDLE_MS,
      niceIncrement: this.#niceness,
    });
    const retire = (): void => {
      if (this.#pool === pool) this.#pool = undefined;
      void pool.destroy();
    };
    pool.on("error", retire);
    // Piscina replaces a thread only when the next call comes: without this, what waits would wait for it.
    pool.on("workerDestroy", () => queueMicrotask(() => void (pool.threads.length === 0 && retire())));
    return pool;
  }
}

function closed(cause?: unknown): ServiceError {
  return new ServiceError("SHUTTING_DOWN", "The server is stopping. Ask again in a moment.", { cause });
}
