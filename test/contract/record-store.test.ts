/** What every RecordStore owes the SDK; and what each does when its medium fails it. */
import { IDBFactory } from "fake-indexeddb";
import { appendFile, mkdtemp, readFile, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { indexedDb } from "../../client/indexed-db.ts";
import { fileStore } from "../../client/node/file-store.ts";
import { ReplicaStore } from "../../client/replica-store.ts";
import type { KeptEdit, KeptReplica, Persistence, RecordStore, StoredReplica } from "../../client/replica-store.ts";

const record = (...values: number[]): Uint8Array => new Uint8Array(values);
const loaded = async (store: RecordStore): Promise<number[][]> => (await store.load()).map((bytes) => [...bytes]);

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcm-store-"));
  vi.stubGlobal("indexedDB", new IDBFactory());
});

afterEach(async () => {
  vi.unstubAllGlobals();
  await rm(folder, { recursive: true });
});

const STORES: [string, () => Persistence][] = [
  ["files", () => fileStore(folder)],
  ["IndexedDB", () => indexedDb()],
];

describe.each(STORES)("[SDK-20] a record store in %s", (_name, persistence) => {
  test("gives back what was appended, in order", async () => {
    const store = await persistence().open("a");
    expect(await loaded(store)).toEqual([]);
    await Promise.all([1, 2, 3].map((value) => store.append(record(value, 0, 255))));
    await store.append(record(4));
    await store.close();
    const again = await persistence().open("a");
    expect(await loaded(again)).toEqual([[1, 0, 255], [2, 0, 255], [3, 0, 255], [4]]);
    await again.close();
  });

  test("puts records in the place of older ones, not of newer ones", async () => {
    const store = await persistence().open("a");
    await store.load();
    const writes = [
      store.append(record(1)),
      store.append(record(2)),
      store.replace([record(3), record(4)]),
      store.append(record(5)),
    ];
    await Promise.all(writes);
    await store.replace([]);
    await Promise.all([store.append(record(6)), store.replace([record(7)]), store.append(record(8))]);
    await store.close();
    const again = await persistence().open("a");
    expect(await loaded(again)).toEqual([[7], [8]]);
    await again.replace([record(9)]);
    await again.close();
    const last = await persistence().open("a");
    expect(await loaded(last)).toEqual([[9]]);
    await last.close();
  });

  test("keeps names apart", async () => {
    const [a, b] = await Promise.all([persistence().open("a"), persistence().open("b")]);
    await a.append(record(1));
    expect(await loaded(b)).toEqual([]);
    await Promise.all([a.close(), b.close()]);
  });

  test("waits at close for what was appended", async () => {
    const store = await persistence().open("a");
    void store.append(record(1));
    await store.close();
    const again = await persistence().open("a");
    expect(await loaded(again)).toEqual([[1]]);
    await again.close();
  });
});

describe("[SDK-20] files", () => {
  const onlyFile = async (): Promise<string> => join(folder, (await readdir(folder))[0] ?? "");

  test("a record that was cut short, at any byte, is dropped and written over", async () => {
    const store = await fileStore(folder).open("a");
    await store.append(record(1, 2, 3));
    await store.append(record(4, 5, 6));
    await store.close();
    const file = await onlyFile();
    const whole = await readFile(file);
    for (let length = whole.byteLength - 1; length >= 0; length--) {
      await writeFile(file, whole);
      await truncate(file, length);
      const torn = await fileStore(folder).open("a");
      const expected = length >= whole.byteLength / 2 ? [[1, 2, 3]] : [];
      expect(await loaded(torn)).toEqual(expected);
      await torn.append(record(9));
      await torn.close();
      const again = await fileStore(folder).open("a");
      expect(await loaded(again)).toEqual([...expected, [9]]);
      await again.close();
    }
  });

  test("a damaged or unwritten tail is dropped", async () => {
    const store = await fileStore(folder).open("a");
    await store.append(record(1));
    await store.append(record(2));
    await store.close();
    const file = await onlyFile();
    const damaged = await readFile(file);
    damaged[damaged.byteLength - 1] = 99;
    await writeFile(file, damaged);
    await appendFile(file, Buffer.alloc(64));
    const again = await fileStore(folder).open("a");
    expect(await loaded(again)).toEqual([[1]]);
    await again.close();
  });

  test("are open once", async () => {
    const persistence = fileStore(folder);
    const store = await persistence.open("a");
    await expect(persistence.open("a")).rejects.toThrow("open already");
    await store.close();
    await (await persistence.open("a")).close();
  });
});

