/** Compaction through the whole service on a gated memory log: rules EPOCH of server/SPEC.md, in their order of steps. */
import { describe, expect, test } from "vitest";
import { ServiceError } from "../../shared/errors.ts";
import { PLAN, caller, openEditor, startPlan, turns } from "../support/service-rig.ts";

const ada = caller("ada");
const add = (path: string, value: number) => ({ ops: [{ op: "add" as const, path, value }] });

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "resolved",
    (error: unknown) => (error instanceof ServiceError ? error.code : String(error)),
  );

describe("[EPOCH-3] [EPOCH-4] [EPOCH-5] a compaction under traffic", () => {
  test("JSON changes that come meanwhile wait, and go on in the new epoch", async () => {
    const rig = await startPlan({ a: 1 });
    await rig.service.change(ada, PLAN, { ...add("/b", 2), idempotencyKey: "k" });
    rig.log.hold();
    const compacting = rig.service.history.compact(ada, PLAN);
    await turns();
    const during = rig.service.change(ada, PLAN, add("/c", 3));
    await turns();
    rig.log.release();
    expect(await compacting).toMatchObject({ version: 1, epoch: 2 });
    expect(await during).toMatchObject({ version: 2 });
    const read = await rig.service.read(ada, PLAN, { path: "" });
    expect(read).toMatchObject({ data: { a: 1, b: 2, c: 3 }, meta: { epoch: 2, firstEpoch: 1 }, head: { version: 2 } });
    const again = await rig.service.change(ada, PLAN, { ...add("/b", 2), idempotencyKey: "k" });
    expect(again).toMatchObject({ version: 1, replayed: true });
  });

  test("versions before it read as they did, and changes list without a gap", async () => {
    const rig = await startPlan({});
    for (let n = 1; n <= 5; n++) await rig.service.change(ada, PLAN, add("/n", n));
    await rig.service.history.compact(ada, PLAN);
    for (let n = 6; n <= 8; n++) await rig.service.change(ada, PLAN, add("/n", n));
    for (let version = 1; version <= 8; version++) {
      const { data } = await rig.service.read(ada, PLAN, { path: "", version });
      expect(data).toEqual({ n: version });
    }
    const { items } = await rig.service.changes(ada, PLAN, { since: 0, limit: 20 });
    expect(items.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("live sessions end: an mcm.v1 one to come again, a stock one for good", async () => {
    const rig = await startPlan({ a: 1 });
    const sdk = await openEditor(rig, "ada");
    const stock = await openEditor(rig, "bob", false);
    await rig.service.history.compact(ada, PLAN);
    expect([sdk.connection.closedWith?.code, stock.connection.closedWith?.code]).toEqual([4503, 4409]);
  });

  test("two at once are one after the other; one that cannot be written leaves the context as it was", async () => {
    const rig = await startPlan({ a: 1 });
    const both = await Promise.all([rig.service.history.compact(ada, PLAN), rig.service.history.compact(ada, PLAN)]);
    expect(both.map(({ epoch }) => epoch)).toEqual([2, 3]);
    rig.log.hold();
    const lost = codeOf(rig.service.history.compact(ada, PLAN));
    await turns();
    rig.log.fail(new ServiceError("STORE_UNAVAILABLE", "the disk is gone"));
    expect(await lost).toBe("STORE_UNAVAILABLE");
    rig.log.hold();
    rig.log.release();
    expect(await rig.service.change(ada, PLAN, add("/b", 2))).toMatchObject({ version: 1 });
    expect((await rig.service.read(ada, PLAN, { path: "" })).meta.epoch).toBe(3);
  });

  test("[ACL-12] whose right went while it waited for its turn compacts nothing", async () => {
    const { guard, log, service } = await startPlan({ a: 1 });
    const creator = caller("creator");
    await guard.access.setAcl(creator, PLAN, { grants: [{ principal: "ada", role: "admin" }] });
    log.hold();
    const granting = guard.access.setAcl(creator, PLAN, { grants: [{ principal: "ada", role: "writer" }] });
    await turns();
    const first = guard.history.compact(creator, PLAN);
    const second = guard.history.compact(ada, PLAN);
    await turns();
    log.release();
    expect([await codeOf(granting), await codeOf(first), await codeOf(second)]).toEqual([
      "resolved",
      "resolved",
      "FORBIDDEN",
    ]);
    expect(await guard.change(ada, PLAN, add("/b", 2))).toMatchObject({ version: 1 });
    expect((await service.read(ada, PLAN, { path: "" })).meta.epoch).toBe(2);
  });

  test("[CTX-6] a server that stops compacts nothing more", async () => {
    const rig = await startPlan({ a: 1 });
    await rig.service.close();
    expect(await codeOf(rig.service.history.compact(ada, PLAN))).toBe("SHUTTING_DOWN");
    expect((await rig.storage.summary(PLAN))?.meta.epoch).toBe(1);
  });
});
