/** The audit log on a log in memory and a manual clock: rules AUDIT-1 to AUDIT-8. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AuditEntry, AuditEvent, AuditQuery } from "../../shared/audit.ts";
import { parseActor, parseContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Limits } from "../../shared/limits.ts";
import { AuditLog } from "../../server/security/audit-log.ts";
import type { AuditRecords } from "../../server/security/audit-store.ts";
import { KeyValueChangeLog } from "../../server/storage/log/key-value-change-log.ts";
import type { Peers } from "../../server/storage/peers.ts";
import { SoleWriterCore } from "../../server/storage/log/sole-writer-core.ts";
import { MemoryChangeLog } from "../../server/storage/log/memory-change-log.ts";
import { StorageManager } from "../../server/storage/storage-manager.ts";
import { InlineCheckpointBuilder } from "../../server/storage/checkpoint/checkpoint.ts";
import { FaultyStore, failNth } from "../support/faulty-store.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { turns } from "../support/service-rig.ts";

const ada = parseActor("ada");
const bob = parseActor("bob");
const START: AuditEvent = { action: "server.start", outcome: "done" };
const DENIAL: AuditEvent = {
  action: "request.site",
  outcome: "denied",
  code: "FORBIDDEN",
  actor: ada,
  address: "10.0.0.1",
};

let clock: ManualClock;
let log: MemoryChangeLog;
let audit: AuditLog;

beforeEach(async () => {
  clock = new ManualClock();
  log = new MemoryChangeLog({ clock });
  await log.open();
  audit = newAudit();
});
afterEach(() => log.close());

function newAudit(limits: Partial<Limits> = {}, records: AuditRecords = log): AuditLog {
  return new AuditLog({ records, clock, limits: { ...LIMITS, ...limits } });
}

const listed = async (query: Partial<AuditQuery> = {}, from = audit) =>
  (await from.list({ limit: 500, ...query })).items;
/** What is kept: read by another, as after a restart. */
const kept = (query: Partial<AuditQuery> = {}) => listed(query, newAudit());
const stored = async () => (await log.listRecords(undefined, "audit", { limit: 10_000 })).map(({ key }) => key);

describe("[AUDIT-1] an entry", () => {
  test("comes back as it was, at once and after a restart", async () => {
    const event: AuditEvent = {
      action: "request.rate",
      outcome: "denied",
      actor: ada,
      code: "RATE_LIMITED",
      contextId: parseContextId("plan"),
      paths: ["/a", "/b/c"],
      rule: "writer at /b",
      address: "2001:db8::1",
      origin: "cli",
      requestId: "r-1",
      sessionId: "s-1",
      detail: { waitMs: 12 },
    };
    audit.record(event);
    const entry = {
      id: expect.stringMatching(/^[0-9a-f]{12}-[0-9a-f]{8}-[0-9a-f]{8}$/),
      atMs: clock.nowMs(),
      ...event,
    };
    expect(await listed()).toEqual([entry]);
    expect(await kept()).toEqual([entry]);
  });

  test("is small, whatever came", async () => {
    const paths = Array.from({ length: 100 }, (_, i) => `/${i}`);
    const long = "x".repeat(5000);
    audit.record({ ...DENIAL, paths, rule: long, address: long, detail: { long } });
    const [entry] = await listed();
    expect(entry?.paths).toHaveLength(LIMITS.auditPathsMax);
    expect(JSON.stringify(entry).length).toBeLessThan(1000);
    audit.record({ ...START, detail: { fits: "x".repeat(LIMITS.auditDetailCharsMax - 11) } });
    audit.record({ ...START, detail: { fits: "x".repeat(LIMITS.auditDetailCharsMax - 10) } });
    const [over, at] = await listed({ outcome: "done" });
    expect(JSON.stringify(at?.detail)).toHaveLength(LIMITS.auditDetailCharsMax);
    expect(over?.detail).toEqual({ omitted: true });
  });

  test("of another release is listed too", async () => {
    audit.record(START);
    const [entry] = await listed();
    const value = { action: "moon.land", outcome: "done", code: "TOO_FAR", atMs: clock.nowMs() + 1, what: "more" };
    const key = `done/${entry?.id.replace("-00000001-", "-00000002-")}`;
    await log.writeRecords(undefined, [{ collection: "audit", key, value }]);
    expect((await listed()).map(({ action }) => action)).toEqual(["moon.land", "server.start"]);
    await log.writeRecords(undefined, [{ collection: "audit", key, value: { atMs: "yesterday" } }]);
    await expect(listed()).rejects.toMatchObject({ code: "DATA_DAMAGED" });
  });
});

