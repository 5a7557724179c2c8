/** Reads of a transaction of which most were foreseen, and came with its first answer. */
import type { StoreItem, StoreRange, StoreView } from "../store/store.ts";
import type { Foreseen, FoundItems, RangeItems } from "./transaction-beginning.ts";
import { textOf } from "./transaction-reads.ts";

export class ForeseenReads implements StoreView {
  readonly #reads: StoreView;
  /** Undefined: it was asked for and is not there. */
  readonly #values: Map<string, Uint8Array | undefined>;
  readonly #ranges: ReadonlyMap<string, RangeItems>;

  constructor(reads: StoreView, { keys }: Pick<Foreseen, "keys">, { ofKeys, ofRanges }: FoundItems) {
    this.#reads = reads;
    this.#values = new Map(keys.map((key) => [textOf(key), undefined]));
    for (const [key, value] of ofKeys) this.#values.set(textOf(key), value);
    this.#ranges = new Map(ofRanges.map((found) => [nameOf(found.range), found]));
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const name = textOf(key);
    if (this.#values.has(name)) return this.#values.get(name);
    // the smallest key after it is that key with a zero byte behind it
    const around = this.#around({ gte: key, lt: Buffer.concat([key, Uint8Array.of(0)]) });
    return around === undefined ? this.#reads.get(key) : around.items.find((item) => textOf(item[0]) === name)?.[1];
  }

  pages(range: StoreRange): AsyncIterable<readonly StoreItem[]> {
    const items = this.#itemsOf(range);
    return items === undefined ? this.#reads.pages(range) : onePage(items.slice(0, range.limit));
  }

  #itemsOf(range: StoreRange): readonly StoreItem[] | undefined {
    const { gte, lt, reverse = false, limit = Infinity } = range;
    const found = this.#ranges.get(nameOf(range));
    if (found !== undefined && (!found.isCut || limit <= found.items.length)) return found.items;
    if (reverse) return undefined;
    return this.#around(range)?.items.filter(([key]) => !isBefore(key, gte) && isBefore(key, lt));
  }

  /** Where a turn began to wait it knew less than when it came: what it asks for then is a part of what was foreseen. */
  #around({ gte, lt }: StoreRange): RangeItems | undefined {
    for (const found of this.#ranges.values()) {
      const { range, isCut } = found;
      if (!isCut && range.reverse !== true && !isBefore(gte, range.gte) && !isBefore(range.lt, lt)) return found;
    }
    return undefined;
  }
}

function nameOf({ gte, lt, reverse = false }: StoreRange): string {
  return `${gte.length} ${textOf(gte)}${textOf(lt)}${reverse ? "<" : ">"}`;
}

function isBefore(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) < 0;
}

async function* onePage(items: readonly StoreItem[]): AsyncIterable<readonly StoreItem[]> {
  if (items.length > 0) yield items;
}
