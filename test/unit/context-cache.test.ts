/** The cache while a context is on its way into it. */
import { expect, test } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import type { LogEntry, StoredContext } from "../../server/storage/change-log.ts";
import { ContextCache } from "../../server/storage/context-cache.ts";
import { emptyCheckpoint, entryOf, idOf, metaOf } from "../support/log-fixtures.ts";
import { ManualClock } from "../support/manual-clock.ts";

const plan = idOf("plan");
const entry = (seq: number): LogEntry => ({ ...entryOf(seq), seq, version: seq });
const newCache = (): ContextCache => new ContextCache(new ManualClock(), LIMITS);

function contextAt(seq: number): StoredContext {
  const tail = Array.from({ length: seq }, (_, index) => entry(index + 1));
  const head = { seq, version: seq, lockSeq: 0, updatedAtMs: 0 };
  return { meta: metaOf("plan"), head, checkpoint: emptyCheckpoint(), tail };
}

const seqsIn = (cache: ContextCache): number[] | undefined => cache.get(plan)?.tail.map(({ seq }) => seq);

test("[CACHE-1] what was appended while a context was read is in the cache too, and once", async () => {
  const cache = newCache();
  const answer = await cache.fill(plan, async () => {
    cache.append(plan, [entry(2)]); // in the answer already
    cache.append(plan, [entry(3), entry(4)]);
    return contextAt(2);
  });
  expect(answer?.tail).toHaveLength(2);
  expect(seqsIn(cache)).toEqual([1, 2, 3, 4]);
  expect(cache.get(plan)?.head).toMatchObject({ seq: 4, version: 4 });
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
  cache.append(plan, [entry(4)]);
  expect(cache.get(plan)).toBeUndefined();
  await cache.fill(plan, () => Promise.resolve(contextAt(2)));
  cache.advance(plan, { ...emptyCheckpoint(), seq: 3, version: 3 });
  expect(cache.get(plan)).toBeUndefined();
});

test("[CACHE-1] a failed read leaves nothing behind", async () => {
  const cache = newCache();
  await expect(cache.fill(plan, () => Promise.reject(new Error("disk")))).rejects.toThrow("disk");
  cache.append(plan, [entry(1)]);
  expect(cache.get(plan)).toBeUndefined();
});
