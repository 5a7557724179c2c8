/** The panel's state with a real server and no page: entering, finding contexts, and an open context that others work in. */
import { describe, expect, test } from "vitest";
import type { OpenContext } from "../../client/panel/store/open-context.ts";
import { closeSession, sessionPoll } from "../../client/panel/store/session-list.ts";
import { SessionTraffic } from "../../client/panel/store/session-traffic.ts";
import { finallyDo, openServer, opened, panelOn, sdk, until } from "../support/panel-desk.ts";
import { startJwtServer } from "../support/jwt-server.ts";
import { startTestServer } from "../support/running-server.ts";
import { nodeCount } from "../support/start-server.ts";

/** The traffic of a session is told by the node where it is (docs/postgres.md). */
const areNodes = nodeCount() > 1;

const lineAt = (it: OpenContext, path: string) => it.tree?.lines.value.find((line) => line.path === path);

describe("[PANEL-9] entering", () => {
  test("an open server takes nobody in particular, and a name", async () => {
    const { url } = await openServer();
    const { panel, machine } = await panelOn(url);
    expect(panel.desk.value?.link).toMatchObject({ actor: "anonymous", isOpen: true });
    await panel.signIn.as("ada");
    expect(panel.desk.value?.link.actor).toBe("ada");
    const again = await panelOn(url, machine);
    expect(again.panel.desk.value?.link.actor).toBe("ada");
  });

  test("a server with tokens asks for one, keeps it in the tab, and forgets it", async () => {
    const server = await startJwtServer();
    finallyDo(() => server.close());
    const { panel, machine } = await panelOn(server.url);
    expect(panel.signIn.standing.value).toEqual({ is: "out" });
    await panel.signIn.withToken("not.a.token");
    expect(panel.signIn.standing.value).toMatchObject({ is: "out", problem: { code: "UNAUTHENTICATED" } });
    expect([...machine.kept]).toEqual([]);
    const token = await server.token("ada");
    await panel.signIn.withToken(` Bearer ${token}\n`);
    expect(panel.desk.value?.link).toMatchObject({ actor: "ada", isOpen: false });
    expect([...machine.kept.values()]).toEqual([token]);
    const again = await panelOn(server.url, machine);
    expect(again.panel.desk.value?.link.actor).toBe("ada");
    await server.revoke("ada");
    const { link } = again.panel.desk.value ?? {};
    // other nodes are told within a second
    const codeOf = () => link?.call("GET", ["contexts"]).catch(({ code }: { code: string }) => code);
    await expect.poll(codeOf).toBe("UNAUTHENTICATED");
    expect(again.panel.signIn.standing.value).toMatchObject({ is: "out", problem: { code: "UNAUTHENTICATED" } });
    expect([[...machine.kept], again.panel.desk.value]).toEqual([[], undefined]);
  });

  test("what does not answer is said to be so", async () => {
    const server = await startTestServer();
    await server.close();
    const { panel } = await panelOn(server.url);
    expect(panel.signIn.standing.value).toMatchObject({ is: "unreachable", problem: { code: "UNREACHABLE" } });
  });
});

describe("[PANEL-10] the list", () => {
  test("finds by text and type, sorts, and follows the server", async () => {
    const { url } = await openServer();
    const client = await sdk(url, "ada");
    await client.types.put("task", { type: "object" });
    await client.create({ id: "b-plan", name: "Release" });
    // two empty contexts differ in size by how many bytes their random client ids take
    await client.create({ id: "a-task", type: "task", data: { text: "x".repeat(100) } });
    const { panel, machine } = await panelOn(url);
    const list = panel.desk.value?.contexts;
    if (list === undefined) throw new Error("nobody is in");
    finallyDo(list.start());
    const ids = (): string[] | undefined => list.rows.value?.map(({ id }) => id);
    await until(() => ids()?.length === 2);
    list.order.value = "id";
    expect([ids(), list.types.value]).toEqual([["a-task", "b-plan"], ["task"]]);
    await client.create({ id: "c" });
    await machine.pass(2000);
    await until(() => ids()?.length === 3);
    const busy = await client.open("c");
    await busy.update([{ op: "add", path: "/text", value: "x".repeat(500) }]);
    await busy.lock("/a");
    await machine.pass(2000);
    await until(() => list.rows.value?.find(({ id }) => id === "c")?.figures?.locks === 1);
    expect(list.rows.value?.find(({ id }) => id === "c")?.figures).toMatchObject({
      sessions: 1,
      conflicts: { open: 0 },
    });
    for (const order of ["size", "sessions", "locks"] as const) {
      list.order.value = order;
      expect([order, ids()]).toEqual([order, ["c", "a-task", "b-plan"]]);
    }
    list.find("rele", "");
    await machine.pass(150);
    await until(() => ids()?.length === 1);
    expect(ids()).toEqual(["b-plan"]);
    list.find("", "task");
    await machine.pass(150);
    await until(() => ids()?.[0] === "a-task");
  });

  test("says of a server that went away that it did, and keeps what it knew", async () => {
    const server = await openServer();
    await (await sdk(server.url, "ada")).create({ id: "a" });
    const { panel, machine } = await panelOn(server.url);
    const list = panel.desk.value?.contexts;
    finallyDo(list?.start() ?? (() => {}));
    await until(() => list?.rows.value?.length === 1);
    await server.close();
    await machine.pass(2000);
    await until(() => list?.problem.value?.code === "UNREACHABLE");
    expect(list?.rows.value).toHaveLength(1);
  });
});

