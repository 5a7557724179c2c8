/**
 * An ordered store in memory, with a disk's manners: unsynced batches are lost in a crash. For tests and the simulation.
 *
 * Invariants: those of the port (store.ts). Its content survives close() and open().
 *
 * Not here: failing on purpose (test/support/faulty-store.ts).
 */
import type { KeyValueStore, StoreItem, StoreOp, StoreRange, StoreView } from "./store.ts";

const PAGE_ITEMS = 256;

/** Values by key, and the keys in order. A key is held as a string of its bytes, which orders the same way. */
interface Content {
  readonly values: Map<string, Uint8Array>;
  readonly keys: string[];
}

interface Undo {
  readonly key: string;
  readonly before: Uint8Array | undefined;
}

export class MemoryStore implements KeyValueStore {
  readonly location = "memory";
  #content: Content = { values: new Map(), keys: [] };
  /** Views of `#content`; while there are any, a write goes to a copy. */
  #viewCount = 0;
  /** How to take back what was not synced, newest last. */
  readonly #unsynced: Undo[] = [];
  #isOpen = false;

  open(): Promise<void> {
    this.#isOpen = true;
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#isOpen = false;
    return Promise.resolve();
  }

  /** The machine loses power: what was not synced is gone, and the store is closed. */
  crash(): void {
    this.#detach();
    for (const { key, before } of this.#unsynced.splice(0).toReversed()) this.#set(key, before);
    this.#isOpen = false;
  }

  batch(ops: readonly StoreOp[], { sync }: { readonly sync: boolean }): Promise<void> {
    if (!this.#isOpen) return Promise.reject(new Error("the store is not open"));
    this.#detach();
    for (const op of ops) {
      const key = textOf(op.key);
      if (!sync) this.#unsynced.push({ key, before: this.#content.values.get(key) });
      this.#set(key, op.type === "put" ? op.value.slice() : undefined);
    }
    if (sync) this.#unsynced.length = 0;
    return Promise.resolve();
  }

  async view<T>(use: (view: StoreView) => Promise<T>): Promise<T> {
    if (!this.#isOpen) throw new Error("the store is not open");
    const content = this.#content;
    this.#viewCount++;
    try {
      return await use({
        get: (key) => Promise.resolve(content.values.get(textOf(key))),
        pages: (range) => pagesOf(content, range),
      });
    } finally {
      if (content === this.#content) this.#viewCount--;
    }
  }

  #detach(): void {
    if (this.#viewCount === 0) return;
    this.#content = { values: new Map(this.#content.values), keys: [...this.#content.keys] };
    this.#viewCount = 0;
  }

  #set(key: string, value: Uint8Array | undefined): void {
    const { values, keys } = this.#content;
    const isKnown = values.has(key);
    if (value !== undefined) values.set(key, value);
    else values.delete(key);
    if (isKnown === (value !== undefined)) return;
    keys.splice(firstFrom(keys, key), isKnown ? 1 : 0, ...(isKnown ? [] : [key]));
  }
}

async function* pagesOf(content: Content, range: StoreRange): AsyncIterable<readonly StoreItem[]> {
  const from = firstFrom(content.keys, textOf(range.gte));
  const to = Math.max(from, firstFrom(content.keys, textOf(range.lt)));
  let left = Math.min(to - from, range.limit ?? Infinity);
  for (let at = 0; left > 0; at += PAGE_ITEMS, left -= PAGE_ITEMS) {
    const count = Math.min(PAGE_ITEMS, left);
    const keys = range.reverse
      ? content.keys.slice(to - at - count, to - at).reverse()
      : content.keys.slice(from + at, from + at + count);
    yield keys.map((key) => [Buffer.from(key, "latin1"), content.values.get(key) ?? new Uint8Array()] as const);
  }
}

/** Index of the first key that is not before `key`. */
function firstFrom(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
