/** The panel's boards with a real server: locks, and conflicts. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { ConflictBoard } from "../../client/panel/store/conflict-board.ts";
import { LockBoard } from "../../client/panel/store/lock-board.ts";
import { finallyDo, opened, panelOn, sdk, until } from "../support/panel-desk.ts";
import { startTestServer } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

test("[PANEL-17] locks come and go as they do, and an admin releases anybody's", async () => {
  const ada = await (await sdk(server.url, "ada")).open("locks", { create: { data: { title: "A" } } });
  const { panel, machine } = await panelOn(server.url);
  const it = await opened(panel, "#/contexts/locks/locks");
  const board = new LockBoard(it);
  finallyDo(board.start());
  await until(() => board.locks.value?.length === 0);
  const lease = await ada.lock("/title", { purpose: "rewriting" });
  await until(() => board.locks.value?.length === 1);
  const [lock] = board.locks.value ?? [];
  expect(lock).toMatchObject({ holder: "ada", paths: ["/title"], purpose: "rewriting", mode: "exclusive" });
  if (lock === undefined) throw new Error("no lock is seen");
  const lost = new Promise((resolve) => lease.onLost(resolve));
  await board.release(lock);
  expect(await lost).toMatchObject({ code: "LOCK_NOT_FOUND" });
  await until(() => board.locks.value?.length === 0);
  await board.release(lock);
  expect(panel.notices.list.value.map(({ kind, code }) => [kind, code])).toEqual([
    ["done", undefined],
    ["failed", "LOCK_NOT_FOUND"],
  ]);
  expect(machine.nextMs).toBeDefined();
});

test("[PANEL-18] a conflict shows both sides, and is settled by either, or by what is there", async () => {
  const client = await sdk(server.url, "ada");
  const member = { type: "string", "x-conflict": "manual" };
  await client.types.put("note", { type: "object", properties: { a: member, b: member, c: member } });
  const ada = await client.open("conflicts", { create: { type: "note", data: { a: "-", b: "-", c: "-" } } });
  const bob = await (await sdk(server.url, "bob")).open("conflicts");
  const { panel } = await panelOn(server.url);
  const it = await opened(panel, "#/contexts/conflicts/conflicts");
  const board = new ConflictBoard(it);
  finallyDo(board.start());
  await until(() => board.page.value?.conflicts.length === 0);
  for (const key of ["a", "b", "c"]) {
    ada.data.root.set(key, "by ada");
    bob.data.root.set(key, "by bob");
  }
  await until(() => board.page.value?.conflicts.length === 3);
  const at = (path: string) => {
    const found = board.page.value?.conflicts.find((conflict) => conflict.path === path);
    if (found === undefined) throw new Error(`no conflict at ${path}`);
    return found;
  };
  const first = at("/a");
  const { winner, loser } = first;
  expect(new Set([winner.value, loser.value])).toEqual(new Set(["by ada", "by bob"]));
  expect(new Set([winner.actor, loser.actor])).toEqual(new Set(["ada", "bob"]));
  await board.resolve(at("/a"), "loser");
  await board.resolve(at("/b"), "winner");
  await board.resolve(at("/c"), "present");
  await until(() => at("/c").status === "resolved" && at("/a").status === "resolved");
  expect(it.context.get("/a")).toBe(loser.value);
  expect(at("/b").resolution).toMatchObject({ actor: "anonymous" });
  board.show("open");
  await until(() => board.page.value?.conflicts.length === 0);
  await board.resolve({ ...first, id: "9999.0" }, "winner");
  expect(panel.notices.list.value.at(-1)).toMatchObject({ kind: "failed", code: "CONFLICT_NOT_FOUND" });
});