test.skipIf(areNodes)("[PANEL-30] [PANEL-31] a session's traffic is followed until it is closed", async () => {
  const { url } = await openServer();
  const ada = await (await sdk(url, "ada")).open("plan", { create: {} });
  const { panel, machine } = await panelOn(url);
  const link = panel.desk.value?.link;
  if (link === undefined) throw new Error("nobody is in");
  const poll = sessionPoll(machine, link, "plan");
  finallyDo(poll.start());
  await until(() => poll.value.value?.sessions.length === 1);
  const [session] = poll.value.value?.sessions ?? [];
  if (session === undefined) throw new Error("no session is listed");
  const traffic = new SessionTraffic(machine, link, session.id);
  finallyDo(traffic.start());
  await until(() => traffic.following.value.is === "live");
  ada.data.root.set("title", "A");
  await ada.saved();
  const types = () => traffic.lines.value.map((line) => ("missed" in line ? "missed" : line.frame.type));
  await until(() => (machine.draw(), types().includes("ack")));
  expect(types()).toContain("update");
  const { notices } = panel;
  await closeSession({ link, notices }, session);
  await until(() => traffic.following.value.is === "ended");
  expect(traffic.following.value).toMatchObject({ end: { by: "server", closeCode: 4503 } });
  await closeSession({ link, notices }, session);
  expect(notices.list.value.map(({ kind, code }) => [kind, code])).toEqual([
    ["done", undefined],
    ["failed", "SESSION_NOT_FOUND"],
  ]);
});

describe("[PANEL-11] an open context", () => {
  test("shows what others do, who is here, and who wrote what", async () => {
    const { url } = await openServer();
    const ada = await (
      await sdk(url, "ada")
    ).open("plan", { create: { data: { title: "A", notes: { $text: "hi" } } } });
    const { panel, machine } = await panelOn(url);
    const it = await opened(panel, "#/contexts/plan");
    expect(lineAt(it, "/title")).toMatchObject({ kind: "string", head: "A" });
    expect(it.textAt("/notes")?.toJSON()).toBe("hi");
    ada.presence.set({});
    await ada.update([{ op: "replace", path: "/title", value: "B" }], { message: "better" });
    await until(() => {
      machine.draw();
      return lineAt(it, "/title")?.head === "B" && it.people.value.length === 1;
    });
    expect(it.people.value).toMatchObject([{ actor: "ada", isPanel: false }]);
    expect([it.version.value, it.status.value, it.touches.get("/title")?.actor]).toEqual([1, "online", "ada"]);
    it.select("/title");
    it.writers.pointAt("/title");
    await machine.pass(200);
    await until(() => it.writers.known.value.has("/title"));
    expect(it.writers.known.value.get("/title")).toMatchObject({ actor: "ada", version: 1, message: "better" });
    await until(() => [...ada.presence.get().values()].some(({ at }) => at === "/title"));
  });

  test("is edited as by any client, and tells why an edit is refused", async () => {
    const { url } = await openServer();
    const ada = await (await sdk(url, "ada")).open("plan", { create: { data: { title: "A" } } });
    const { panel } = await panelOn(url);
    const it = await opened(panel, "#/contexts/plan");
    expect(await it.set("/title", "mine")).toBe(1);
    await until(() => ada.get("/title") === "mine");
    const lease = await ada.lock("/title");
    expect(await it.set("/title", "again")).toBeUndefined();
    expect(panel.notices.list.value).toMatchObject([{ kind: "failed", code: "LOCKED" }]);
    await lease.release();
    expect(await it.change([{ op: "remove", path: "/title" }])).toBe(2);
  });

  test("that there is not says so, and opens when there is", async () => {
    const { url } = await openServer();
    const { panel } = await panelOn(url);
    const it = await opened(panel, "#/contexts/none");
    expect(it.opening.value).toMatchObject({ is: "failed", problem: { code: "CONTEXT_NOT_FOUND" } });
    await (await sdk(url, "ada")).create({ id: "none" });
    await it.open();
    expect(it.opening.value.is).toBe("open");
  });

  test("is closed when another view is opened", async () => {
    const { url } = await openServer();
    const ada = await (await sdk(url, "ada")).open("plan", { create: {} });
    const { panel } = await panelOn(url);
    await opened(panel, "#/contexts/plan");
    await until(() => ada.presence.get().size === 1);
    panel.went("#/contexts");
    expect(panel.open.value).toBeUndefined();
    await until(() => ada.presence.get().size === 0);
  });
});
