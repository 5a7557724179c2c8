/** The cache while a context is on its way into it. */
import { expect, test } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import type { LogEntry, LogSize, StoredContext } from "../../server/storage/change-log.ts";
import { ContextCache } from "../../server/storage/context-cache.ts";
import { emptyCheckpoint, entryOf, epochOf, idOf, metaOf } from "../support/log-fixtures.ts";
import { ManualClock } from "../support/manual-clock.ts";

const plan = idOf("plan");
const entry = (seq: number): LogEntry => ({ ...entryOf(seq), seq, version: seq });
const newCache = (): ContextCache => new ContextCache(new ManualClock(), LIMITS);

function contextAt(seq: number): StoredContext {
  const tail = Array.from({ length: seq }, (_, index) => entry(index + 1));
  const head = { seq, version: seq, lockSeq: 0, updatedAtMs: 0 };
  const checkpoint = emptyCheckpoint();
  const meta = { ...metaOf("plan"), firstEpoch: checkpoint.firstEpoch };
  return { meta, head, checkpoint, tail, size: sizeAt(seq) };
}

/** Each entry takes ten bytes. */
function sizeAt(seq: number): LogSize {
  return { bytes: 1_000 + 10 * seq, logBytes: 10 * seq, baseSeq: 0, baseVersion: 0 };
}

/** What appending these gave. */
function growthOf(...entries: readonly LogEntry[]): Parameters<ContextCache["append"]>[1] {
  return { entries, size: sizeAt(entries.at(-1)?.seq ?? 0) };
}

const seqsIn = (cache: ContextCache): number[] | undefined => cache.get(plan)?.tail.map(({ seq }) => seq);

test("[CACHE-1] what was appended while a context was read is in the cache too, and once", async () => {
  const cache = newCache();
  const answer = await cache.fill(plan, async () => {
    cache.append(plan, growthOf(entry(2))); // in the answer already
    cache.append(plan, growthOf(entry(3), entry(4)));
    return contextAt(2);
  });
  expect(answer?.tail).toHaveLength(2);
  expect(seqsIn(cache)).toEqual([1, 2, 3, 4]);
  expect(cache.get(plan)).toMatchObject({ head: { seq: 4, version: 4 }, size: sizeAt(4) });
});

test("[CACHE-1] a lock entry moves what admission is held to, and it and a void are no update", async () => {
  const cache = newCache();
  await cache.fill(plan, () => Promise.resolve(contextAt(2)));
  const change = { ...entry(3), atMs: 30 };
  const lock = { op: "release", lockId: "l1" } as const;
  const locked: LogEntry = { ...entry(4), kind: "lock", lock, version: 3, atMs: 40 };
  const voided: LogEntry = { ...entry(5), kind: "void", version: 3, atMs: 50 };
  cache.append(plan, growthOf(change, locked, voided));
  expect(cache.get(plan)?.head).toEqual({ seq: 5, version: 3, lockSeq: 4, updatedAtMs: 30 });
});

test("[CACHE-1] a new epoch drops the context, also one on its way in", async () => {
  const epoch: LogEntry = { ...epochOf(3, 7), seq: 3, version: 2 };
  const cache = newCache();
  await cache.fill(plan, () => Promise.resolve(contextAt(2)));
  cache.append(plan, growthOf(epoch));
  expect(cache.get(plan)).toBeUndefined();
  await cache.fill(plan, async () => {
    cache.append(plan, growthOf(epoch));
    return contextAt(2);
  });
  expect(cache.get(plan)).toBeUndefined();
});

test("[CACHE-1] a checkpoint takes the place of the older one, also in the size unless that one is the base", async () => {
  const cache = newCache();
  await cache.fill(plan, () => Promise.resolve(contextAt(3)));
  cache.advance(plan, { ...emptyCheckpoint(), seq: 1, version: 1, state: new Uint8Array(100) });
  expect(cache.get(plan)?.size).toEqual({ ...sizeAt(3), bytes: 1_130 });
  cache.advance(plan, { ...emptyCheckpoint(), seq: 2, version: 2, state: new Uint8Array(70) });
  expect(cache.get(plan)?.size).toEqual({ ...sizeAt(3), bytes: 1_100 });
  expect(seqsIn(cache)).toEqual([3]);
});

test("[CACHE-1] a checkpoint that was made of a deleted context of the same id is not taken", async () => {
  const cache = newCache();
  await cache.fill(plan, () => Promise.resolve(contextAt(3)));
  const stale = { ...emptyCheckpoint(), seq: 2, version: 2, state: new Uint8Array(70), firstEpoch: 7 };
  cache.advance(plan, stale);
  expect(cache.get(plan)).toMatchObject({ checkpoint: emptyCheckpoint(), size: sizeAt(3) });
  expect(seqsIn(cache)).toEqual([1, 2, 3]);
});

test("[CACHE-1] what was dropped while it was read does not come back", async () => {
  for (const drop of ["delete", "clear"] as const) {
    const cache = newCache();
    await cache.fill(plan, async () => {
      if (drop === "delete") cache.delete(plan);
      else cache.clear();
      return contextAt(2);
    });
    expect(cache.get(plan)).toBeUndefined();
    await cache.fill(plan, () => Promise.resolve(contextAt(2)));
    expect(seqsIn(cache)).toEqual([1, 2]);
  }
});

test("[CACHE-1] a gap drops the context, and so does a checkpoint from the future", async () => {
  const cache = newCache();
  await cache.fill(plan, () => Promise.resolve(contextAt(2)));
  cache.append(plan, growthOf(entry(4)));
  expect(cache.get(plan)).toBeUndefined();
  await cache.fill(plan, () => Promise.resolve(contextAt(2)));
  cache.advance(plan, { ...emptyCheckpoint(), seq: 3, version: 3 });
  expect(cache.get(plan)).toBeUndefined();
});

test("[CACHE-1] a failed read leaves nothing behind", async () => {
  const cache = newCache();
  await expect(cache.fill(plan, () => Promise.reject(new Error("disk")))).rejects.toThrow("disk");
  cache.append(plan, growthOf(entry(1)));
  expect(cache.get(plan)).toBeUndefined();
});
