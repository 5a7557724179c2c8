/** What a listing says of contexts beside their names: rules CTX-7 and CTX-8. */
import { describe, expect, test } from "vitest";
import { parseContextId } from "../../shared/ids.ts";
import { FigureDesk } from "../../server/context/context-figures.ts";
import type { ListedContext, RecordQuery, SideRecord } from "../../server/storage/change-log.ts";
import { verifiedCaller } from "../support/callers.ts";
import type { GatedLog } from "../support/gated-log.ts";
import { metaOf } from "../support/log-fixtures.ts";
import { PLAN, caller, openEditor, startService, turns } from "../support/service-rig.ts";
import type { ServiceRig } from "../support/service-rig.ts";

const ada = caller("ada");
const OTHER = parseContextId("other");

async function start(log?: GatedLog): Promise<ServiceRig> {
  const rig = await startService(log);
  if (log !== undefined) return rig;
  for (const id of [PLAN, OTHER]) await rig.service.create(ada, { id, data: { title: "A" } });
  return rig;
}

async function figuresOf({ guard }: ServiceRig, who = ada) {
  const { items } = await guard.find(who, { limit: 10, withFigures: true });
  return Object.fromEntries(items.map(({ meta, figures }) => [meta.id, figures]));
}

describe("[CTX-7] figures of a listing", () => {
  test("say size, sessions, locks and conflicts of each; a plain listing has none", async () => {
    const rig = await start();
    const { locks } = rig.service;
    await locks.acquire(ada, PLAN, { paths: ["/a"] });
    await locks.acquire(ada, PLAN, { paths: ["/b"] });
    const editor = await openEditor(rig, "bob");
    const figures = await figuresOf(rig);
    expect(figures).toEqual({
      plan: { diskBytes: await rig.log.bytesOnDisk(PLAN), sessions: 1, locks: 2, conflicts: { recent: 0, open: 0 } },
      other: { diskBytes: await rig.log.bytesOnDisk(OTHER), sessions: 0, locks: 0, conflicts: { recent: 0, open: 0 } },
    });
    expect(figures["plan"]?.diskBytes).toBeGreaterThan(figures["other"]?.diskBytes ?? 0);
    editor.session.closed();
    expect((await figuresOf(rig))["plan"]?.sessions).toBe(0);
    const plain = await rig.guard.find(ada, { limit: 10 });
    expect(plain.items.map(({ figures: none }) => none)).toEqual([undefined, undefined]);
  });

  test("are of the contexts that the caller may read", async () => {
    const rig = await start();
    await rig.service.access.setAcl(ada, PLAN, { grants: [{ principal: "bob", role: "reader" }] });
    await rig.service.access.setAcl(ada, OTHER, { grants: [] });
    expect(Object.keys(await figuresOf(rig, verifiedCaller("bob")))).toEqual([PLAN]);
  });

  test("load no context: locks of one that nobody used since the start are not known, but for one that never had any", async () => {
    const before = await start();
    await before.service.locks.acquire(ada, PLAN, { paths: ["/a"], ttlMs: 600_000 });
    await before.service.change(ada, OTHER, { ops: [{ op: "add", path: "/x", value: 1 }] });
    await before.service.close();
    await before.storage.close();
    const rig = await start(before.log);
    expect((await figuresOf(rig))["plan"]).not.toHaveProperty("locks");
    expect((await figuresOf(rig))["other"]).toMatchObject({ locks: 0 });
    expect([...rig.service.lockDesks()]).toEqual([]);
    await rig.service.read(ada, PLAN, { path: "" });
    expect((await figuresOf(rig))["plan"]).toMatchObject({ locks: 1 });
    const [lock] = await rig.service.locks.list(ada, PLAN);
    await rig.service.locks.release(ada, PLAN, lock?.lockId ?? "");
    expect((await figuresOf(rig))["plan"]).toMatchObject({ locks: 0 });
    await rig.service.close();
  });

  test("tell what is durable", async () => {
    const rig = await start();
    rig.log.hold();
    const taking = rig.service.locks.acquire(ada, PLAN, { paths: ["/a"] });
    await turns();
    let told: unknown;
    const asked = figuresOf(rig).then((figures) => (told = figures["plan"]?.locks));
    await turns();
    expect(told).toBeUndefined();
    rig.log.release();
    await Promise.all([taking, asked]);
    expect(told).toBe(1);
  });

  test("follow conflicts as they come and are settled, also by letting the present stand", async () => {
    const rig = await start();
    const manual = { type: "object", properties: { title: { "x-conflict": "manual" } } };
    await rig.service.types.put(ada, "plan", { schema: manual });
    await rig.service.delete(ada, PLAN);
    await rig.service.create(ada, { id: PLAN, type: "plan", data: {} });
    for (const [at, title] of ["one", "two", "three"].entries()) {
      const editor = await openEditor(rig, `a${at}`);
      editor.doc.clientID = at + 1;
      editor.edit((data) => data.set("title", title));
      await turns();
    }
    const conflicts = async () => (await figuresOf(rig))["plan"]?.conflicts;
    const { items } = await rig.service.conflicts.list(ada, PLAN, { limit: 10 });
    expect([items.length, await conflicts()]).toEqual([2, { recent: 2, open: 2 }]);
    const [first, second] = items.map(({ id }) => id);
    await rig.service.conflicts.resolve(ada, PLAN, { conflictId: first ?? "", take: [] });
    expect(await conflicts()).toEqual({ recent: 2, open: 1 });
    const ops = [{ op: "replace" as const, path: "/title", value: "four" }];
    await rig.service.conflicts.resolve(ada, PLAN, { conflictId: second ?? "", take: ops });
    expect(await conflicts()).toEqual({ recent: 2, open: 0 });
  });
});

