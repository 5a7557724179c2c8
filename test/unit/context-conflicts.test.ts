/** Conflicts and preconditions through the whole service on a gated memory log: rules STATE-8, STATE-9, PRE-4, IDEM-3. */
import * as Y from "yjs";
import { describe, expect, test } from "vitest";
import type { Conflict } from "../../shared/conflict.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { encodeUpdate } from "../../shared/protocol/frames.ts";
import { PLAN, caller, openEditor, startPlan, startService, turns } from "../support/service-rig.ts";
import type { Editor, ServiceRig } from "../support/service-rig.ts";

const ada = caller("ada");
const bob = caller("bob");

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "resolved",
    (error: unknown) => (error instanceof ServiceError ? error.code : String(error)),
  );

async function conflictsOf({ service }: ServiceRig): Promise<readonly Conflict[]> {
  return (await service.conflicts.list(ada, PLAN, { limit: 10 })).items;
}

const dataOf = async ({ service }: ServiceRig): Promise<unknown> => (await service.read(ada, PLAN, { path: "" })).data;

/** Two editors that have the context's present content and do not hear of each other. */
async function strangers(rig: ServiceRig): Promise<readonly [Editor, Editor]> {
  const editors = [await openEditor(rig, "ada"), await openEditor(rig, "bob")] as const;
  const { result } = await rig.service.look(PLAN, (doc) => Y.encodeStateAsUpdate(doc));
  editors.forEach(({ doc }, index) => {
    doc.clientID = index + 1;
    Y.applyUpdate(doc, result);
  });
  return editors;
}

const COUNTER_SCHEMA = (policy: string): JsonObject => ({
  type: "object",
  properties: { status: { "x-conflict": policy } },
});

async function startTyped(policy: string, data: JsonObject): Promise<ServiceRig> {
  const rig = await startService();
  await rig.service.types.put(ada, "plan", { schema: COUNTER_SCHEMA(policy) });
  await rig.service.create(ada, { id: PLAN, type: "plan", data });
  return rig;
}

describe("[STATE-8] conflicts of live edits", () => {
  test("both sides are told with actor, version and value, to the record and to the sessions, with the change", async () => {
    const rig = await startPlan({ status: "new" });
    const watcher = await openEditor(rig, "eve");
    const [first, second] = await strangers(rig);
    rig.log.hold();
    first.edit((data) => data.set("status", "open"));
    second.edit((data) => data.set("status", "done"));
    await turns();
    expect(watcher.connection.take()).toEqual([]);
    rig.log.release();
    await turns();
    const told = watcher.connection.take();
    expect(told.map(({ type }) => type)).toEqual(["commit", "event"]);
    const conflicts = await conflictsOf(rig);
    expect(conflicts).toMatchObject([
      {
        id: "2.0",
        path: "/status",
        kind: "set-set",
        policy: "record",
        status: "recorded",
        version: 2,
        winner: { actor: "bob", version: 2, value: "done" },
        loser: { actor: "ada", version: 1, value: "open" },
      },
    ]);
    expect(told.at(-1)).toMatchObject({ type: "event", event: { type: "conflict", conflict: { id: "2.0" } } });
    expect(await dataOf(rig)).toEqual({ status: "done" });
  });

  test("a deletion that came too late is told, and one that is only sent again is not", async () => {
    const rig = await startPlan({ status: "new" });
    const [first, second] = await strangers(rig);
    first.edit((data) => data.set("status", "open"));
    await turns();
    second.edit((data) => data.delete("status"));
    await turns();
    expect(await conflictsOf(rig)).toMatchObject([
      {
        kind: "set-delete",
        winner: { actor: "ada", version: 1, value: "open" },
        loser: { actor: "bob", version: 2 },
      },
    ]);
    second.session.receive(encodeUpdate(Y.encodeStateAsUpdate(second.doc, Y.encodeStateVector(second.doc))));
    await turns();
    expect(await conflictsOf(rig)).toHaveLength(1);
    expect((await rig.service.read(ada, PLAN, { path: "" })).head.version).toBe(2);
  });

  test("first-wins puts back what came first, by a change of its own that names the conflict", async () => {
    const rig = await startTyped("first-wins", { status: "new" });
    const [first, second] = await strangers(rig);
    first.edit((data) => data.set("status", "open"));
    second.edit((data) => data.set("status", "done"));
    await turns();
    expect(await dataOf(rig)).toEqual({ status: "open" });
    const { items } = await rig.service.changes(ada, PLAN, { since: 0, limit: 10 });
    expect(items).toMatchObject([
      { version: 1, actor: "ada", origin: "sync" },
      { version: 2, actor: "bob", origin: "sync" },
      { version: 3, actor: "bob", origin: "resolver", paths: ["/status"], resolves: "2.0" },
    ]);
    expect(await conflictsOf(rig)).toMatchObject([
      { id: "2.0", policy: "first-wins", status: "resolved", resolution: { version: 3, actor: "bob" } },
    ]);
  });

  test("a policy does not write over what somebody wrote after the conflict", async () => {
    const rig = await startTyped("first-wins", { status: "new" });
    const [first, second] = await strangers(rig);
    first.edit((data) => data.set("status", "open"));
    second.edit((data) => data.set("status", "done"));
    second.edit((data) => data.set("status", "really done"));
    await turns();
    expect(await dataOf(rig)).toEqual({ status: "really done" });
    expect(await conflictsOf(rig)).toMatchObject([{ id: "2.0", status: "open" }]);
  });
});

