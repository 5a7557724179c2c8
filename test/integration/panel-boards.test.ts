/** The panel's boards with a real server: locks, and conflicts. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { ConflictBoard } from "../../client/panel/store/conflict-board.ts";
import { LockBoard } from "../../client/panel/store/lock-board.ts";
import { RefusalBoard } from "../../client/panel/store/refusal-board.ts";
import { parseActor } from "../../shared/ids.ts";
import { startJwtServer } from "../support/jwt-server.ts";
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
  const bob = await (await sdk(server.url, "bob")).open("locks");
  const next = bob.lock("/title", { purpose: "proofreading", waitMs: 60_000 });
  await until(() => board.waiting.value?.length === 1);
  expect(board.waiting.value).toMatchObject([{ actor: "bob", purpose: "proofreading", position: 1 }]);
  const lost = new Promise((resolve) => lease.onLost(resolve));
  await board.release(lock);
  expect(await lost).toMatchObject({ code: "LOCK_NOT_FOUND" });
  const proofreading = await next;
  await until(() => board.waiting.value?.length === 0 && board.locks.value?.[0]?.holder === "bob");
  await proofreading.release();
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

test("[PANEL-19] [REFUSE-1] refused writes show who, where and why, by whichever door", async () => {
  const client = await sdk(server.url, "ada");
  await client.types.put("strict", { type: "object", properties: { n: { type: "number" } } });
  const ada = await client.open("refusals", { create: { type: "strict", data: { n: 1 } } });
  const bob = await (await sdk(server.url, "bob")).open("refusals");
  const { panel } = await panelOn(server.url);
  const it = await opened(panel, "#/contexts/refusals/refusals");
  const board = new RefusalBoard(it);
  finallyDo(board.start());
  await until(() => board.refusals.value?.length === 0);
  const lease = await ada.lock("/n", { purpose: "counting" });
  await expect(bob.update([{ op: "replace", path: "/n", value: 2 }])).rejects.toMatchObject({ code: "LOCKED" });
  const isRejected = new Promise((resolve) => bob.on("rejected", resolve));
  bob.data.root.set("n", 3);
  await isRejected;
  await lease.release();
  const body = JSON.stringify({ changes: [{ op: "replace", path: "/n", value: "secret" }] });
  const headers = { "content-type": "application/json", "mcm-actor": "eve" };
  const rest = await fetch(`${server.url}/v1/contexts/refusals`, { method: "PATCH", headers, body });
  expect(rest.status).toBe(422);
  expect(await it.change([{ op: "test", path: "/n", value: 5 }])).toBeUndefined();
  await until(() => board.refusals.value?.length === 4);
  expect(board.refusals.value?.map(({ actor, origin, code, paths, by }) => [actor, origin, code, paths, by])).toEqual([
    ["anonymous", "sdk", "TEST_FAILED", ["/n"], undefined],
    ["eve", "rest", "SCHEMA_VIOLATION", ["/n"], undefined],
    ["bob", "sdk", "LOCKED", ["/n"], "ada"],
    ["bob", "sdk", "LOCKED", ["/n"], "ada"],
  ]);
  expect(JSON.stringify(board.refusals.value)).not.toContain("secret");
  await client.delete("refusals");
  await client.create({ id: "refusals" });
  const anew = await fetch(`${server.url}/v1/contexts/refusals/refusals`);
  expect(await anew.json()).toEqual({ refusals: [] });
});

test("[REFUSE-1] who may not read a context is told of none of its refusals", async () => {
  const jwt = await startJwtServer();
  finallyDo(() => jwt.close());
  const as = async (name: string, path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = { "content-type": "application/json", authorization: `Bearer ${await jwt.token(name)}` };
    return fetch(`${jwt.url}/v1/contexts${path}`, { ...init, headers });
  };
  await as("ada", "", { method: "POST", body: JSON.stringify({ id: "plan", data: {} }) });
  await jwt.grant("plan", "ada", { principal: parseActor("bob"), role: "reader" });
  const body = JSON.stringify({ changes: [{ op: "add", path: "/x", value: 1 }] });
  expect((await as("bob", "/plan", { method: "PATCH", body })).status).toBe(403);
  const told = await (await as("bob", "/plan/refusals")).json();
  expect(told).toMatchObject({ refusals: [{ actor: "bob", code: "FORBIDDEN", rule: "role" }] });
  expect((await as("eve", "/plan/refusals")).status).toBe(404);
});
