/** Webhooks under the service: every way of writing wakes them, and deleting waits for them. Rules HOOK-1, HOOK-3, HOOK-5. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { ServiceError } from "../../shared/errors.ts";
import { entryOf } from "../support/log-fixtures.ts";
import { caller, openEditor, PLAN, startService, turns } from "../support/service-rig.ts";
import type { ServiceRig } from "../support/service-rig.ts";

let rig: ServiceRig;

beforeEach(async () => {
  rig = await startService();
  await rig.webhooks.start();
  const webhook = { url: "https://a.example/", secret: "a secret of sixteen", contexts: ["*"] };
  await rig.webhooks.add(caller("root"), webhook);
});
afterEach(async () => {
  await rig.service.close();
  await rig.webhooks.close();
  await rig.storage.close();
});

const told = async (count: number) => {
  await expect.poll(() => rig.target.taken.length).toBe(count);
  return rig.target.taken;
};

test("[HOOK-3] that a context is created is told, with nothing else happening", async () => {
  await rig.service.create(caller("ada"), { id: PLAN, data: { a: 1 } });
  expect(await told(1)).toMatchObject([{ contextId: "plan", created: true, version: 0, changes: [] }]);
});

test("[HOOK-3] [HOOK-5] an import is told as a new context, one that replaces after the end of the old one", async () => {
  const content = async () => ({ kind: "json", data: { a: 1 }, roots: {} }) as const;
  await rig.service.data.import(caller("ada"), { id: PLAN, content });
  await told(1);
  await rig.service.data.import(caller("ada"), { id: PLAN, content, replace: true });
  expect(await told(3)).toMatchObject([{ created: true }, { deleted: true }, { created: true }]);
});

test("[HOOK-1] JSON changes, live edits and restored versions are told alike", async () => {
  await rig.service.create(caller("ada"), { id: PLAN, data: { a: 1 } });
  await told(1);
  await rig.service.change(caller("bob"), PLAN, { ops: [{ op: "replace", path: "/a", value: 2 }], message: "why" });
  await told(2);
  const editor = await openEditor(rig, "eve");
  editor.edit((data) => data.set("b", 1));
  await told(3);
  await rig.service.history.restore(caller("bob"), PLAN, { version: 0, path: "" });
  const deliveries = await told(4);
  expect(deliveries.slice(1).flatMap(({ changes }) => changes)).toMatchObject([
    { version: 1, actor: "bob", origin: "rest", message: "why", paths: ["/a"] },
    { version: 2, actor: "eve", origin: "sync", paths: ["/b"] },
    { version: 3, actor: "bob", origin: "restore" },
  ]);
});

test("[HOOK-1] what is not durable is not told", async () => {
  await rig.service.create(caller("ada"), { id: PLAN });
  await told(1);
  rig.log.hold();
  const change = rig.service.change(caller("bob"), PLAN, { ops: [{ op: "add", path: "/a", value: 2 }] });
  await turns(20);
  expect(rig.target.requests).toHaveLength(1);
  rig.log.release();
  await change;
  await told(2);
});

test("[HOOK-5] a context that is deleted at once is told of nevertheless", async () => {
  rig.target.answer = () => 500;
  await rig.service.create(caller("ada"), { id: PLAN, data: { a: 1 } });
  await rig.service.change(caller("bob"), PLAN, { ops: [{ op: "replace", path: "/a", value: 2 }] });
  await rig.service.delete(caller("ada"), PLAN);
  rig.target.answer = () => 204;
  const [webhook] = await rig.webhooks.list(caller("root"));
  await rig.webhooks.resume(caller("root"), webhook?.id ?? "");
  expect(await told(1)).toMatchObject([
    { created: true, deleted: true, version: 1, gaps: [{ from: 1, to: 1, reason: "deleted" }] },
  ]);
});

test("[HOOK-5] a context is not deleted when it cannot be kept that its end is to be told", async () => {
  await rig.service.create(caller("ada"), { id: PLAN });
  await told(1);
  rig.log.writeRecords = () => Promise.reject(new ServiceError("STORE_UNAVAILABLE", "The log is being reopened."));
  await expect(rig.service.delete(caller("ada"), PLAN)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect(await rig.service.read(caller("ada"), PLAN, { path: "" })).toMatchObject({ data: {} });
});

test("[HOOK-20] when the log is open again, what it has of before is told", async () => {
  await rig.service.create(caller("ada"), { id: PLAN });
  await told(1);
  // durable, and announced to nobody, as after a write whose outcome was not known
  await rig.log.append(PLAN, { seq: 0 }, [entryOf(1)]);
  Object.defineProperty(rig.log, "hasFailed", { value: true, configurable: true });
  rig.log.readRecord = () => Promise.reject(new Error("the disk is gone"));
  await expect(rig.storage.readRecord(undefined, "types", "x")).rejects.toThrow("the disk is gone");
  Reflect.deleteProperty(rig.log, "hasFailed");
  Reflect.deleteProperty(rig.log, "readRecord");
  expect(await told(2)).toMatchObject([{}, { changes: [{ version: 1 }] }]);
});
