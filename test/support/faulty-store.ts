/**
 * A store in memory whose n-th operation fails, in LevelDB's ways (docs/yjs.md Y21).
 *
 * - A failed batch may or may not be there afterwards: `leaves` decides.
 * - After a failed batch later ones are acknowledged and readable, and gone after the next open: the trap the STOP rule is for.
 * - A failed open leaves the store closed; a failed close has closed it all the same.
 *
 * Not here: latency and crashes at a chosen time (test/sim).
 */
import { MemoryStore } from "../../server/storage/store/memory-store.ts";
import type { KeyValueStore, StoreOp, StoreView } from "../../server/storage/store/store.ts";

export type StoreOperation = "open" | "close" | "batch" | "get" | "pages";

export interface FaultPlan {
  /** Asked before each operation; true makes it fail. */
  fails(operation: StoreOperation): boolean;
  /** What of a failed batch is in the store afterwards. */
  readonly leaves: "nothing" | "everything";
}

/** Fails operation number `n` of those in `operations`, counted from 1, and `times - 1` after it. */
export function failNth(n: number, { times = 1, leaves = "nothing", operations }: Partial<NthOptions> = {}): NthPlan {
  let count = 0;
  return {
    leaves,
    fails(operation) {
      if (operations !== undefined && !operations.includes(operation)) return false;
      count++;
      return count >= n && count < n + times;
    },
    get wasReached() {
      return count >= n;
    },
  };
}

interface NthOptions {
  readonly times: number;
  readonly leaves: FaultPlan["leaves"];
  readonly operations: readonly StoreOperation[];
}

export interface NthPlan extends FaultPlan {
  /** False when the scenario had fewer operations: the loop over n is done. */
  readonly wasReached: boolean;
}

export class FaultyStore implements KeyValueStore {
  readonly location = "faulty memory";
  plan: FaultPlan;
  readonly #store: MemoryStore;
  /** The log file has a hole: what is written behind it is lost at the next open. */
  #isTorn = false;

  constructor(plan: FaultPlan, store: MemoryStore = new MemoryStore()) {
    this.plan = plan;
    this.#store = store;
  }

  async open(): Promise<void> {
    this.#failIf("open");
    await this.#store.open();
  }

  async close(): Promise<void> {
    if (this.#isTorn) this.#store.crash();
    this.#isTorn = false;
    await this.#store.close();
    this.#failIf("close");
  }

  /** The machine loses power. */
  crash(): void {
    this.#isTorn = false;
    this.#store.crash();
  }

  async batch(ops: readonly StoreOp[], { sync }: { readonly sync: boolean }): Promise<void> {
    if (this.plan.fails("batch")) {
      if (this.plan.leaves === "everything") await this.#store.batch(ops, { sync: true });
      this.#isTorn = true;
      throw ioError("batch");
    }
    await this.#store.batch(ops, { sync: sync && !this.#isTorn });
  }

  view<T>(use: (view: StoreView) => Promise<T>): Promise<T> {
    return this.#store.view((view) =>
      use({
        get: async (key) => {
          this.#failIf("get");
          return view.get(key);
        },
        pages: (range) => {
          this.#failIf("pages");
          return view.pages(range);
        },
      }),
    );
  }

  #failIf(operation: StoreOperation): void {
    if (this.plan.fails(operation)) throw ioError(operation);
  }
}

function ioError(operation: StoreOperation): Error {
  return new Error(`IO error: planted in ${operation}`);
}
