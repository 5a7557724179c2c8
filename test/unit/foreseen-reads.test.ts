/** Reads that came with the locks of a transaction: what they answer, and what has to be asked for. */
import { beforeEach, expect, test } from "vitest";
import { ForeseenReads } from "../../server/storage/postgres/foreseen-reads.ts";
import type { StoreItem, StoreRange, StoreView } from "../../server/storage/store/store.ts";

let asked: string[];

beforeEach(() => {
  asked = [];
});

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");
const item = (key: string): StoreItem => [bytes(key), bytes(`value of ${key}`)];
const range = (gte: string, lt: string, more: Partial<StoreRange> = {}): StoreRange => ({
  gte: bytes(gte),
  lt: bytes(lt),
  ...more,
});

const engine: StoreView = {
  async get(key) {
    asked.push(Buffer.from(key).toString());
    return bytes("asked for");
  },
  async *pages({ gte, lt }) {
    asked.push(`${Buffer.from(gte).toString()}-${Buffer.from(lt).toString()}`);
    yield [item("asked for")];
  },
};

interface Found {
  readonly range: StoreRange;
  readonly items: readonly StoreItem[];
  readonly isCut: boolean;
}

function foreseen(
  keys: readonly string[],
  ofKeys: readonly StoreItem[],
  ofRanges: readonly Found[] = [],
): ForeseenReads {
  return new ForeseenReads(engine, { keys: keys.map(bytes) }, { ofKeys, ofRanges });
}

async function keysIn(reads: ForeseenReads, asks: StoreRange): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of reads.pages(asks)) keys.push(...page.map(([key]) => Buffer.from(key).toString()));
  return keys;
}

test("[LOG-27] a key that was foreseen is not asked for, whether it is there or not; any other is", async () => {
  const reads = foreseen(["a", "b"], [item("a")]);
  expect(await reads.get(bytes("a"))).toEqual(bytes("value of a"));
  expect(await reads.get(bytes("b"))).toBeUndefined();
  expect(asked).toEqual([]);
  expect(await reads.get(bytes("c"))).toEqual(bytes("asked for"));
  expect(asked).toEqual(["c"]);
});

test("[LOG-27] of a range that came whole every part is known, and every key in it", async () => {
  const reads = foreseen([], [], [{ range: range("a", "f"), items: ["b", "c", "e"].map(item), isCut: false }]);
  expect(await keysIn(reads, range("a", "f"))).toEqual(["b", "c", "e"]);
  expect(await keysIn(reads, range("a", "f", { limit: 2 }))).toEqual(["b", "c"]);
  expect(await keysIn(reads, range("b", "e"))).toEqual(["b", "c"]);
  expect(await reads.get(bytes("c"))).toEqual(bytes("value of c"));
  expect(await reads.get(bytes("d"))).toBeUndefined();
  expect(asked).toEqual([]);
});

test("[LOG-27] what lies partly beyond a range, at its end or the other way round is asked for", async () => {
  const reads = foreseen([], [], [{ range: range("b", "f"), items: [item("c")], isCut: false }]);
  await keysIn(reads, range("a", "f"));
  await keysIn(reads, range("b", "g"));
  await keysIn(reads, range("b", "f", { reverse: true }));
  await reads.get(bytes("f"));
  expect(asked).toEqual(["a-f", "b-g", "b-f", "f"]);
});

test("[LOG-27] of a range that was cut only its beginning is known", async () => {
  const reads = foreseen([], [], [{ range: range("a", "f"), items: ["b", "c"].map(item), isCut: true }]);
  expect(await keysIn(reads, range("a", "f", { limit: 2 }))).toEqual(["b", "c"]);
  expect(asked).toEqual([]);
  await keysIn(reads, range("a", "f"));
  await keysIn(reads, range("b", "f"));
  await reads.get(bytes("e"));
  expect(asked).toEqual(["a-f", "b-f", "e"]);
});

test("[LOG-27] the last item of a range is known when it was asked for as such", async () => {
  const last = { reverse: true, limit: 1 };
  const reads = foreseen(
    [],
    [],
    [
      { range: range("a", "f", last), items: [item("e")], isCut: true },
      { range: range("f", "k", last), items: [], isCut: false },
    ],
  );
  expect(await keysIn(reads, range("a", "f", last))).toEqual(["e"]);
  expect(await keysIn(reads, range("f", "k", last))).toEqual([]);
  expect(asked).toEqual([]);
  await keysIn(reads, range("a", "f", { reverse: true, limit: 2 }));
  await keysIn(reads, range("a", "c"));
  expect(asked).toEqual(["a-f", "a-c"]);
});
