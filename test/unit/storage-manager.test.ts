/** The manager over a log in memory: cache, checkpoints, the failed-write protocol, shutdown. */
import { afterEach, expect, test } from "vitest";
import { LIMITS, type Limits } from "../../shared/limits.ts";
import type { Checkpoint } from "../../server/storage/change-log.ts";
import { InlineCheckpointBuilder, type CheckpointBuilder } from "../../server/storage/checkpoint/checkpoint.ts";
import { KeyValueChangeLog } from "../../server/storage/log/key-value-change-log.ts";
import { SoleWriterCore } from "../../server/storage/log/sole-writer-core.ts";
import { StorageManager } from "../../server/storage/storage-manager.ts";
import { failNth, FaultyStore, type StoreOperation } from "../support/faulty-store.ts";
import { emptyCheckpoint, entryOf, epochOf, idOf, metaOf, Typist } from "../support/log-fixtures.ts";
import { ManualClock } from "../support/manual-clock.ts";

const plan = idOf("plan");
const never = failNth(Infinity);

interface Rig {
  readonly clock: ManualClock;
  readonly store: FaultyStore;
  readonly storage: StorageManager;
  /** Operations of the store since the last reset. */
  readonly operations: StoreOperation[];
  readonly events: string[];
}

let open: StorageManager[] = [];
afterEach(async () => {
  for (const storage of open) await storage.close();
  open = [];
});

async function start(options: { limits?: Partial<Limits>; checkpoints?: CheckpointBuilder } = {}): Promise<Rig> {
  const limits = { ...LIMITS, ...options.limits };
  const clock = new ManualClock();
  const operations: StoreOperation[] = [];
  const events: string[] = [];
  const counting = { leaves: "nothing", fails: (operation: StoreOperation) => operations.push(operation) < 0 } as const;
  const store = new FaultyStore(counting);
  const log = new KeyValueChangeLog(new SoleWriterCore({ store, clock, limits }));
  const storage = new StorageManager({
    log,
    clock,
    limits,
    checkpoints: options.checkpoints ?? new InlineCheckpointBuilder(),
  });
  storage.onFailure((ids) => void events.push(`failed ${ids.join()}`));
  storage.onRecovered(() => void events.push("recovered"));
  await storage.start();
  open.push(storage);
  await storage.create(metaOf("plan"), emptyCheckpoint());
  operations.length = 0;
  return { clock, store, storage, operations, events };
}

const turns = async (count = 10): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

test("[CACHE-1] a context that was just made, or loaded, is loaded again without the disk, appends included", async () => {
  const { storage, operations } = await start();
  await storage.append(plan, { seq: 0 }, [entryOf(1)]);
  operations.length = 0;
  const first = await storage.load(plan);
  expect(operations).toEqual([]);
  expect(first?.head).toMatchObject({ seq: 1, version: 1 });
  await storage.append(plan, { seq: 1 }, [entryOf(2), entryOf(3, { kind: "void" })]);
  operations.length = 0;
  const second = await storage.load(plan);
  expect(operations).toEqual([]);
  expect(first?.tail).toHaveLength(1);
  await storage.close();
  expect(second?.tail.map(({ seq, version }) => [seq, version])).toEqual([
    [1, 1],
    [2, 2],
    [3, 2],
  ]);
  expect(second?.head).toEqual({ seq: 3, version: 2, lockSeq: 0, updatedAtMs: 2_002 });
});

test("[CACHE-1] the cache and the disk answer alike", async () => {
  const { storage, clock } = await start({ limits: { checkpointTailEntries: 3 } });
  const typist = new Typist(1);
  const nothing = { ...entryOf(1), update: Uint8Array.of(0, 0), paths: [] };
  const lock = { op: "acquire", lockId: "l1", paths: ["/a"], mode: "shared", ttlMs: 1000 } as const;
  await storage.append(plan, { seq: 0 }, [
    { ...nothing, kind: "lock", lock },
    { ...nothing, kind: "void", message: "LOCKED" },
  ]);
  for (let n = 2; n < 10; n++) await storage.append(plan, { seq: n }, [typist.type(`${n}`)]);
  await storage.settled();
  const cached = await storage.load(plan);
  clock.advance(LIMITS.cacheTtlMs + 1);
  const stored = await storage.load(plan);
  expect(stored).toEqual(cached);
  expect(stored?.checkpoint.seq).toBeGreaterThan(0);
});

