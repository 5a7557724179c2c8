/** What the contract cannot see of the log over a store: what is left in the store, and heads that leave memory. */
import { expect, test } from "vitest";
import { LIMITS, type Limits } from "../../shared/limits.ts";
import { KeyValueChangeLog } from "../../server/storage/log/key-value-change-log.ts";
import { SoleWriterCore } from "../../server/storage/log/sole-writer-core.ts";
import type { KeyValueStore } from "../../server/storage/store/store.ts";
import { failNth, FaultyStore } from "../support/faulty-store.ts";
import { emptyCheckpoint, entryOf, idOf, metaOf } from "../support/log-fixtures.ts";
import { ManualClock } from "../support/manual-clock.ts";

const plan = idOf("plan");
const never = failNth(Infinity);

async function openLog(store: KeyValueStore, limits: Partial<Limits> = {}): Promise<KeyValueChangeLog> {
  const log = new KeyValueChangeLog(
    new SoleWriterCore({ store, clock: new ManualClock(), limits: { ...LIMITS, ...limits } }),
  );
  await log.open();
  return log;
}

/** Bytes of all runs. */
async function bytesOfRuns(store: KeyValueStore): Promise<number> {
  let bytes = 0;
  await store.view(async (view) => {
    for await (const page of view.pages({ gte: Buffer.from("l"), lt: Buffer.from("m") })) {
      for (const [, value] of page) bytes += value.length;
    }
  });
  return bytes;
}

/** First letters of all keys. */
async function lettersIn(store: KeyValueStore): Promise<string> {
  let letters = "";
  await store.view(async (view) => {
    for await (const page of view.pages({ gte: new Uint8Array(), lt: Uint8Array.of(255) })) {
      for (const [key] of page) letters += String.fromCharCode(key[0] ?? 0);
    }
  });
  return letters;
}

test("[LOG-10] a deleted context leaves its epoch and nothing else, also when its last append is in the same commit", async () => {
  const store = new FaultyStore(never);
  const log = await openLog(store);
  await log.create(metaOf("plan"), emptyCheckpoint());
  await log.append(plan, { seq: 0 }, [entryOf(1)]);
  await log.writeCheckpoint(plan, { ...emptyCheckpoint(), seq: 1, version: 1 });
  expect(await lettersIn(store)).toBe("!!!chkkl");
  await log.writeRecords(plan, [{ collection: "conflicts", key: "1.0", value: {} }]);
  await log.recordIdempotent(plan, { key: "k", fingerprint: "f", version: 1, seq: 0, paths: [], atMs: 2_000 });
  expect(await lettersIn(store)).toBe("!!!chikklrt");
  expect(await log.forgetIdempotent(2_001)).toBe(1);
  await Promise.all([log.append(plan, { seq: 1 }, [entryOf(2)]), log.remove(plan)]);
  expect(await lettersIn(store)).toBe("!!!e");
  await log.create(metaOf("plan"), emptyCheckpoint());
  expect(await lettersIn(store)).toBe("!!!chk");
  await log.close();
});

test("[LOG-10] a deletion that was cut short is finished by the next open, whichever of its steps failed", async () => {
  for (let step = 2; ; step++) {
    const store = new FaultyStore(never);
    const log = await openLog(store);
    await log.create(metaOf("plan"), emptyCheckpoint());
    await log.append(plan, { seq: 0 }, [entryOf(1)]);
    const plan2 = failNth(step, { operations: ["batch"] }); // step 1 is the deletion itself
    store.plan = plan2;
    await log.remove(plan).catch(() => undefined);
    store.plan = never;
    await log.close();
    const again = await openLog(store);
    expect(await again.load(plan)).toBeUndefined();
    expect(await lettersIn(store)).toBe("!!!e");
    await again.close();
    if (!plan2.wasReached) break;
  }
});

