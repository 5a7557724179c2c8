/**
 * A disk that outlives the server, and the store one life of the server sees on it: slow, failing, full, losing power.
 *
 * The fault model, never worse than what the system promises to withstand:
 * 1. A synced batch is on the disk some time before its caller hears of it. Power lost in between: it is there, or not at all.
 * 2. A batch that fails may be there or not. Whatever is written after it until the store is closed is seen by readers
 *    and lost then: LevelDB does so (docs/yjs.md Y21).
 * 3. A view that fails has no consequences.
 */
import { MemoryStore } from "../../server/storage/store/memory-store.ts";
import type { KeyValueStore, StoreOp, StoreView } from "../../server/storage/store/store.ts";
import type { EventQueue } from "./event-queue.ts";
import type { Random } from "./random.ts";

export interface DiskNature {
  readonly batchMsMax: number;
  readonly viewMsMax: number;
  /** In a thousand. */
  readonly batchFailures: number;
  readonly viewFailures: number;
}

const ALL = { gte: new Uint8Array(), lt: Uint8Array.of(0xff) };

export class SimDisk {
  readonly #events: EventQueue;
  readonly #random: Random;
  #nature: DiskNature;
  #content = new MemoryStore();
  #mounted: SimStore | undefined;
  isFull = false;
  #isSpared = false;

  constructor(events: EventQueue, random: Random, nature: DiskNature) {
    this.#events = events;
    this.#random = random;
    this.#nature = nature;
  }

  /** Nothing fails while the stage is set. */
  spare(isSpared: boolean): void {
    this.#isSpared = isSpared;
  }

  /** From now on nothing fails. */
  heal(): void {
    this.isFull = false;
    this.#nature = { ...this.#nature, batchFailures: 0, viewFailures: 0 };
  }

  /** The store as a new process sees it. */
  mount(): KeyValueStore {
    this.#mounted = new SimStore(this.#content, this);
    return this.#mounted;
  }

  /** The machine loses power. */
  crash(): void {
    this.#mounted?.crash();
    this.#mounted = undefined;
  }

  /** What a machine that lost power now would find, if nothing under way had made it. Undefined while the store is torn. */
  async durableCopy(): Promise<KeyValueStore | undefined> {
    if (this.#mounted?.isTorn === true) return undefined;
    const copy = new MemoryStore();
    await copy.open();
    await this.#content.open();
    const ops: StoreOp[] = [];
    await this.#content.view(async (view) => {
      for await (const page of view.pages(ALL)) for (const [key, value] of page) ops.push({ type: "put", key, value });
    });
    await copy.batch(ops, { sync: true });
    await copy.close();
    return copy;
  }

  // --- for SimStore

  after(msMax: "batch" | "view", run: () => void): void {
    const { batchMsMax, viewMsMax } = this.#nature;
    this.#events.after(this.#random.between(0, msMax === "batch" ? batchMsMax : viewMsMax), run);
  }

  failure(of: "batch" | "view"): Error | undefined {
    if (this.#isSpared) return undefined;
    if (of === "batch" && this.isFull) return new Error("no space left on the disk");
    const { batchFailures, viewFailures } = this.#nature;
    const isBad = this.#random.below(1000) < (of === "batch" ? batchFailures : viewFailures);
    return isBad ? new Error(`the ${of} failed`) : undefined;
  }

  coin(): boolean {
    return this.#random.percent(50);
  }

  note(what: string): void {
    this.#events.note(what);
  }
}

class SimStore implements KeyValueStore {
  readonly location = "the simulated disk";
  readonly #content: MemoryStore;
  readonly #disk: SimDisk;
  #isDead = false;
  /** A write failed and the store was not closed since. */
  isTorn = false;
  /** Batches handed over and not yet on the disk. */
  readonly #underWay = new Set<readonly StoreOp[]>();

  constructor(content: MemoryStore, disk: SimDisk) {
    this.#content = content;
    this.#disk = disk;
  }

  open(): Promise<void> {
    return this.#later("view", () => this.#content.open());
  }

  /** Of what came after a failed write nothing is left. */
  close(): Promise<void> {
    return this.#later("view", () => {
      if (this.isTorn) this.#content.crash();
      this.isTorn = false;
      return this.#content.close();
    });
  }

  batch(ops: readonly StoreOp[]): Promise<void> {
    this.#underWay.add(ops);
    return this.#later("batch", async () => {
      this.#underWay.delete(ops);
      const failure = this.#disk.failure("batch");
      if (failure === undefined) {
        await this.#content.batch(ops, { sync: !this.isTorn });
        return this.#later("batch", () => Promise.resolve());
      }
      this.#disk.note(`disk: ${failure.message}`);
      if (!this.isTorn && !this.#disk.isFull && this.#disk.coin()) await this.#content.batch(ops, { sync: true });
      this.isTorn = true;
      throw failure;
    });
  }

  view<T>(use: (view: StoreView) => Promise<T>): Promise<T> {
    return this.#later("view", () => {
      const failure = this.#disk.failure("view");
      if (failure !== undefined) return Promise.reject(failure);
      return this.#content.view(async (view) => {
        const result = await use({
          get: (key) => view.get(key),
          pages: (range) => view.pages(range),
        });
        await this.#later("view", () => Promise.resolve());
        return result;
      });
    });
  }

  crash(): void {
    this.#isDead = true;
    this.#content.crash();
    void this.#content.open();
    for (const ops of this.#underWay)
      if (!this.isTorn && this.#disk.coin()) void this.#content.batch(ops, { sync: true });
    void this.#content.close();
  }

  /** A dead process hears of nothing. */
  #later<T>(kind: "batch" | "view", task: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#disk.after(kind, () => {
        if (!this.#isDead) task().then(resolve, reject);
      });
    });
  }
}