test("[CACHE-2] after its lifetime without use a context is read again; use renews it", async () => {
  const { storage, operations, clock } = await start();
  const reads = async (): Promise<number> => {
    operations.length = 0;
    await storage.load(plan);
    return operations.length;
  };
  clock.advance(LIMITS.cacheTtlMs - 1);
  expect(await reads()).toBe(0);
  clock.advance(LIMITS.cacheTtlMs - 1);
  expect(await reads()).toBe(0);
  clock.advance(LIMITS.cacheTtlMs + 1);
  expect(await reads()).toBeGreaterThan(0);
  expect(await reads()).toBe(0);
});

test("[CACHE-2] the cache has a bound in bytes, which appends count for too", async () => {
  const { storage, operations } = await start({ limits: { cacheBytesMax: 10_000 } });
  operations.length = 0;
  await storage.load(plan);
  expect(operations).toEqual([]);
  for (let n = 0; n < 5; n++) await storage.append(plan, { seq: n }, [entryOf(n, { update: new Uint8Array(2_500) })]);
  operations.length = 0;
  expect((await storage.load(plan))?.tail).toHaveLength(5);
  expect(operations).not.toEqual([]);
});

test("[CACHE-1] a deleted context is not in the cache, nor what its load answers too late", async () => {
  const { storage, clock } = await start();
  clock.advance(LIMITS.cacheTtlMs + 1);
  await Promise.all([storage.load(plan), storage.remove(plan), storage.load(plan)]);
  expect(await storage.load(plan)).toBeUndefined();
  await storage.create(metaOf("plan"), emptyCheckpoint());
  expect((await storage.load(plan))?.meta.epoch).toBe(2);
});

test("[STORE-4] load shows every append accepted before it, cached or not, and does not wait for later ones", async () => {
  const { storage, clock } = await start();
  for (const isCached of [true, false]) {
    if (!isCached) clock.advance(LIMITS.cacheTtlMs + 1);
    const before = (await storage.summary(plan))?.head.seq ?? 0;
    const appends = [1, 2, 3].map((n) => storage.append(plan, { lockSeq: 0 }, [entryOf(n)]));
    const loading = storage.load(plan);
    const later = storage.append(plan, { lockSeq: 0 }, [entryOf(4)]);
    expect((await loading)?.head.seq).toBeGreaterThanOrEqual(before + 3);
    await Promise.all([...appends, later]);
    expect((await storage.load(plan))?.head.seq).toBe(before + 4);
  }
});

test("[CKPT-5] after so many entries a checkpoint is written beside the traffic, one at a time", async () => {
  let running = 0;
  let most = 0;
  const inline = new InlineCheckpointBuilder();
  const built: number[] = [];
  const checkpoints: CheckpointBuilder = {
    async build(input): Promise<Checkpoint> {
      most = Math.max(most, ++running);
      await turns(3);
      running--;
      built.push(input.tail.length);
      return inline.build(input);
    },
    renew: (input, salts) => new InlineCheckpointBuilder().renew(input, salts),
    close: () => Promise.resolve(),
  };
  const { storage } = await start({ limits: { checkpointTailEntries: 5 }, checkpoints });
  const typist = new Typist(1);
  for (let n = 0; n < 40; n++) {
    await storage.append(plan, { seq: n }, [typist.type("x")]);
    await turns(1);
  }
  await storage.settled();
  expect(most).toBe(1);
  expect(built.length).toBeGreaterThan(1);
  const stored = await storage.load(plan);
  expect(new Typist(2).follow(stored).text).toBe("x".repeat(40));
  // also what came while the last one was made
  expect(stored?.tail.length).toBeLessThan(5);
});