describe("[SDK-20] IndexedDB", () => {
  test("one tab's replace leaves another tab's records", async () => {
    const [mine, theirs] = await Promise.all([indexedDb().open("a"), indexedDb().open("a")]);
    await mine.append(record(1));
    await theirs.append(record(2));
    await mine.append(record(3));
    await mine.replace([record(4)]);
    await mine.close();
    await theirs.close();
    const again = await indexedDb().open("a");
    expect((await loaded(again)).flat().toSorted((a, b) => a - b)).toEqual([2, 4]);
  });

  test("a database that was deleted under it fails writes, and does not throw", async () => {
    const store = await indexedDb().open("a");
    await new Promise((resolve) => indexedDB.deleteDatabase("mcm:a").addEventListener("success", resolve));
    await expect(store.append(record(1))).rejects.toThrow(/not allowed/);
    await store.close();
  });
});

describe("[SDK-20] a replica's store", () => {
  class ListStore implements RecordStore {
    records: Uint8Array[] = [];
    fails = false;
    calls = 0;
    load = async (): Promise<readonly Uint8Array[]> => this.records;
    append = (bytes: Uint8Array): Promise<void> => this.#write(() => this.records.push(bytes));
    replace = (records: readonly Uint8Array[]): Promise<void> => this.#write(() => (this.records = [...records]));
    close = async (): Promise<void> => {};

    async #write(write: () => void): Promise<void> {
      this.calls++;
      if (this.fails) throw new Error("disk full");
      write();
    }
  }

  const whole = (): KeptReplica => ({ epoch: 1, state: record(42), edits: [] });
  const load = (list: ListStore): Promise<StoredReplica> => new ReplicaStore(list, () => {}).load();

  test("[SDK-18] remembers all updates, and which edits may not be saved", async () => {
    const list = new ListStore();
    const store = new ReplicaStore(list, () => {});
    store.record(record(1, 2), 3, undefined, whole);
    store.record(record(3), 3, 1, whole);
    store.record(record(4), 3, 2, whole);
    const updates = [record(1, 2), record(3), record(4)];
    expect(await load(list)).toEqual({ epoch: 3, updates, edits: [record(3), record(4)], strays: [] });
    store.recordSaved(1);
    expect(await load(list)).toEqual({ epoch: 3, updates, edits: [record(4)], strays: [] });
    store.recordSaved(2);
    expect((await load(list)).edits).toEqual([]);
  });

  test("[SDK-18] what one process saved says nothing of another's edits", async () => {
    const list = new ListStore();
    const [first, second] = [new ReplicaStore(list, () => {}), new ReplicaStore(list, () => {})];
    first.record(record(1), 3, 1, whole);
    second.record(record(2), 3, 1, whole);
    first.recordSaved(1);
    expect((await load(list)).edits).toEqual([record(2)]);
  });

  test("[SDK-12] documents of two epochs are kept apart: of the older one only its unsaved edits are told", async () => {
    const list = new ListStore();
    const [behind, ahead] = [new ReplicaStore(list, () => {}), new ReplicaStore(list, () => {})];
    ahead.replace({ epoch: 4, state: record(9), edits: [{ number: 7, update: record(8) }] });
    behind.record(record(1), 3, undefined, whole);
    behind.record(record(2), 3, 1, whole);
    expect(await load(list)).toEqual({
      epoch: 4,
      updates: [record(9), record(8)],
      edits: [record(8)],
      strays: [record(2)],
    });
  });

  test("an empty store, and records of an earlier form, are no replica", async () => {
    const list = new ListStore();
    await list.append(Uint8Array.of(1, 9, 9));
    expect(await load(list)).toEqual({ epoch: undefined, updates: [], edits: [], strays: [] });
  });

  test("folds what it has into few records now and then", async () => {
    const list = new ListStore();
    const store = new ReplicaStore(list, () => {});
    for (let i = 0; i < 2000; i++) store.record(record(1), 1, undefined, whole);
    expect(list.records.length).toBeLessThanOrEqual(500);
    expect((await store.load()).updates[0]).toEqual(record(42));
  });

  test("many edits that wait are not folded again and again", async () => {
    const list = new ListStore();
    const store = new ReplicaStore(list, () => {});
    const edits: KeptEdit[] = [];
    let folds = 0;
    for (let number = 1; number <= 4000; number++) {
      edits.push({ number, update: record(1) });
      store.record(record(1), 1, number, () => {
        folds++;
        return { ...whole(), edits };
      });
    }
    expect(folds).toBeLessThan(5);
    expect((await load(list)).edits).toHaveLength(4000);
  });

  test("[SDK-20] tells of a failure once and leaves the medium alone after", async () => {
    const list = new ListStore();
    const failures: unknown[] = [];
    const store = new ReplicaStore(list, (error) => failures.push(error));
    list.fails = true;
    store.record(record(1), 1, undefined, whole);
    store.record(record(2), 1, undefined, whole);
    await store.close();
    store.record(record(3), 1, undefined, whole);
    expect(failures).toEqual([new Error("disk full")]);
    expect(list.calls).toBe(2);
  });
});