describe("[AUDIT-2] recording", () => {
  test("writes in batches, a while after the first", async () => {
    let writes = 0;
    audit = newAudit(
      {},
      {
        readRecord: (...args) => log.readRecord(...args),
        listRecords: (...args) => log.listRecords(...args),
        writeRecords: (...args) => {
          writes++;
          return log.writeRecords(...args);
        },
      },
    );
    for (let i = 0; i < 100; i++) audit.record(START);
    clock.advance(LIMITS.auditFlushMs - 1);
    await turns();
    expect(writes).toBe(0);
    clock.advance(1);
    await turns();
    expect([writes, (await kept()).length]).toEqual([1, 100]);
  });

  test("closing writes what waits, counts under way too, and leaves no timer", async () => {
    audit.start();
    audit.record(START);
    for (let i = 0; i < 3; i++) audit.record(DENIAL);
    await audit.close();
    audit.record(START);
    expect(clock.timerCount).toBe(0);
    expect((await kept()).map(({ action, count }) => [action, count])).toEqual([
      ["request.site", 3],
      ["server.start", undefined],
    ]);
  });
});

describe("[AUDIT-3] denials alike", () => {
  test("are one entry, there at once, with a count when the time is over", async () => {
    audit.start();
    audit.record(DENIAL);
    const [first] = await listed();
    expect(await kept()).toEqual([first]);
    clock.advance(1000);
    for (let i = 0; i < 999; i++) audit.record(DENIAL);
    const lastAtMs = clock.nowMs();
    expect(await listed()).toEqual([{ ...first, count: 1000, lastAtMs }]);
    expect(await kept()).toEqual([first]);
    clock.advance(LIMITS.auditWindowMs);
    await turns();
    expect(await kept()).toEqual([{ ...first, count: 1000, lastAtMs }]);
    expect(await listed()).toEqual([{ ...first, count: 1000, lastAtMs }]);
    audit.record(DENIAL);
    expect(await listed()).toHaveLength(2);
  });

  test("are told apart by actor, address, action, code, rule and context; deeds always", async () => {
    const others: AuditEvent[] = [
      { ...DENIAL, actor: bob },
      { ...DENIAL, address: "10.0.0.2" },
      { ...DENIAL, action: "request.size" },
      { ...DENIAL, code: "TOO_LARGE" },
      { ...DENIAL, rule: "expired" },
      { ...DENIAL, contextId: parseContextId("plan") },
      START,
      START,
    ];
    for (const event of [DENIAL, ...others, ...others.slice(0, 6), DENIAL])
      audit.record({ ...event, requestId: "any" });
    expect(await listed()).toHaveLength(9);
  });

  test("of a wall clock that jumps still end in time", async () => {
    audit.record(DENIAL);
    clock.jump(-86_400_000);
    audit.record(DENIAL);
    clock.advance(LIMITS.auditWindowMs);
    audit.record(DENIAL);
    expect((await listed()).map(({ count }) => count)).toEqual([2, undefined]);
  });

  test("are counted for a bounded number of kinds", async () => {
    audit = newAudit({ auditWindowsMax: 2 });
    const from = (address: string) => ({ ...DENIAL, address });
    for (const address of ["1", "1", "2", "3", "1"]) audit.record(from(address));
    await audit.close();
    expect((await kept()).map(({ address, count }) => [address, count])).toEqual([
      ["1", undefined],
      ["3", undefined],
      ["2", undefined],
      ["1", 2],
    ]);
  });
});