describe("[CTX-8] looking at conflicts is bounded", () => {
  const RECORD = {
    id: "1.0",
    path: "/a",
    kind: "set-set",
    policy: "manual",
    winner: {},
    loser: {},
    status: "open",
    atMs: 1,
    version: 1,
  };

  /** A hundred conflicts each. */
  const deskOf = (counts: number, isShared = false) => {
    const looked: string[] = [];
    const listRecords = async (id: string | undefined, _: string, { limit }: RecordQuery): Promise<SideRecord[]> => {
      looked.push(id ?? "");
      return Array.from({ length: Math.min(limit, counts) }, () => ({ key: "k", value: RECORD }));
    };
    const sync = { sessionsOf: () => 0 };
    return {
      looked,
      desk: new FigureDesk({ storage: { listRecords, isShared }, sync, state: { get: () => undefined } }),
    };
  };

  const listed = (count: number, seq = 1): ListedContext[] =>
    Array.from({ length: count }, (_, at) => ({
      meta: metaOf(`c${at}`),
      head: { seq, version: seq, lockSeq: 0, updatedAtMs: 1 },
      bytes: 1,
    }));

  test("a request looks at 2,000 of them, and the next goes on; what was seen holds until the log does", async () => {
    const { looked, desk } = deskOf(500);
    const known = async (contexts: readonly ListedContext[]): Promise<number> => {
      const items = await desk.of(contexts);
      return items.filter(({ figures }) => figures?.conflicts?.recent === 100).length;
    };
    expect([await known(listed(20)), looked.length]).toEqual([20, 20]);
    expect([await known(listed(41)), looked.length]).toEqual([40, 40]);
    expect([await known(listed(41)), looked.length]).toEqual([41, 41]);
    expect([await known(listed(41)), looked.length]).toEqual([41, 41]);
    expect([await known(listed(1, 2)), looked.length]).toEqual([1, 42]);
  });

  test("what was seen holds for one request where other nodes write too", async () => {
    const { looked, desk } = deskOf(1, true);
    await desk.of(listed(1));
    await desk.of(listed(1));
    expect(looked).toEqual(["c0", "c0"]);
  });

  test("where nothing was ever written it looks at nothing", async () => {
    const { looked, desk } = deskOf(1);
    const [context] = await desk.of(listed(1, 0));
    expect([context?.figures?.conflicts, looked]).toEqual([{ recent: 0, open: 0 }, []]);
  });
});
