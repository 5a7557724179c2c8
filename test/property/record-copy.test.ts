/** A store made the same as another, whatever is in it, wherever the copy was cut: rule DATA-24. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { COPY_KEY, EVERYTHING, FORMAT_KEY } from "../../server/storage/log/log-keys.ts";
import { RecordCopy } from "../../server/storage/migrate/record-copy.ts";
import { MemoryStore } from "../../server/storage/store/memory-store.ts";
import type { KeyValueStore, StoreItem, StoreOp } from "../../server/storage/store/store.ts";

const FORMAT: StoreItem = [FORMAT_KEY, Buffer.from("2")];

/** Few names, so that two sources share many. */
const records = fc
  .dictionary(fc.stringMatching(/^[cehklr][ab]{0,3}$/), fc.constantFrom("1", "2", "3"), { maxKeys: 25 })
  .map((all) => Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)))
  .map((all) => all.map(([key, value]): StoreItem => [Buffer.from(key), Buffer.from(value)]));

function pagesOf(items: readonly StoreItem[], size: number): (readonly StoreItem[])[] {
  const all = [FORMAT, ...items];
  return Array.from({ length: Math.ceil(all.length / size) }, (_, n) => all.slice(n * size, (n + 1) * size));
}

function textOf([key, value]: StoreItem): string {
  return `${Buffer.from(key).toString()}=${Buffer.from(value).toString()}`;
}

async function contentOf(store: KeyValueStore): Promise<readonly string[]> {
  const found: string[] = [];
  await store.view(async (view) => {
    for await (const page of view.pages(EVERYTHING)) found.push(...page.map(textOf));
  });
  return found;
}

async function opened(): Promise<MemoryStore> {
  const store = new MemoryStore();
  await store.open();
  return store;
}

async function isData(store: KeyValueStore): Promise<boolean> {
  const [format, mark] = await store.view((view) => Promise.all([view.get(FORMAT_KEY), view.get(COPY_KEY)]));
  return format !== undefined || mark === undefined;
}

/** Says that it wrote, and did not. */
class ForgetfulStore extends MemoryStore {
  override batch(ops: readonly StoreOp[], options: { readonly sync: boolean }): Promise<void> {
    return super.batch(
      ops.filter(({ key }) => !key.includes("x".charCodeAt(0))),
      options,
    );
  }
}

const attempts = fc.array(
  fc.record({ items: records, size: fc.integer({ min: 1, max: 9 }), cutAfter: fc.option(fc.nat({ max: 8 })) }),
  { minLength: 1, maxLength: 4 },
);

test("[DATA-24] after attempts that were cut, or of what changed since, a whole one leaves exactly the source's records", async () => {
  await fc.assert(
    fc.asyncProperty(attempts, records, fc.integer({ min: 1, max: 9 }), async (before, last, size) => {
      const target = await opened();
      for (const { items, size: pageSize, cutAfter } of before) {
        const copy = await RecordCopy.begin(target);
        for (const page of pagesOf(items, pageSize).slice(0, cutAfter ?? undefined)) await copy.add(page);
        if (cutAfter === null) await copy.end();
        expect(await isData(target)).toBe(false);
      }
      const copy = await RecordCopy.begin(target);
      for (const page of pagesOf(last, size)) await copy.add(page);
      await copy.end();
      await copy.finish(FORMAT);
      expect(await contentOf(target)).toEqual([FORMAT, ...last].map(textOf));
      await expect(RecordCopy.begin(target)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    }),
    { numRuns: 200 },
  );
});

test("[DATA-24] a record that is not there when it is read back ends the copy; a store of something else is not touched", async () => {
  const forgetful = new ForgetfulStore();
  await forgetful.open();
  const copy = await RecordCopy.begin(forgetful);
  await copy.add([FORMAT, [Buffer.from("ca"), Buffer.from("1")]]);
  await expect(copy.add([[Buffer.from("cx"), Buffer.from("1")]])).rejects.toMatchObject({ code: "DATA_DAMAGED" });
  expect(await isData(forgetful)).toBe(false);

  const others = await opened();
  const theirs: StoreItem = [Buffer.from("theirs"), Buffer.from("1")];
  await others.batch([{ type: "put", key: theirs[0], value: theirs[1] }], { sync: true });
  await expect(RecordCopy.begin(others)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
  expect(await contentOf(others)).toEqual([textOf(theirs)]);
});