describe("[AUDIT-4] floods", () => {
  const each = (i: number): AuditEvent => ({ ...DENIAL, address: `10.0.${i >> 8}.${i & 255}` });

  test("of different denials are written so fast and no faster; the rest is counted, and deeds go on", async () => {
    const { auditBurst, auditEntriesPerS } = LIMITS;
    audit.start();
    for (let i = 0; i < auditBurst + 500; i++) audit.record(each(i));
    audit.record(START);
    clock.advance(1000);
    for (let i = 0; i < 1000; i++) audit.record(each(5000 + i));
    expect(await listed({ outcome: "denied", action: "request.site" })).toHaveLength(500);
    await audit.close();
    const counts = await newAudit().list({ outcome: "denied", action: "audit.suppress", limit: 10 });
    expect(counts.items.map(({ count }) => count)).toEqual([500 + 1000 - auditEntriesPerS]);
    expect(await kept({ outcome: "done" })).toHaveLength(1);
  });

  test("while the store is away fill a bounded queue, of denials and deeds each", async () => {
    let isAway = true;
    const logger = new RecordingLogger();
    const records: AuditRecords = {
      readRecord: (...args) => log.readRecord(...args),
      listRecords: (...args) => log.listRecords(...args),
      writeRecords: async (...args) => {
        if (isAway) throw new Error("away");
        return log.writeRecords(...args);
      },
    };
    audit = new AuditLog({ records, clock, logger, limits: { ...LIMITS, auditQueueMax: 10, auditBurst: 1e6 } });
    for (let i = 0; i < 25; i++) audit.record(each(i));
    for (let i = 0; i < 12; i++) audit.record(START);
    await expect(listed()).rejects.toThrow("away");
    clock.advance(LIMITS.auditFlushMs);
    await turns();
    expect(logger.at("warn")).toHaveLength(1);
    isAway = false;
    clock.advance(LIMITS.auditRetryMs);
    await turns();
    expect([await kept({ outcome: "denied" }), await kept({ outcome: "done" })].map((it) => it.length)).toEqual([
      10, 10,
    ]);
    audit.record(each(99));
    await audit.close();
    const suppressed = (await kept()).filter(({ action }) => action === "audit.suppress");
    expect(suppressed.map(({ outcome, count }) => [outcome, count])).toEqual([
      ["denied", 15],
      ["done", 2],
    ]);
  });

  test("closing without a store says what is lost, and ends", async () => {
    const logger = new RecordingLogger();
    audit = new AuditLog({ records: log, clock, logger });
    audit.record(START);
    await log.close();
    await audit.close();
    expect(logger.at("warn")[0]?.fields).toMatchObject({ entries: 1 });
    expect(clock.timerCount).toBe(0);
  });
});

