/** Idempotency keys: rules IDEM-1 and IDEM-2. */
import { describe, expect, test } from "vitest";
import { ServiceError } from "../../shared/errors.ts";
import type { ChangeRequest } from "../../server/context-service.ts";
import { foldCheckpoint } from "../../server/storage/checkpoint/checkpoint.ts";
import { GatedLog } from "../support/gated-log.ts";
import { PLAN, caller, startPlan, startService } from "../support/service-rig.ts";

const ada = caller("ada");
const increment = (idempotencyKey: string, by = 1): ChangeRequest => ({
  ops: [{ op: "increment", path: "/n", by }],
  idempotencyKey,
});

describe("[IDEM-1] once, and answered alike", () => {
  test("one after the other", async () => {
    const { service } = await startPlan({ n: 0 });
    const first = await service.change(ada, PLAN, increment("k"));
    await service.change(ada, PLAN, increment("other"));
    expect(first).toEqual({ version: 1, seq: 1, paths: ["/n"], replayed: false });
    expect(await service.change(ada, PLAN, increment("k"))).toEqual({ ...first, replayed: true });
    expect(await service.read(ada, PLAN, { path: "/n" })).toMatchObject({ data: 2 });
  });

  test("at once", async () => {
    const { service } = await startPlan({ n: 0 });
    const outcomes = await Promise.all(Array.from({ length: 5 }, () => service.change(ada, PLAN, increment("k"))));
    expect(outcomes.map(({ version, replayed }) => [version, replayed])).toEqual([
      [1, false],
      ...Array.from({ length: 4 }, () => [1, true]),
    ]);
    expect(await service.read(ada, PLAN, { path: "/n" })).toMatchObject({ data: 1 });
  });

  test("after a restart", async () => {
    const rig = await startPlan({ n: 0 });
    await rig.service.change(ada, PLAN, increment("k"));
    await rig.service.close();
    await rig.storage.close();
    const { service } = await startService(rig.log);
    expect(await service.change(ada, PLAN, increment("k"))).toMatchObject({ version: 1, replayed: true });
    expect(await service.read(ada, PLAN, { path: "/n" })).toMatchObject({ data: 1 });
  });

  test("when the log has dropped the change, and positions ran ahead of versions", async () => {
    const { service, log } = await startPlan({ n: 0 });
    await service.history.compact(ada, PLAN);
    const first = await service.change(ada, PLAN, increment("k"));
    expect(first).toMatchObject({ version: 1, seq: 2, paths: ["/n"] });
    await service.change(ada, PLAN, increment("other"));
    const stored = await log.load(PLAN);
    if (stored === undefined) throw new Error("the context is gone");
    const base = foldCheckpoint({ base: stored.checkpoint, tail: stored.tail, nodeClientId: log.nodeClientId });
    await log.writeCheckpoint(PLAN, base);
    await log.trim(PLAN, base);
    expect(await log.read(PLAN, 0, 10)).toEqual([]);
    expect(await service.change(ada, PLAN, increment("k"))).toEqual({ ...first, replayed: true });
  });

  test("a first attempt that failed leaves the key free", async () => {
    const { service } = await startPlan({ n: "text" });
    await expect(service.change(ada, PLAN, increment("k"))).rejects.toMatchObject({ code: "INVALID_CHANGE" });
    await service.change(ada, PLAN, { ops: [{ op: "replace", path: "/n", value: 0 }] });
    expect(await service.change(ada, PLAN, increment("k"))).toMatchObject({ version: 2, replayed: false });
  });

  test("an append that failed leaves the key free", async () => {
    const log = new GatedLog();
    const { service } = await startService(log);
    await service.create(ada, { id: PLAN, data: { n: 0 } });
    log.hold();
    const write = service.change(ada, PLAN, increment("k"));
    log.fail(new ServiceError("STORE_UNAVAILABLE", "the disk is gone"));
    await expect(write).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    log.hold();
    log.release();
    expect(await service.change(ada, PLAN, increment("k"))).toMatchObject({ version: 1, replayed: false });
  });
});

describe("[IDEM-2] another request under a used key is refused", () => {
  test.each([
    ["another change", ada, increment("k", 2)],
    ["another actor", caller("bob"), increment("k")],
  ])("%s", async (_what, who, request) => {
    const { service } = await startPlan({ n: 0 });
    const first = service.change(ada, PLAN, increment("k"));
    await expect(service.change(who, PLAN, request)).rejects.toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED" });
    await first;
    await expect(service.change(who, PLAN, request)).rejects.toMatchObject({ code: "IDEMPOTENCY_KEY_REUSED" });
    expect(await service.read(ada, PLAN, { path: "/n" })).toMatchObject({ data: 1 });
  });
});
