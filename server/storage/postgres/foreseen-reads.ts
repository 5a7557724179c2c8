/** Reads of a transaction of which most were foreseen, and came with its first answer. */
import type { KeyRange } from "../log/log-keys.ts";
import type { StoreItem, StoreRange, StoreView } from "../store/store.ts";
import { textOf } from "./transaction-reads.ts";

/** Items of one range that come with the first answer; where there are as many there may be more. */
export const FORESEEN_MAX = 64;

interface Foreseen {
  readonly keys: readonly Uint8Array[];
  readonly ranges: readonly KeyRange[];
}

export class ForeseenReads implements StoreView {
  readonly #reads: StoreView;
  readonly #found: readonly StoreItem[];
  /** Undefined: it was asked for and is not there. */
  readonly #values: Map<string, Uint8Array | undefined>;
  readonly #ranges: readonly KeyRange[];

  constructor(reads: StoreView, { keys, ranges }: Foreseen, found: readonly StoreItem[]) {
    this.#reads = reads;
    this.#found = found;
    this.#ranges = ranges;
    this.#values = new Map(keys.map((key) => [textOf(key), undefined]));
    for (const [key, value] of found) this.#values.set(textOf(key), value);
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const name = textOf(key);
    return this.#values.has(name) ? this.#values.get(name) : this.#reads.get(key);
  }

  pages(range: StoreRange): AsyncIterable<readonly StoreItem[]> {
    const items = range.reverse === true ? undefined : this.#itemsOf(range);
    return items === undefined ? this.#reads.pages(range) : onePage(items.slice(0, range.limit));
  }

  #itemsOf({ gte, lt }: KeyRange): readonly StoreItem[] | undefined {
    const isForeseen = this.#ranges.some((one) => isSame(one.gte, gte) && isSame(one.lt, lt));
    if (!isForeseen) return undefined;
    const items = this.#found.filter(([key]) => Buffer.compare(key, gte) >= 0 && Buffer.compare(key, lt) < 0);
    return items.length < FORESEEN_MAX ? items.sort(([one], [other]) => Buffer.compare(one, other)) : undefined;
  }
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}

async function* onePage(items: readonly StoreItem[]): AsyncIterable<readonly StoreItem[]> {
  if (items.length > 0) yield items;
}