describe("[AUDIT-5] listing", () => {
  /** One a second, deeds and denials in turn. */
  async function hour(): Promise<number> {
    const beganAtMs = clock.nowMs();
    for (let i = 0; i < 60; i++) {
      audit.record(i % 2 === 0 ? { ...START, actor: i % 4 === 0 ? ada : bob } : { ...DENIAL, address: `${i}` });
      if (i % 10 === 0) await listed();
      clock.advance(1000);
    }
    return beganAtMs;
  }

  test("is newest first over both kinds, also within one millisecond", async () => {
    await hour();
    const all = await listed();
    expect(all).toHaveLength(60);
    expect(all.map(({ atMs }) => atMs)).toEqual(all.map(({ atMs }) => atMs).sort((a, b) => b - a));
    audit.record({ ...START, rule: "first" });
    audit.record({ ...DENIAL, rule: "second" });
    audit.record({ ...START, rule: "third" });
    expect((await listed({ limit: 3 })).map(({ rule }) => rule)).toEqual(["third", "second", "first"]);
  });

  test("goes on in pages without gap or double, whatever the filter", async () => {
    await hour();
    for (const filter of [{}, { actor: ada }, { outcome: "denied" as const }, { action: "server.start" as const }]) {
      const all = await listed(filter);
      const paged: unknown[] = [];
      let page = await audit.list({ ...filter, limit: 7 });
      for (; page.next !== undefined; page = await audit.list({ ...filter, limit: 7, after: page.next }))
        paged.push(...page.items);
      expect([...paged, ...page.items]).toEqual(all);
      expect(all.length).toBeGreaterThan(14);
    }
  });

  test("by time, both ends included, by actor, action, context and outcome", async () => {
    const from = await hour();
    const times = await listed({ sinceMs: from + 10_000, untilMs: from + 20_000 });
    expect(times.map(({ atMs }) => (atMs - from) / 1000)).toEqual([20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10]);
    expect(await listed({ sinceMs: from + 10_001, untilMs: from + 10_999 })).toEqual([]);
    expect(await listed({ sinceMs: -5, untilMs: from })).toHaveLength(1);
    expect(await listed({ actor: bob })).toHaveLength(15);
    expect(await listed({ contextId: parseContextId("plan") })).toEqual([]);
    audit.record({ ...DENIAL, contextId: parseContextId("plan") });
    expect(await listed({ contextId: parseContextId("plan"), outcome: "denied" })).toHaveLength(1);
  });

  test("looks at a bounded number of records and says where to go on", async () => {
    audit = newAudit({ auditScanMax: 20 });
    await hour();
    audit.record({ ...START, actor: parseActor("rare") });
    const rare = { actor: parseActor("rare"), limit: 10 };
    clock.advance(1);
    await hour();
    const first = await audit.list(rare);
    expect([first.items, first.next]).toEqual([[], expect.any(String)]);
    let calls = 1;
    let page = first;
    while (page.items.length === 0 && page.next !== undefined && calls < 10) {
      page = await audit.list({ ...rare, after: page.next });
      calls++;
    }
    expect([page.items.length, calls]).toEqual([1, 4]);
  });
});

describe("[AUDIT-6] retention", () => {
  test("by number, of deeds and denials each: a flood of one pushes out none of the other", async () => {
    audit = newAudit({ auditEntriesMax: 10, auditBurst: 1e6 });
    for (let i = 0; i < 4; i++) audit.record({ ...START, rule: `${i}` });
    for (let i = 0; i < 700; i++) audit.record({ ...DENIAL, address: `${i}` });
    expect(await listed({ outcome: "denied" })).toHaveLength(10);
    expect((await listed({ outcome: "denied" })).map(({ address }) => address)).toContain("699");
    expect(await listed({ outcome: "done" })).toHaveLength(4);
    for (let i = 4; i < 11; i++) audit.record({ ...START, rule: `${i}` });
    expect((await listed({ outcome: "done" })).map(({ rule }) => rule).reverse()).toEqual(
      Array.from({ length: 10 }, (_, i) => `${i + 1}`),
    );
    expect(await stored()).toHaveLength(21);
  });

  test("goes on with the right count after a restart", async () => {
    for (let run = 0; run < 3; run++) {
      audit = newAudit({ auditEntriesMax: 10 });
      for (let i = 0; i < 8; i++) audit.record(START);
      await audit.close();
      clock.advance(1);
    }
    expect(await kept()).toHaveLength(10);
  });

  test("by age, without anything being recorded", async () => {
    audit = newAudit({ auditAgeMsMax: 1_000_000, auditBurst: 1e6 });
    audit.start();
    for (let i = 0; i < 450; i++) audit.record(START);
    audit.record(DENIAL);
    await listed();
    clock.advance(900_000);
    audit.record(START);
    await listed();
    expect(await listed({ outcome: "done" })).toHaveLength(451);
    for (let i = 0; i < 10; i++) {
      clock.advance(15_000);
      await turns(10);
    }
    expect(await stored()).toHaveLength(2);
    expect(await listed()).toHaveLength(1);
  });
});

