/** The traffic of live sessions, and closing them, over HTTP on the real server: rules TAP-1, TAP-4 and TAP-5. */
import { afterEach, expect, test, vi } from "vitest";
import type { z } from "zod";
import { connect } from "../../client/index.ts";
import { readEvents } from "../../client/event-stream.ts";
import type { ServerEvent } from "../../client/event-stream.ts";
import { auditListSchema } from "../../shared/protocol/rest-audit.ts";
import { sessionListSchema, sessionSchema } from "../../shared/protocol/rest-monitoring.ts";
import { sessionEndSchema, sessionFrameSchema } from "../../shared/protocol/rest-traffic.ts";
import { startJwtServer } from "../support/jwt-server.ts";
import { startTestServer } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";
import { openStockClient } from "../support/stock-client.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Asking {
  readonly server: TestServer;
  readonly token?: string;
}

const ask = ({ server, token }: Asking, path: string, method = "GET"): Promise<Response> =>
  fetch(`${server.url}/v1/sessions${path}`, {
    method,
    headers: token === undefined ? { "mcm-actor": "ops" } : { authorization: `Bearer ${token}` },
  });

async function idOf(asking: Asking, actor: string): Promise<string> {
  const { sessions } = sessionListSchema.parse(await (await ask(asking, "")).json());
  return sessions.find((session) => session.actor === actor)?.id ?? "";
}

async function follow(asking: Asking, id: string) {
  const response = await ask(asking, `/${id}/traffic`);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  if (response.body === null) throw new Error("a feed has a body");
  const events = readEvents(response.body);
  const next = async (): Promise<ServerEvent> => {
    for (;;) {
      const { value } = await events.next();
      if (value === undefined) throw new Error("the feed ended");
      if (value.event !== "") return value;
    }
  };
  /** The first of them that is this. */
  const until = async (name: string, isIt = (_data: string): boolean => true): Promise<ServerEvent> => {
    for (;;) {
      const event = await next();
      if (event.event === name && isIt(event.data)) return event;
    }
  };
  return { next, until, events };
}

const read = <Schema extends z.ZodType>(schema: Schema, { data }: ServerEvent) => schema.parse(JSON.parse(data));

test("[TAP-1] [TAP-5] an admin sees what a session says and is told, and closes it; its client comes again with its edits", async () => {
  const server = await startTestServer();
  closing.push(() => server.close());
  const asking = { server };
  const client = await connect(server.url, { actor: "ada" });
  closing.push(() => client.close());
  const plan = await client.open("plan", { create: { data: { title: "secret" } } });
  const id = await idOf(asking, "ada");
  const feed = await follow(asking, id);
  expect(read(sessionSchema, await feed.next())).toMatchObject({ id, actor: "ada", contextId: "plan" });
  await plan.lock("/title", { purpose: "a secret" });
  const asked = read(sessionFrameSchema, await feed.until("frame"));
  expect(asked).toMatchObject({
    direction: "in",
    type: "request",
    facts: { id: expect.any(Number), method: "lock", paths: ["/title"] },
  });
  await plan.update([{ op: "replace", path: "/title", value: "another secret" }]);
  const commit = await feed.until("frame", (data) => data.includes('"commit"'));
  expect(read(sessionFrameSchema, commit)).toMatchObject({
    direction: "out",
    facts: { version: 1, paths: ["/title"] },
  });
  expect(commit.data).not.toContain("secret");

  const isBack = new Promise((resolve) => plan.on("status", (status) => status === "online" && resolve(status)));
  const closed = await ask(asking, `/${id}`, "DELETE");
  expect([closed.status, await closed.text()]).toEqual([204, ""]);
  plan.data.root.set("offline", true);
  const end = read(sessionEndSchema, await feed.until("ended"));
  expect(end).toMatchObject({ by: "server", closeCode: 4503, reason: expect.stringMatching(/^SESSION_CLOSED: /) });
  expect((await feed.events.next()).done).toBe(true);
  await isBack;
  await plan.saved();
  expect((await (await fetch(`${server.url}/v1/contexts/plan`)).json()).data).toMatchObject({ offline: true });

  for (const [path, method] of [
    ["", "DELETE"],
    ["/traffic", "GET"],
  ] as const) {
    const gone = await ask(asking, `/${id}${path}`, method);
    expect([gone.status, await gone.json()]).toMatchObject([404, { code: "SESSION_NOT_FOUND" }]);
  }
  expect((await ask(asking, `/${id}/traffic?since=1`)).status).toBe(400);
  const audited = async () => auditListSchema.parse(await (await fetch(`${server.url}/v1/audit?context=plan`)).json());
  const told = { actor: "ops", context: "plan", detail: { session: id, of: "ada" } };
  await vi.waitUntil(async () => (await audited()).entries.length === 2, { timeout: 20_000 });
  expect((await audited()).entries).toMatchObject([
    { action: "session.close", ...told },
    { action: "session.follow", ...told },
  ]);
});

test("[TAP-4] [TAP-5] a stock client comes again too; one that leaves is said to have left", async () => {
  const server = await startTestServer();
  closing.push(() => server.close());
  await fetch(`${server.url}/v1/contexts`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id: "plan" }),
  });
  const stock = openStockClient({ url: server.url, contextId: "plan", actor: "bob" });
  closing.push(stock.close);
  await stock.synced();
  const first = await idOf({ server }, "bob");
  await ask({ server }, `/${first}`, "DELETE");
  await vi.waitUntil(async () => ![first, ""].includes(await idOf({ server }, "bob")), { timeout: 20_000 });
  const feed = await follow({ server }, await idOf({ server }, "bob"));
  stock.doc.getText("page").insert(0, "x");
  const edit = await feed.until("frame", (data) => data.includes('"update"'));
  expect(read(sessionFrameSchema, edit)).toMatchObject({ direction: "in", facts: { paths: ["@page"] } });
  stock.close();
  expect(read(sessionEndSchema, await feed.until("ended"))).toMatchObject({ by: "client" });
});

test("[TAP-4] only admins of the server may, and the feed ends with their right to it", async () => {
  const server = await startJwtServer();
  closing.push(() => server.close());
  const token = await server.token("ada");
  const client = await connect(server.url, { token });
  closing.push(() => client.close());
  await client.open("plan", { create: {} });
  const root = { server, token: await server.token("root", { grants: [{ id: "*", role: "admin" }] }) };
  const id = await idOf(root, "ada");
  for (const [path, method] of [
    ["", "DELETE"],
    ["/traffic", "GET"],
  ] as const) {
    const refused = await ask({ server, token }, `/${id}${path}`, method);
    expect([refused.status, await refused.json()]).toMatchObject([403, { code: "FORBIDDEN" }]);
  }
  const feed = await follow(root, id);
  await server.revoke("root");
  expect((await feed.until("problem")).data).toContain("UNAUTHENTICATED");
});
