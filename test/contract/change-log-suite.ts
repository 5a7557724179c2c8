/**
 * The contract of ChangeLog, for every implementation (LOG rules in server/SPEC.md).
 *
 * Not here: what only a disk or a network can do wrong (test/integration).
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AppendResult, ChangeLog, LogEntry, StoredNews } from "../../server/storage/change-log.ts";
import { MemoryChangeLog } from "../../server/storage/log/memory-change-log.ts";
import { MemoryStore } from "../../server/storage/store/memory-store.ts";
import { alice, bob, emptyCheckpoint, entryOf, idOf, metaOf, numberIn } from "../support/log-fixtures.ts";
import { testPast } from "./change-log-past-suite.ts";

export interface LogManifest {
  /** A log of the same data; called again after close() it gives one that continues. */
  open(): Promise<ChangeLog>;
  /** Removes the data. */
  dispose(): Promise<void>;
}

export interface LogTraits {
  /** A second object over the same data continues where the first stopped. */
  readonly survivesReopen: boolean;
}

export function describeChangeLog(name: string, traits: LogTraits, factory: () => LogManifest): void {
  describe(name, () => {
    let manifest: LogManifest;
    let log: ChangeLog;
    const plan = idOf("plan");

    beforeEach(async () => {
      manifest = factory();
      log = await manifest.open();
    });
    afterEach(async () => {
      await log.close();
      await manifest.dispose();
    });

    const reopen = async (): Promise<void> => {
      await log.close();
      if (traits.survivesReopen) log = await manifest.open();
      else await log.open();
    };
    const createPlan = (): Promise<unknown> => log.create(metaOf("plan"), emptyCheckpoint());
    const seqsOf = (entries: readonly LogEntry[]): number[] => entries.map(({ seq }) => seq);

    testPast({ log: () => log, reopen });

    test("[LOG-1] what resolved is there after a reopen, field by field", async () => {
      await createPlan();
      const first = entryOf(1, { message: "hello 🙂", paths: ["", "/a~1b"], origin: "rest", actor: bob });
      const second = entryOf(2, { kind: "void", paths: [] });
      await log.append(plan, { seq: 0 }, [first, second]);
      await log.append(plan, { lockSeq: 0 }, [entryOf(3)]);
      await reopen();
      const stored = await log.load(plan);
      expect(stored?.meta).toEqual({ ...metaOf("plan"), epoch: 1, firstEpoch: 1 });
      expect(stored?.head).toEqual({ seq: 3, version: 2, lockSeq: 0, updatedAtMs: 2_003 });
      expect(stored?.checkpoint).toEqual(emptyCheckpoint());
      expect(stored?.tail).toEqual([
        { ...first, seq: 1, version: 1 },
        { ...second, seq: 2, version: 1 },
        { ...entryOf(3), seq: 3, version: 2 },
      ]);
      expect(await log.append(plan, { seq: 3 }, [entryOf(4)])).toMatchObject({
        kind: "appended",
        entries: [{ seq: 4, version: 3 }],
      });
    });

    test("[LOG-2] positions count entries, versions count changes", async () => {
      await createPlan();
      const kinds = ["change", "void", "void", "change"] as const;
      const result = await log.append(
        plan,
        { seq: 0 },
        kinds.map((kind, n) => entryOf(n, { kind })),
      );
      expect(result).toMatchObject({ kind: "appended" });
      expect(positionsOf(result)).toEqual([
        [1, 1],
        [2, 1],
        [3, 1],
        [4, 2],
      ]);
    });

    test("[LOG-3] appends at the same time take effect in the order of the calls, from the first one on", async () => {
      await createPlan();
      await reopen(); // the head is not in memory now: the first append must read it, the others must not overtake it
      const results = await Promise.all(
        Array.from({ length: 200 }, (_, n) => log.append(plan, { lockSeq: 0 }, [entryOf(n)])),
      );
      expect(results.flatMap(positionsOf)).toEqual(Array.from({ length: 200 }, (_, n) => [n + 1, n + 1]));
      const stored = await log.load(plan);
      expect(stored?.tail.map(({ update }) => numberIn(update))).toEqual(Array.from({ length: 200 }, (_, n) => n));
    });

    test("[LOG-7] a guard on seq holds only at the head, one on lockSeq while no rule changed", async () => {
      await createPlan();
      await log.append(plan, { seq: 0 }, [entryOf(1)]);
      const head = { seq: 1, version: 1, lockSeq: 0, updatedAtMs: 2_001 };
      expect(await log.append(plan, { seq: 0 }, [entryOf(2)])).toEqual({ kind: "conflict", head });
      expect(await log.append(plan, { lockSeq: 1 }, [entryOf(2)])).toEqual({ kind: "conflict", head });
      expect(await log.append(plan, { lockSeq: 0 }, [entryOf(2)])).toMatchObject({ kind: "appended" });
      expect((await log.load(plan))?.tail).toHaveLength(2);
    });

    test("[LOG-7] of two appends with the same seq guard one wins; the other sees a durable head", async () => {
      await createPlan();
      const [one, two] = await Promise.all([
        log.append(plan, { seq: 0 }, [entryOf(1)]),
        log.append(plan, { seq: 0 }, [entryOf(2)]),
      ]);
      expect(one).toMatchObject({ kind: "appended" });
      expect(two).toMatchObject({ kind: "conflict", head: { seq: 1, version: 1 } });
    });

    test("[LOG-4] an idempotency record is there with its append, and counts only while it is young", async () => {
      await createPlan();
      const idempotency = { key: "k1", fingerprint: "f" };
      const appending = log.append(plan, { seq: 0 }, [entryOf(1), entryOf(2)], { idempotency });
      const record = { ...idempotency, version: 2, seq: 2, paths: entryOf(2).paths, atMs: 2_002 };
      expect(await log.findIdempotent(plan, "k1", 2_002)).toEqual(record);
      await appending;
      await reopen();
      expect(await log.findIdempotent(plan, "k1", 0)).toEqual(record);
      expect(await log.findIdempotent(plan, "k1", 2_003)).toBeUndefined();
      expect(await log.findIdempotent(plan, "k", 0)).toBeUndefined();
      expect(await log.findIdempotent(idOf("other"), "k1", 0)).toBeUndefined();
    });

    test("[LOG-4] forgetting old idempotency records leaves the young ones, also under the same key", async () => {
      await createPlan();
      const at = (n: number, key: string): Promise<unknown> =>
        log.append(plan, { lockSeq: 0 }, [entryOf(n)], { idempotency: { key, fingerprint: "f" } });
      await at(1, "a");
      await at(2, "b");
      await at(5, "a");
      expect(await log.forgetIdempotent(2_005)).toBe(2);
      expect(await log.forgetIdempotent(2_005)).toBe(0);
      expect(await log.findIdempotent(plan, "b", 0)).toBeUndefined();
      expect(await log.findIdempotent(plan, "a", 0)).toMatchObject({ atMs: 2_005, version: 3 });
    });

    test("[LOG-28] head and entries after a position are of one moment, whatever is appended meanwhile", async () => {
      await createPlan();
      const asked: Promise<StoredNews | undefined>[] = [];
      const appended: Promise<unknown>[] = [];
      for (let n = 1; n <= 20; n++) {
        appended.push(log.append(plan, { lockSeq: 0 }, [entryOf(n)]));
        asked.push(log.news(plan, 3, 100));
      }
      await Promise.all(appended);
      for (const news of await Promise.all(asked)) {
        const seqs = news?.entries.map(({ seq }) => seq) ?? [];
        const end = Math.max(3, news?.head.seq ?? 0);
        expect(seqs).toEqual(Array.from({ length: end - 3 }, (_, at) => at + 4));
      }
      expect((await log.news(plan, 3, 5))?.entries.map(({ seq }) => seq)).toEqual([4, 5, 6, 7, 8]);
      expect(await log.news(plan, 20, 5)).toMatchObject({ head: { seq: 20 }, meta: { id: plan }, entries: [] });
      expect(await log.news(idOf("none"), 0, 5)).toBeUndefined();
    });

    test("[LOG-6] a read shows everything accepted before it", async () => {
      await createPlan();
      const appending = log.append(plan, { seq: 0 }, [entryOf(1), entryOf(2)]);
      const [loaded, summary, entries, bytes] = await Promise.all([
        log.load(plan),
        log.summary(plan),
        log.read(plan, 0, 10),
        log.bytesOnDisk(plan),
      ]);
      expect(loaded?.head.seq).toBe(2);
      expect(summary).toEqual({ meta: loaded?.meta, head: loaded?.head });
      expect(seqsOf(entries)).toEqual([1, 2]);
      expect(bytes).toBeGreaterThan(emptyCheckpoint().state.length + 8);
      await appending;
    });

    test("[LOG-8] reading gives a window in either direction, also from inside a run", async () => {
      await createPlan();
      await log.append(
        plan,
        { seq: 0 },
        [1, 2, 3, 4, 5].map((n) => entryOf(n)),
      );
      await log.append(
        plan,
        { seq: 5 },
        [6, 7].map((n) => entryOf(n)),
      );
      await reopen();
      expect(seqsOf(await log.read(plan, 0, 3))).toEqual([1, 2, 3]);
      expect(seqsOf(await log.read(plan, 3, 3))).toEqual([4, 5, 6]);
      expect(seqsOf(await log.read(plan, 5, 100))).toEqual([6, 7]);
      expect(await log.read(plan, 7, 100)).toEqual([]);
      expect(seqsOf(await log.readBackwards(plan, Infinity, 3))).toEqual([7, 6, 5]);
      expect(seqsOf(await log.readBackwards(plan, 4, 2))).toEqual([3, 2]);
      expect(await log.readBackwards(plan, 1, 2)).toEqual([]);
      expect(await log.read(idOf("other"), 0, 5)).toEqual([]);
      expect(await log.readBackwards(idOf("other"), 5, 5)).toEqual([]);
    });

    test("[LOG-9] a checkpoint shortens the tail and keeps the log; an older one is ignored", async () => {
      await createPlan();
      await log.append(
        plan,
        { seq: 0 },
        [1, 2, 3, 4].map((n) => entryOf(n)),
      );
      const checkpoint = {
        ...emptyCheckpoint(),
        seq: 3,
        version: 3,
        state: Uint8Array.of(1, 2, 3),
        owners: [
          [5, alice],
          [6, bob],
          [7, alice],
        ] as const,
      };
      await log.writeCheckpoint(plan, checkpoint);
      await log.writeCheckpoint(plan, { ...checkpoint, seq: 2, version: 2 });
      await reopen();
      const stored = await log.load(plan);
      expect({ ...stored?.checkpoint, owners: new Set(stored?.checkpoint.owners) }).toEqual({
        ...checkpoint,
        owners: new Set(checkpoint.owners),
      });
      expect(seqsOf(stored?.tail ?? [])).toEqual([4]);
      expect(seqsOf(await log.read(plan, 0, 10))).toEqual([1, 2, 3, 4]);
      const result = await log.append(plan, { seq: 4 }, [entryOf(5)]);
      expect(result).toMatchObject({ kind: "appended", tail: { entries: 2 } });
    });

    test("[LOG-9] an append says how much a cold load would read", async () => {
      await createPlan();
      const bytes: number[] = [];
      for (let n = 0; n < 3; n++) {
        const result = await log.append(plan, { seq: n }, [entryOf(n, { update: new Uint8Array(1000) })]);
        if (result.kind !== "appended") throw new Error("not appended");
        expect(result.tail.entries).toBe(n + 1);
        bytes.push(result.tail.bytes);
      }
      expect(bytes.map((one) => Math.floor(one / 1000))).toEqual([1, 2, 3]);
      await log.writeCheckpoint(plan, { ...emptyCheckpoint(), seq: 3, version: 3, state: new Uint8Array(500) });
      const result = await log.append(plan, { seq: 3 }, [entryOf(3, { update: new Uint8Array(1000) })]);
      if (result.kind !== "appended") throw new Error("not appended");
      expect(result.tail.entries).toBe(1);
      expect(result.tail.bytes).toBeLessThan(1_200);
      expect(result.tail.checkpointBytes).toBeGreaterThanOrEqual(500);
    });

    test("[LOG-10] an id is taken once; a deleted one may be taken again in the next epoch, with nothing left of the old", async () => {
      await createPlan();
      await expect(createPlan()).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
      await log.append(plan, { seq: 0 }, [entryOf(1)], { idempotency: { key: "k", fingerprint: "f" } });
      await log.writeCheckpoint(plan, { ...emptyCheckpoint(), seq: 1, version: 1 });
      expect(await log.remove(plan)).toBe(true);
      expect(await log.remove(plan)).toBe(false);
      expect(await log.load(plan)).toBeUndefined();
      expect(await log.summary(plan)).toBeUndefined();
      expect(await log.bytesOnDisk(plan)).toBe(0);
      await expect(log.append(plan, { seq: 1 }, [entryOf(2)])).rejects.toMatchObject({ code: "CONTEXT_NOT_FOUND" });
      await reopen();
      expect(await log.list(undefined, 10)).toEqual([]);
      expect(await log.create(metaOf("plan"), emptyCheckpoint())).toMatchObject({
        meta: { epoch: 2 },
        head: { seq: 0, version: 0 },
      });
      expect(await log.read(plan, 0, 10)).toEqual([]);
      expect(await log.findIdempotent(plan, "k", 0)).toBeUndefined();
      expect(await log.remove(plan)).toBe(true);
      await reopen();
      expect(await log.create(metaOf("plan"), emptyCheckpoint())).toMatchObject({ meta: { epoch: 3 } });
    });

    test("[LOG-10] create, append, delete and create again in one breath take effect in that order", async () => {
      const results = await Promise.allSettled([
        createPlan(),
        log.append(plan, { seq: 0 }, [entryOf(1)]),
        createPlan(),
        log.remove(plan),
        log.append(plan, { seq: 1 }, [entryOf(2)]),
        createPlan(),
        log.append(plan, { seq: 0 }, [entryOf(3)]),
      ]);
      const outcome = results.map((one) => (one.status === "fulfilled" ? "ok" : (one.reason as { code: string }).code));
      expect(outcome).toEqual(["ok", "ok", "ALREADY_EXISTS", "ok", "CONTEXT_NOT_FOUND", "ok", "ok"]);
      await reopen();
      const stored = await log.load(plan);
      expect(stored?.meta.epoch).toBe(2);
      expect(stored?.tail.map(({ update }) => numberIn(update))).toEqual([3]);
    });

    test("[LOG-11] a listing goes through all contexts in order of id, in pages", async () => {
      const ids = ["b", "a", "A", "a.b", "a:1", "0", "ab", "a-"];
      for (const id of ids) await log.create(metaOf(id), emptyCheckpoint());
      await log.append(idOf("ab"), { seq: 0 }, [entryOf(1)]);
      const seen: string[] = [];
      let after: ReturnType<typeof idOf> | undefined;
      for (;;) {
        const page = await log.list(after, 3);
        seen.push(...page.map(({ meta, head }) => `${meta.id}@${head.version}`));
        for (const { meta, bytes } of page) expect([meta.id, bytes]).toEqual([meta.id, await log.bytesOnDisk(meta.id)]);
        after = page.at(-1)?.meta.id;
        if (page.length < 3) break;
      }
      expect(seen).toEqual(["0@0", "A@0", "a@0", "a-@0", "a.b@0", "a:1@0", "ab@1", "b@0"]);
    });

    test("[LOG-12] the node's Yjs client id is the same for the life of the data", async () => {
      const before = log.nodeClientId;
      expect(before).toBeGreaterThan(0);
      await reopen();
      expect(log.nodeClientId).toBe(before);
    });

    test("[LOG-13] a closed log refuses everything and opens again", async () => {
      await createPlan();
      await log.close();
      await log.close();
      await expect(log.append(plan, { seq: 0 }, [entryOf(1)])).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      await expect(log.load(plan)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
      await log.open();
      await log.load(plan);
      expect(await log.append(plan, { seq: 0 }, [entryOf(1)])).toMatchObject({ kind: "appended" });
      expect(log.hasFailed).toBe(false);
    });

    test("[LOG-13] close waits for what was accepted", async () => {
      await createPlan();
      const appends = Array.from({ length: 50 }, (_, n) => log.append(plan, { lockSeq: 0 }, [entryOf(n)]));
      await log.close();
      await Promise.all(appends);
      await log.open();
      expect((await log.load(plan))?.head.seq).toBe(50);
    });

    test("[DATA-19] a dump is the log as it was when it was asked for, whatever is written meanwhile", async () => {
      await createPlan();
      await log.append(plan, { seq: 0 }, [entryOf(1), entryOf(2)], { idempotency: { key: "k", fingerprint: "f" } });
      await log.writeRecords(undefined, [{ collection: "types", key: "t", value: { a: 1 } }]);
      const store = new MemoryStore();
      await store.open();
      const order: string[] = [];
      await log.dump({
        begin: async ({ contexts, bytes }) => {
          order.push("begin");
          expect([contexts, bytes > 0]).toEqual([1, true]);
          await log.append(plan, { seq: 2 }, [entryOf(3)]);
          await log.create(metaOf("later"), emptyCheckpoint());
        },
        page: async (records) => {
          order.push("page");
          const ops = records.map(([key, value]) => ({ type: "put", key, value }) as const);
          await store.batch(ops, { sync: true });
        },
      });
      expect(order).toEqual(["begin", "page"]);
      const copy = new MemoryChangeLog({ store });
      await copy.open();
      expect(copy.nodeClientId).toBe(log.nodeClientId);
      expect((await copy.list(undefined, 10)).map(({ meta: { id }, head }) => [id, head.seq])).toEqual([["plan", 2]]);
      expect(await copy.read(plan, 0, 10)).toEqual((await log.read(plan, 0, 10)).slice(0, 2));
      expect(await copy.findIdempotent(plan, "k", 0)).toEqual(await log.findIdempotent(plan, "k", 0));
      expect(await copy.readRecord(undefined, "types", "t")).toEqual({ a: 1 });
      await copy.close();
    });

    test("[DATA-19] who takes it may end it; the log goes on", async () => {
      await createPlan();
      const gone = (): Promise<never> => Promise.reject(new Error("the receiver is gone"));
      await expect(log.dump({ begin: async () => {}, page: gone })).rejects.toMatchObject({
        cause: expect.objectContaining({ message: "the receiver is gone" }),
      });
      await log.append(plan, { seq: 0 }, [entryOf(1)]);
      expect((await log.summary(plan))?.head.seq).toBe(1);
    });
  });
}

function positionsOf(result: AppendResult): (readonly [seq: number, version: number])[] {
  return result.kind === "appended" ? result.entries.map(({ seq, version }) => [seq, version] as const) : [];
}