describe("[AUDIT-7] a store that fails", () => {
  test("at whichever operation: every entry is there in the end, once, and counted right", async () => {
    for (let n = 1; ; n++) {
      const store = new FaultyStore(failNth(Infinity));
      const storage = new StorageManager({
        log: new KeyValueChangeLog(new SoleWriterCore({ store, clock })),
        clock,
        checkpoints: new InlineCheckpointBuilder(),
      });
      await storage.start();
      const plan = failNth(n, { leaves: n % 2 === 0 ? "everything" : "nothing" });
      store.plan = plan;
      audit = newAudit({ auditEntriesMax: 4 }, storage);
      for (let i = 0; i < 6; i++) {
        audit.record({ ...START, rule: `${i}` });
        clock.advance(LIMITS.auditFlushMs);
        await turns(8);
      }
      const items = await untilListed(audit);
      const { wasReached } = plan;
      store.plan = failNth(Infinity);
      expect([n, items.map(({ rule }) => rule)]).toEqual([n, ["5", "4", "3", "2"]]);
      expect(await storage.readRecord(undefined, "audit", "!counts")).toEqual({ done: 4, denied: 0 });
      await audit.close();
      await storage.close();
      if (!wasReached) {
        expect(n).toBeGreaterThan(5);
        return;
      }
    }
  });

  /** As a reader would that comes again. */
  async function untilListed(from: AuditLog): Promise<readonly AuditEntry[]> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await listed({}, from);
      } catch (error) {
        if (attempt === 20) throw error;
        clock.advance(LIMITS.reopenDelayMsMax);
        await turns(8);
      }
    }
  }
});

describe("[NODE-17] two servers over the same data", () => {
  /** As `node`-th of them; the first one leads. */
  function newNode(node: number, limits: Partial<Limits>, slot = () => node): AuditLog {
    const lead: Peers["lead"] = (_name, leader) => {
      if (node === 0) leader.gained();
      return async () => {};
    };
    const nodes = { peers: { lead }, slot };
    const it = new AuditLog({ records: log, nodes, clock, limits: { ...LIMITS, auditBurst: 1e6, ...limits } });
    it.start();
    return it;
  }
  const deed = (name: string): AuditEvent => ({ action: "server.start", outcome: "done", detail: { name } });

  test("share a log in order of time, which is bounded by all that they wrote", async () => {
    const [one, two] = [newNode(0, { auditEntriesMax: 10 }), newNode(1, { auditEntriesMax: 10 })];
    for (let n = 0; n < 20; n++) {
      clock.advance(1);
      (n % 2 === 0 ? one : two).record(deed(`${n}`));
      if (n % 5 === 4) for (const it of [two, one]) await listed({}, it);
    }
    const newest = Array.from({ length: 10 }, (_, n) => ({ name: `${19 - n}` }));
    for (const it of [one, two]) expect((await listed({}, it)).map(({ detail }) => detail)).toEqual(newest);
    await one.close();
    await two.close();
  });

  test("count on in another place when theirs was lost", async () => {
    let place = 0;
    const it = newNode(0, {}, () => place);
    const counted = async (key: string): Promise<unknown> => (await log.readRecord(undefined, "audit", key))?.["done"];
    for (const name of ["a", "b"]) it.record(deed(name));
    await listed({}, it);
    place = 1;
    it.record(deed("c"));
    await listed({}, it);
    expect([await counted("!counts"), await counted("!counts-1")]).toEqual([2, 1]);
    await it.close();
  });

  test("give no two entries one name, though they were made at once", async () => {
    const [one, two] = [newNode(0, {}), newNode(1, {})];
    for (const it of [one, two]) it.record(deed("same"));
    for (const it of [one, two]) await listed({}, it);
    expect(new Set((await listed({}, one)).map(({ id }) => id)).size).toBe(2);
    await one.close();
    await two.close();
  });
});