describe("[STATE-9] a conflict is resolved once", () => {
  test("the loser's value by a change that names it; the second resolver is refused", async () => {
    const rig = await startPlan({ status: "new" });
    const [first, second] = await strangers(rig);
    first.edit((data) => data.set("status", "open"));
    second.edit((data) => data.set("status", "done"));
    await turns();
    rig.log.hold();
    const take = (who: typeof ada): Promise<string> =>
      codeOf(rig.service.conflicts.resolve(who, PLAN, { conflictId: "2.0", take: "loser" }));
    const both = Promise.all([take(ada), take(bob)]);
    await turns();
    rig.log.release();
    expect((await both).sort()).toEqual(["CONFLICT_RESOLVED", "resolved"]);
    expect(await dataOf(rig)).toEqual({ status: "open" });
    expect((await conflictsOf(rig))[0]).toMatchObject({ status: "resolved", resolution: { version: 3 } });
    expect(await take(bob)).toBe("CONFLICT_RESOLVED");
  });
});

test("[PRE-4] a version older than what is in memory is checked against the log", async () => {
  const rig = await startPlan({});
  const writes = LIMITS.touchIndexPathsMax / 60 + 5;
  for (let i = 0; i < writes; i++) {
    const ops = Array.from({ length: 60 }, (_, n) => ({ op: "add" as const, path: `/k${i}-${n}`, value: n }));
    await rig.service.change(ada, PLAN, { ops });
  }
  const set = (path: string, ifVersion: number): Promise<string> =>
    codeOf(rig.service.change(bob, PLAN, { ops: [{ op: "add", path, value: "x" }], ifVersion }));
  // more paths than are kept in memory: the first changes are only in the log
  expect(await set("/k0-0", 0)).toBe("VERSION_CONFLICT");
  expect(await set("/k0-0", 1)).toBe("resolved");
  expect(await set("/fresh", 0)).toBe("resolved");
});

test("[IDEM-3] a keyed change that changed nothing answers the same when it is sent again", async () => {
  const rig = await startPlan({ a: 1 });
  await rig.service.change(bob, PLAN, { ops: [{ op: "add", path: "/b", value: 1 }] });
  const same = { ops: [{ op: "replace" as const, path: "/a", value: 1 }], idempotencyKey: "k" };
  const first = await rig.service.change(ada, PLAN, same);
  await rig.service.change(ada, PLAN, { ops: [{ op: "replace", path: "/a", value: 2 }] });
  const second = await rig.service.change(ada, PLAN, same);
  expect([first, second]).toEqual([
    { version: 1, seq: 0, paths: [], replayed: false },
    { version: 1, seq: 0, paths: [], replayed: true },
  ]);
  expect(await dataOf(rig)).toEqual({ a: 2, b: 1 });
});