test("[CKPT-5] a checkpoint that cannot be made is tried again only after as many entries; nothing else suffers", async () => {
  let tries = 0;
  const checkpoints: CheckpointBuilder = {
    build: () => Promise.reject(new Error(`no ${++tries}`)),
    renew: (input, salts) => new InlineCheckpointBuilder().renew(input, salts),
    close: () => Promise.resolve(),
  };
  const { storage } = await start({ limits: { checkpointTailEntries: 5 }, checkpoints });
  for (let n = 0; n < 20; n++) {
    await storage.append(plan, { seq: n }, [entryOf(n)]);
    await storage.settled();
  }
  expect(tries).toBe(4);
  expect(storage.status().available).toBe(true);
});

test("[STORE-9] a failed write: nothing is acknowledged, the affected are named once, pauses grow, then all is well", async () => {
  const { storage, store, clock, events } = await start();
  await storage.create(metaOf("calm"), emptyCheckpoint());
  store.plan = failNth(1, { operations: ["batch"] });
  const appends = [1, 2].map((n) => storage.append(plan, { lockSeq: 0 }, [entryOf(n)]));
  for (const append of appends) await expect(append).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(events).toEqual(["failed plan"]);
  expect(storage.status()).toMatchObject({
    available: false,
    lastError: "IO error: planted in batch",
    failedAtMs: clock.nowMs(),
    queueBytes: 0,
    lagMs: 0,
  });
  await expect(storage.append(idOf("calm"), { seq: 0 }, [entryOf(1)])).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
  });
  await expect(storage.load(idOf("calm"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });

  const opens: number[] = [];
  const failedAt = clock.nowMs();
  const failing = {
    leaves: "nothing",
    fails: (operation: StoreOperation) => operation === "open" && opens.push(clock.nowMs() - failedAt) > 0,
  } as const;
  store.plan = failing;
  for (let ms = 0; ms < 13_000; ms += 100) {
    clock.advance(100);
    await turns(3);
  }
  expect(opens).toEqual([100, 300, 700, 1500, 3100, 5100, 7100, 9100, 11_100]);
  expect(storage.status().lastError).toBe("IO error: planted in open");
  store.plan = never;
  clock.advance(LIMITS.reopenDelayMsMax);
  await turns();
  expect(events).toEqual(["failed plan", "recovered"]);
  expect(storage.status()).toEqual({ available: true, queueBytes: 0, lagMs: 0 });
  expect((await storage.load(plan))?.head.seq).toBe(0);
  expect(await storage.append(plan, { seq: 0 }, [entryOf(1)])).toMatchObject({ kind: "appended" });
});

test("[STORE-9] a checkpoint's failed write is a failed write", async () => {
  const { storage, store, events } = await start({ limits: { checkpointTailEntries: 1 } });
  store.plan = failNth(2, { operations: ["batch"] });
  await storage.append(plan, { seq: 0 }, [new Typist(1).type("x")]);
  await storage.settled();
  expect(events).toEqual(["failed "]);
});