test("[LOG-19] a trim that was cut short leaves a log that is whole, whichever step failed; the next trim drops the rest", async () => {
  for (let step = 1; ; step++) {
    const store = new FaultyStore(never);
    const log = await openLog(store);
    await log.create(metaOf("plan"), emptyCheckpoint());
    // More runs than one step drops.
    for (let n = 1; n <= 2_500; n++) await log.append(plan, { seq: n - 1 }, [entryOf(n)]);
    const base = { ...emptyCheckpoint(), seq: 2_300, version: 2_300 };
    await log.writeCheckpoint(plan, { ...base, seq: 2_400, version: 2_400 });
    const fault = failNth(step, { operations: ["batch"] });
    store.plan = fault;
    await log.trim(plan, base).catch(() => undefined);
    store.plan = never;
    await log.close();

    const again = await openLog(store);
    const stored = await again.load(plan);
    expect(stored?.size.logBytes).toBe(await bytesOfRuns(store));
    const baseSeq = stored?.size.baseSeq ?? 0;
    expect(baseSeq).toBe(step === 1 ? 0 : 2_300);
    expect((await again.read(plan, 0, 1))[0]?.seq).toBe(baseSeq + 1);
    expect(await again.readBackwards(plan, Infinity, 9_999)).toHaveLength(2_500 - baseSeq);
    expect((await again.checkpointBefore(plan, baseSeq))?.seq).toBe(baseSeq);
    await again.trim(plan, base);
    expect((await again.load(plan))?.size.logBytes).toBe(await bytesOfRuns(store));
    expect(await lettersIn(store)).toBe(`!!!chkk${"l".repeat(200)}`);
    await again.close();
    if (!fault.wasReached) break;
    expect(step).toBeLessThan(9);
  }
});

test("[LOG-19] trims at the same time count what they drop once", async () => {
  const store = new FaultyStore(never);
  const log = await openLog(store);
  await log.create(metaOf("plan"), emptyCheckpoint());
  for (let n = 1; n <= 20; n++) await log.append(plan, { seq: n - 1 }, [entryOf(n)]);
  await log.writeCheckpoint(plan, { ...emptyCheckpoint(), seq: 20, version: 20 });
  await Promise.all([5, 12, 9].map((seq) => log.trim(plan, { ...emptyCheckpoint(), seq, version: seq })));
  expect((await log.load(plan))?.size).toMatchObject({ baseSeq: 12, logBytes: await bytesOfRuns(store) });
  await log.close();
});

test("[LOG-19] a run that reaches beyond the base stays, and counts, until the base has passed it", async () => {
  const store = new FaultyStore(never);
  const log = await openLog(store);
  await log.create(metaOf("plan"), emptyCheckpoint());
  await log.append(
    plan,
    { seq: 0 },
    [1, 2, 3].map((n) => entryOf(n)),
  );
  await log.append(plan, { seq: 3 }, [entryOf(4)]);
  await log.writeCheckpoint(plan, { ...emptyCheckpoint(), seq: 4, version: 4 });
  const sizes: number[] = [];
  for (const seq of [2, 3, 4]) {
    await log.trim(plan, { ...emptyCheckpoint(), seq, version: seq });
    const bytes = (await log.load(plan))?.size.logBytes ?? -1;
    expect(bytes).toBe(await bytesOfRuns(store));
    sizes.push(bytes);
  }
  expect(sizes[0]).toBeGreaterThan(sizes[1] ?? 0);
  expect(sizes[1]).toBeGreaterThan(0);
  expect(sizes[2]).toBe(0);
  await log.close();
});

test("[LOG-3] a head that is being written stays in memory, however few may", async () => {
  const store = new FaultyStore(never);
  const log = await openLog(store, { idleHeadsMax: 1, commitEntriesMax: 2 });
  const ids = ["a", "b", "c", "d"].map(idOf);
  for (const id of ids) await log.create(metaOf(id), emptyCheckpoint());
  const appends = Array.from({ length: 40 }, async (_, n) => {
    const result = await log.append(ids[n % 4] ?? plan, { lockSeq: 0 }, [entryOf(n)]);
    // Small commits: heads are let go while later appends to other contexts still wait for theirs.
    await log.append(ids[(n + 1) % 4] ?? plan, { lockSeq: 0 }, [entryOf(100 + n)]);
    return result.kind;
  });
  expect(new Set(await Promise.all(appends))).toEqual(new Set(["appended"]));
  for (const id of ids) {
    const stored = await log.load(id);
    expect(stored?.tail.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
  }
  await log.close();
});
