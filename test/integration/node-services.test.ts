/** Several nodes over one PostgreSQL: what belongs to the server as a whole, and to no log, acts at every node. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import type { Client } from "../../client/index.ts";
import { readEvents } from "../../client/event-stream.ts";
import type { ServerEvent } from "../../client/event-stream.ts";
import { SCOPES } from "../../shared/permission.ts";
import { sessionListSchema } from "../../shared/protocol/rest-monitoring.ts";
import { refusalListSchema } from "../../shared/protocol/rest-refusals.ts";
import { webhookSchema } from "../../shared/protocol/rest-webhooks.ts";
import { HookReceiver } from "../support/hook-receiver.ts";
import { startNode, startNodes } from "../support/nodes.ts";
import type { Nodes } from "../support/nodes.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import type { TestServer } from "../support/running-server.ts";
import { ServerProcess } from "../support/server-process.ts";
import { overHttp } from "../support/mcp-clients.ts";
import { openStockClient } from "../support/stock-client.ts";
import type { StockClient } from "../support/stock-client.ts";
import { claimsAt, SECRET, sign } from "../support/tokens.ts";

const ENVIRONMENT = { MCM_AUTH: "jwt", MCM_JWT_SECRET: SECRET };

let postgres: PostgresServer;
let cluster: Nodes;
let a: TestServer;
let b: TestServer;
const CUT_LINES = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE application_name LIKE 'mcp-context-manager hints %' AND datname = current_database()`;
const EVERYWHERE = [{ id: "*", role: "writer" }];
const clients: Client[] = [];
const stocks: StockClient[] = [];
let count = 0;

beforeAll(async () => {
  postgres = await PostgresServer.start();
  cluster = await startNodes(postgres, 2, ENVIRONMENT);
  const [first, second] = cluster.nodes;
  if (first === undefined || second === undefined) throw new Error("two nodes");
  [a, b] = [first, second];
});
afterEach(async () => {
  for (const client of stocks.splice(0)) client.close();
  for (const client of clients.splice(0)) await client.close().catch(() => {});
});
afterAll(async () => {
  await cluster.close();
  await postgres.stop();
});

function tokenOf(sub: string, claims: Record<string, unknown> = {}): Promise<string> {
  return sign(claimsAt(Date.now(), { sub, jti: `n-${++count}`, scope: SCOPES.join(" "), ...claims }));
}

const admin = (): Promise<string> => tokenOf("ops", { contexts: [{ id: "*", role: "admin" }] });

/** `what` is method and path. */
async function send(node: TestServer, token: string, what: string, body?: unknown): Promise<Response> {
  const [method = "", path = ""] = what.split(" ");
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  return fetch(`${node.url}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

test("[NODE-10] a token that is revoked at one node is none at the others, and what is open under it there ends", async () => {
  const [root, token] = [await admin(), await tokenOf("eve")];
  expect((await send(a, token, "POST /v1/contexts", { id: "revoked", data: { x: 1 } })).status).toBe(201);
  const client = await connect(b.url, { token });
  clients.push(client);
  const context = await client.open("revoked");
  const ended = new Promise((resolve) => context.on("closed", resolve));
  const { status } = await send(a, root, "POST /v1/revocations", { subject: "eve" });
  expect(status).toBe(201);
  expect(await ended).toMatchObject({ code: "UNAUTHENTICATED" });
  expect((await send(b, token, "GET /v1/contexts/revoked")).status).toBe(401);
});

test("[NODE-11] a type that is registered or deleted at one node rules at the others", async () => {
  const root = await admin();
  const schema = { type: "object", properties: { n: { type: "integer" } } };
  await send(a, root, "PUT /v1/types/task", { schema });
  await expect.poll(async () => (await send(b, root, "GET /v1/types/task")).status).toBe(200);
  const made = await send(b, root, "POST /v1/contexts", { id: "typed", type: "task", data: { n: 1 } });
  expect(made.status).toBe(201);
  const wrong = { changes: [{ op: "replace", path: "/n", value: "two" }] };
  await expect.poll(async () => (await send(a, root, "PATCH /v1/contexts/typed", wrong)).status).toBe(422);
  // of two nodes that register one after the other, the second knows of the first
  const second = await send(b, root, "PUT /v1/types/task", { schema: { type: "object" } });
  expect(await second.json()).toMatchObject({ type: { revision: 2 } });
  await expect.poll(async () => (await send(a, root, "PATCH /v1/contexts/typed", wrong)).status).toBe(200);
  await send(a, root, "DELETE /v1/types/task");
  await expect.poll(async () => (await send(b, root, "GET /v1/types/task")).status).toBe(404);
});

test("[NODE-13] who is at one node sees who is at the others: when it is said, when one comes, and when it ends", async () => {
  const root = await admin();
  await send(a, root, "POST /v1/contexts", { id: "together", data: {} });
  const open = async (node: TestServer, actor: string): Promise<StockClient> => {
    const token = await tokenOf(actor, { contexts: [{ id: "together", role: "writer" }] });
    const client = openStockClient({ url: node.url, contextId: "together", token });
    stocks.push(client);
    await client.synced();
    return client;
  };
  const ada = await open(a, "ada");
  // of more bytes than a notice of the database holds
  const cursor = { at: 7, actor: "somebody else", note: "\u00fc\u{1f600}".repeat(1500) };
  ada.provider.awareness.setLocalState(cursor);
  const bob = await open(b, "bob");
  await seeing(bob, ada, (state) => state?.["at"] === 7);
  expect(bob.provider.awareness.getStates().get(ada.doc.clientID)).toEqual({ ...cursor, actor: "ada" });
  bob.provider.awareness.setLocalState({ at: 1 });
  await seeing(ada, bob, (state) => state?.["at"] === 1);
  ada.provider.awareness.setLocalStateField("at", 8);
  await seeing(bob, ada, (state) => state?.["at"] === 8);
  ada.close();
  await seeing(bob, ada, (state) => state === undefined);
});

/** Resolves when one has this of the other. */
function seeing(
  { provider: { awareness } }: StockClient,
  { doc: { clientID } }: StockClient,
  isTrue: (state: Record<string, unknown> | undefined) => boolean,
): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (!isTrue(awareness.getStates().get(clientID))) return;
      awareness.off("change", check);
      resolve();
    };
    awareness.on("change", check);
    check();
  });
}

test("[NODE-14] feeds go on at another node, and end there with the right to read", async () => {
  const [owner, reader] = [await tokenOf("ann"), await tokenOf("ben")];
  await send(a, owner, "POST /v1/contexts", { id: "fed", data: { n: 0 } });
  await send(a, owner, "PUT /v1/contexts/fed/acl", { grants: [{ principal: "ben", role: "reader" }] });
  const write = (n: number) =>
    send(a, owner, "PATCH /v1/contexts/fed", { changes: [{ op: "replace", path: "/n", value: n }] });
  const first = await feedOf(a, reader, "/v1/contexts/fed/changes?since=0");
  await write(1);
  const seen = await first.next();
  first.stop();
  await write(2);
  const second = await feedOf(b, reader, "/v1/contexts/fed/changes", seen.lastEventId);
  expect(JSON.parse((await second.next()).data)).toMatchObject({ version: 2 });
  await write(3);
  expect(JSON.parse((await second.next()).data)).toMatchObject({ version: 3 });
  await send(a, owner, "PUT /v1/contexts/fed/acl", { grants: [] });
  expect(await second.next()).toMatchObject({ event: "problem", data: expect.stringContaining("CONTEXT_NOT_FOUND") });
});

test("[NODE-15] events of contexts that one node writes are told at the others, to whoever may read them", async () => {
  const [owner, stranger] = [await tokenOf("ann"), await tokenOf("sam")];
  const feed = await feedOf(b, owner, "/v1/events");
  const other = await feedOf(b, stranger, "/v1/events");
  await send(a, owner, "POST /v1/contexts", { id: "eventful", data: { n: 0 } });
  expect(await feed.next()).toMatchObject({ event: "created", data: JSON.stringify({ id: "eventful" }) });
  await send(a, owner, "PATCH /v1/contexts/eventful", { changes: [{ op: "replace", path: "/n", value: 1 }] });
  expect((await feed.next("created")).event).toBe("changed");
  await send(a, owner, "POST /v1/contexts/eventful/locks", { paths: ["/n"] });
  expect((await feed.next("changed")).event).toBe("locks");
  await send(a, owner, "PUT /v1/contexts/eventful/acl", { grants: [] });
  expect((await feed.next("locks")).event).toBe("access");
  await send(a, owner, "DELETE /v1/contexts/eventful");
  expect((await feed.next("access")).event).toBe("deleted");
  await send(a, stranger, "POST /v1/contexts", { id: "own", data: {} });
  expect(await other.next()).toMatchObject({ event: "created", data: JSON.stringify({ id: "own" }) });
  feed.stop();
  other.stop();
});

test("[NODE-15] an MCP client at one node is told of what another one writes, and waits for it", async () => {
  const owner = await tokenOf("ann");
  await send(a, owner, "POST /v1/contexts", { id: "waited", data: { n: 0 } });
  const talk = await overHttp("2026-07-28", { url: b.url, token: owner });
  await talk.follow("context://contexts/waited");
  const waited = talk.call("context_wait", { targets: [{ id: "waited", since_version: 0 }], timeout_seconds: 30 });
  // by somebody else: one does not wait for oneself
  const writer = await tokenOf("bea", { contexts: EVERYWHERE });
  await send(a, writer, "PATCH /v1/contexts/waited", { changes: [{ op: "replace", path: "/n", value: 1 }] });
  expect(await talk.told(1)).toEqual(["context://contexts/waited"]);
  expect((await waited).text).toContain("bea");
  await talk.close();
});

test("[NODE-16] a conflict that one node finds is told to the sessions at the others", async () => {
  const token = await tokenOf("ann");
  await send(a, token, "POST /v1/contexts", { id: "torn", data: { n: 0 } });
  const client = await connect(b.url, { token });
  clients.push(client);
  const context = await client.open("torn");
  const told = new Promise((resolve) => context.on("conflict", resolve));
  const late = openStockClient({
    url: a.url,
    contextId: "torn",
    token: await tokenOf("bea", { contexts: EVERYWHERE }),
  });
  stocks.push(late);
  await late.synced();
  late.provider.disconnect();
  late.doc.getMap("data").set("n", 1);
  await context.update([{ op: "replace", path: "/n", value: 2 }]);
  late.provider.connect();
  expect(await told).toMatchObject({ kind: "set-set", path: "/n" });
});

/** Events of a feed, after what it begins with. */
async function feedOf(node: TestServer, token: string, path: string, lastEventId?: string) {
  const stop = new AbortController();
  const headers = { authorization: `Bearer ${token}`, accept: "text/event-stream" };
  const response = await fetch(`${node.url}${path}`, {
    headers: lastEventId === undefined ? headers : { ...headers, "last-event-id": lastEventId },
    signal: stop.signal,
  });
  const { body } = response;
  if (!response.ok || body === null) throw new Error(`${path} gave ${response.status}`);
  const events = readEvents(body);
  /** What was told before may be told again: by the hint, and by who looks without one. */
  const next = async (before?: string): Promise<ServerEvent> => {
    for (;;) {
      const { value } = await events.next();
      if (value === undefined) throw new Error("the feed ended");
      if (value.event !== "" && value.event !== before) return value;
    }
  };
  return { next, stop: () => stop.abort() };
}

test("[NODE-45] [NODE-46] [NODE-47] sessions, refused writes and figures are told at whichever node, and sessions closed there", async () => {
  const root = await admin();
  await send(a, root, "POST /v1/contexts", { id: "seen", data: { n: 0 } });
  for (const [node, name] of [
    [a, "ada"],
    [b, "bob"],
  ] as const) {
    const token = await tokenOf(name, { contexts: [{ id: "seen", role: "reader" }] });
    const client = await connect(node.url, { token });
    clients.push(client);
    await client.open("seen");
    const change = { changes: [{ op: "replace", path: "/n", value: 1 }] };
    expect((await send(node, token, "PATCH /v1/contexts/seen", change)).status).toBe(403);
  }
  for (const node of [a, b]) {
    const sessionsSeen = async () =>
      sessionListSchema.parse(await (await send(node, root, "GET /v1/sessions?context=seen")).json()).sessions;
    await expect.poll(async () => (await sessionsSeen()).map(({ actor }) => actor).sort()).toEqual(["ada", "bob"]);
    expect(new Set((await sessionsSeen()).map((session) => session.node))).toEqual(new Set([0, 1]));
    const refused = async () =>
      refusalListSchema.parse(await (await send(node, root, "GET /v1/contexts/seen/refusals")).json()).refusals;
    await expect.poll(async () => (await refused()).map(({ actor }) => actor)).toEqual(["bob", "ada"]);
    const listed = async () => (await send(node, root, "GET /v1/contexts?include=figures&query=seen")).json();
    await expect.poll(listed).toMatchObject({ contexts: [{ id: "seen", figures: { sessions: 2 } }] });
  }
  const { sessions } = sessionListSchema.parse(await (await send(a, root, "GET /v1/sessions?context=seen")).json());
  const bob = sessions.find(({ actor }) => actor === "bob");
  const followed = await send(a, root, `GET /v1/sessions/${bob?.id}/traffic`);
  expect([followed.status, await followed.json()]).toMatchObject([
    421,
    { code: "SESSION_ELSEWHERE", details: { node: bob?.node } },
  ]);
  expect((await send(a, root, `DELETE /v1/sessions/${bob?.id}`)).status).toBe(204);
  // its client comes again, as another session
  const atItsNode = await send(b, root, "GET /v1/sessions?context=seen");
  expect(sessionListSchema.parse(await atItsNode.json()).sessions.map(({ id }) => id)).not.toContain(bob?.id);
  expect((await send(a, root, `DELETE /v1/sessions/${bob?.id}`)).status).toBe(404);
});

test("[NODE-12] [NODE-48] [EVENT-5] one node delivers webhooks, whoever wrote; when it dies or stops another goes on, and nothing is lost", async () => {
  const receiver = new HookReceiver();
  const url = await receiver.start();
  const storage = await postgres.database();
  const root = await admin();
  // the first one leads
  const dying = await ServerProcess.start({ dataDir: "unused", environment: { ...ENVIRONMENT, MCM_STORAGE: storage } });
  const [x, y] = [await startNode(storage, ENVIRONMENT), await startNode(storage, ENVIRONMENT)];
  let version = 0;
  const write = async (node: TestServer, times: number): Promise<void> => {
    for (let n = 0; n < times; n++) {
      const changes = [{ op: "replace", path: "/n", value: ++version }];
      expect((await send(node, root, "PATCH /v1/contexts/hook-1", { changes })).status).toBe(200);
    }
  };
  const inOrder = (): readonly number[] => Array.from({ length: version }, (_, at) => at + 1);
  try {
    const hook = { url, secret: "a secret of the nodes", contexts: ["hook-*"] };
    const { id } = webhookSchema.parse(await (await send(x, root, "POST /v1/webhooks", hook)).json());
    // who does not know of it yet asks
    expect((await send(y, root, `GET /v1/webhooks/${id}`)).status).toBe(200);
    await send(y, root, "POST /v1/contexts", { id: "hook-1", data: { n: 0 } });
    await write(x, 2);
    await write(y, 2);
    await receiver.has("hook-1", version);
    expect(receiver.versionsOf("hook-1")).toEqual(inOrder());
    // that something was delivered knows who delivers
    const report = async (node: TestServer) => (await send(node, root, `GET /v1/webhooks/${id}`)).json();
    for (const node of [x, y])
      await expect.poll(() => report(node)).toMatchObject({ behind: 0, lastDeliveryAt: expect.any(String) });
    const events = await feedOf(y, root, "/v1/events");
    // whoever leads does not know it any more: nor do the others hear of what is written
    await postgres.query(new URL(storage).pathname.slice(1), CUT_LINES);
    expect(await events.next("changed")).toMatchObject({ event: "missed", data: "{}" });
    events.stop();
    await write(y, 2);
    await receiver.has("hook-1", version);
    expect([...new Set(receiver.versionsOf("hook-1"))]).toEqual(inOrder());
    await write(x, 3);
    await dying.kill();
    await write(y, 3);
    await receiver.has("hook-1", version);
    expect([...new Set(receiver.versionsOf("hook-1"))]).toEqual(inOrder());
    await x.close();
    await write(y, 2);
    await receiver.has("hook-1", version);
    expect([...new Set(receiver.versionsOf("hook-1"))]).toEqual(inOrder());
  } finally {
    await Promise.all([dying.kill(), x.close(), y.close()]);
    receiver.close();
  }
});