test("[LOG-5] after a refused append the context takes no other until it was loaded, also across a recovery", async () => {
  const { storage, store, clock } = await start();
  store.plan = failNth(1, { operations: ["batch"] });
  await expect(storage.append(plan, { lockSeq: 0 }, [entryOf(1)])).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  clock.advance(LIMITS.reopenDelayMsMin);
  await turns();
  expect(storage.status().available).toBe(true);
  await expect(storage.append(plan, { lockSeq: 0 }, [entryOf(2)])).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  // What its caller holds may contain what was refused: nothing is said of it.
  const remembered = { key: "k", fingerprint: "f", version: 1, seq: 0, paths: [], atMs: 2_000 };
  await expect(storage.recordIdempotent(plan, remembered)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  await storage.load(plan);
  await storage.recordIdempotent(plan, { ...remembered, version: 0 });
  expect(await storage.append(plan, { lockSeq: 0 }, [entryOf(2)])).toMatchObject({ entries: [{ seq: 1 }] });
});

test("[LOG-5] a full queue refuses before anything is decided, and so the smaller append that follows", async () => {
  const { storage } = await start({ limits: { appendQueueBytesMax: 1_000 } });
  const small = storage.append(plan, { lockSeq: 0 }, [entryOf(1)]);
  const large = storage.append(plan, { lockSeq: 0 }, [entryOf(2, { update: new Uint8Array(2_000) })]);
  const after = storage.append(plan, { lockSeq: 0 }, [entryOf(3)]);
  expect(storage.status().queueBytes).toBe(2_008);
  await expect(large).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", details: { limitBytes: 1_000 } });
  await expect(after).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(await small).toMatchObject({ kind: "appended" });
  expect(storage.status().available).toBe(true);
  expect((await storage.load(plan))?.head.seq).toBe(1);
  expect(await storage.append(plan, { seq: 1 }, [entryOf(3)])).toMatchObject({ kind: "appended" });
});

test("[CACHE-1] what keeping, releasing and trimming change is loaded again", async () => {
  const { storage, clock } = await start({ limits: { checkpointTailEntries: 4 } });
  const typist = new Typist(1);
  for (let n = 0; n < 10; n++) await storage.append(plan, { seq: n }, [typist.type(`${n}`)]);
  await storage.settled();
  const alike = async (): Promise<void> => {
    const cached = await storage.load(plan);
    clock.advance(LIMITS.cacheTtlMs + 1);
    expect(await storage.load(plan)).toEqual(cached);
  };
  const newest = (await storage.load(plan))?.checkpoint;
  if (newest === undefined) throw new Error("no checkpoint");
  await storage.writeCheckpoint(plan, newest, { isKept: true });
  await alike();
  await storage.releaseCheckpoint(plan, newest.seq);
  await alike();
  await storage.trim(plan, newest);
  await alike();
  expect((await storage.load(plan))?.size).toMatchObject({ baseSeq: newest.seq });
  await storage.append(plan, { seq: 10 }, [epochOf(11, 5)]);
  await alike();
  expect((await storage.load(plan))?.meta).toMatchObject({ epoch: 2, authorSalt: 5 });
});

test("[LOG-17] records go through the manager, whose failures are seen there too", async () => {
  const { storage, store, events } = await start();
  await storage.writeRecords(undefined, [{ collection: "types", key: "k", value: { n: 1 } }]);
  expect(await storage.readRecord(undefined, "types", "k")).toEqual({ n: 1 });
  expect(await storage.listRecords(plan, "types", { limit: 5 })).toEqual([]);
  store.plan = failNth(1, { operations: ["batch"] });
  await expect(storage.writeRecords(plan, [{ collection: "types", key: "k", value: {} }])).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
  });
  expect(events).toEqual(["failed "]);
});

test("[STORE-10] old idempotency records go in time", async () => {
  const { storage, clock } = await start();
  const atMs = clock.nowMs();
  await storage.append(plan, { seq: 0 }, [entryOf(1, { atMs })], { idempotency: { key: "k", fingerprint: "f" } });
  clock.advance(60_000);
  await turns();
  expect(await storage.findIdempotent(plan, "k", 0)).toMatchObject({ key: "k" });
  clock.advance(LIMITS.idempotencyTtlMs);
  await turns();
  clock.advance(60_000);
  await turns();
  expect(await storage.findIdempotent(plan, "k", 0)).toBeUndefined();
});

test("[STORE-11] close finishes what was accepted, is safe to call twice and in a failure, and leaves no timer", async () => {
  const { storage, clock } = await start();
  const append = storage.append(plan, { seq: 0 }, [entryOf(1)]);
  const closing = storage.close();
  expect(storage.close()).toBe(closing);
  await closing;
  expect(await append).toMatchObject({ kind: "appended" });
  expect(storage.status().available).toBe(false);
  expect(clock.timerCount).toBe(0);

  const failed = await start();
  failed.store.plan = failNth(1, { operations: ["batch"] });
  await expect(failed.storage.append(plan, { seq: 0 }, [entryOf(1)])).rejects.toMatchObject({
    code: "STORE_UNAVAILABLE",
  });
  await failed.storage.close();
  expect(failed.clock.timerCount).toBe(0);
});
