/** Several nodes over one PostgreSQL: what is written at one is read, followed, locked and refused at every other. */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import type { Client, Context } from "../../client/index.ts";
import { issueToken } from "../../server/security/issue-token.ts";
import { secretKeyOf } from "../../server/security/own-key.ts";
import { SCOPES } from "../../shared/permission.ts";
import { startNodes } from "../support/nodes.ts";
import type { Nodes } from "../support/nodes.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { createContext, readContext, until } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";
import { AUDIENCE, SECRET } from "../support/tokens.ts";

let postgres: PostgresServer;
let cluster: Nodes;
let a: TestServer;
let b: TestServer;
let c: TestServer;
const clients: Client[] = [];

beforeAll(async () => {
  postgres = await PostgresServer.start();
});
afterAll(() => postgres.stop());

beforeEach(async () => {
  cluster = await startNodes(postgres, 3);
  const [first, second, third] = cluster.nodes;
  if (first === undefined || second === undefined || third === undefined) throw new Error("three nodes");
  [a, b, c] = [first, second, third];
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close().catch(() => {});
  await cluster.close();
});

async function open(node: TestServer, actor: string, id = "plan"): Promise<Context> {
  const client = await connect(node.url, { actor });
  clients.push(client);
  return client.open(id);
}

async function patch(node: TestServer, id: string, changes: readonly object[], more: object = {}): Promise<Response> {
  return fetch(`${node.url}/v1/contexts/${id}`, {
    method: "PATCH",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ changes, ...more }),
  });
}

test("[NODE-2] what one node acknowledged every other reads at once", async () => {
  await createContext(a, "plan", { n: 0 });
  for (let n = 1; n <= 30; n++) {
    const [writer, reader] = [cluster.nodes[n % 3] ?? a, cluster.nodes[(n + 1) % 3] ?? a];
    expect((await patch(writer, "plan", [{ op: "replace", path: "/n", value: n }])).status).toBe(200);
    expect(await readContext(reader, "plan")).toMatchObject({ version: n, data: { n } });
  }
});

test("[NODE-1] writes of all nodes have one order, and every replica ends with all of them", async () => {
  await createContext(a, "plan", { text: { $text: "" }, counts: {} });
  const contexts = await Promise.all(
    [...cluster.nodes, ...cluster.nodes].map((node, index) => open(node, `actor-${index}`)),
  );
  await Promise.all(
    contexts.map(async (context, index) => {
      for (let n = 0; n < 15; n++) {
        context.data.getText("text").insert(0, `${index}`);
        await context.update([{ op: "add", path: `/counts/${index}-${n}`, value: n }]);
      }
      await context.saved();
    }),
  );
  const all = contexts.length * 15;
  const isWhole = (context: Context): boolean => sizeOf(context) === all && textOf(context).length === all;
  await Promise.all(contexts.map((context) => until(context.doc, () => isWhole(context))));
  const [first, ...others] = contexts.map((context) => context.get());
  for (const other of others) expect(other).toEqual(first);
  const [history, ...histories] = await Promise.all(contexts.slice(0, 3).map(versionsOf));
  expect(history?.map(([version]) => version)).toEqual(history?.map((_, at) => at + 1));
  for (const other of histories) expect(other).toEqual(history);
});

test("[NODE-1] a counter that every node raises loses nothing", async () => {
  await createContext(a, "plan", { n: 0 });
  const contexts = await Promise.all(cluster.nodes.map((node, index) => open(node, `actor-${index}`)));
  await Promise.all(
    contexts.map(async (context) => {
      for (let n = 0; n < 10; n++) await context.modify("/n", (value) => Number(value) + 1, { attempts: 100 });
    }),
  );
  expect(await readContext(c, "plan")).toMatchObject({ data: { n: 30 } });
});

test("[NODE-5] a lock holds at every node, for as long as it is renewed at any", async () => {
  await createContext(a, "plan", { x: 1, y: 1 });
  const [holder, other] = [await open(a, "ada"), await open(b, "bob")];
  const lease = await holder.lock("/x", { ttlMs: 2000 });
  await expect(other.update([{ op: "replace", path: "/x", value: 2 }])).rejects.toMatchObject({ code: "LOCKED" });
  expect((await patch(c, "plan", [{ op: "replace", path: "/x", value: 2 }])).status).toBe(423);
  await other.update([{ op: "replace", path: "/y", value: 2 }]);
  const waiting = other.lock("/x", { ttlMs: 2000, waitMs: 20_000 });
  await holder.update([{ op: "replace", path: "/x", value: 3 }], { lease });
  await lease.release();
  const taken = await waiting;
  expect(taken.fencingToken).toBeGreaterThan(lease.fencingToken);
  await expect(holder.update([{ op: "replace", path: "/x", value: 4 }], { lease })).rejects.toMatchObject({
    code: "FENCE_STALE",
  });
  await taken.release();
});

test("[NODE-4] a context that is deleted or recreated at one node ends its sessions at the others", async () => {
  await createContext(a, "plan", { x: 1 });
  const [here, there] = [await open(a, "ada"), await open(b, "bob")];
  await here.update([{ op: "replace", path: "/x", value: 2 }]);
  await here.compact();
  await there.update([{ op: "replace", path: "/x", value: 3 }]);
  expect(await readContext(c, "plan")).toMatchObject({ data: { x: 3 } });
  const ended = new Promise((resolve) => there.on("closed", resolve));
  await fetch(`${c.url}/v1/contexts/plan`, { method: "DELETE" });
  expect(await ended).toMatchObject({ code: "CONTEXT_NOT_FOUND" });
  expect((await fetch(`${b.url}/v1/contexts/plan`)).status).toBe(404);
});

test("[NODE-4] [REFUSE-2] what was refused in a context that another node deleted is not told of the next one", async () => {
  await createContext(a, "plan", { n: 0 });
  expect((await patch(b, "plan", [{ op: "test", path: "/n", value: 1 }])).ok).toBe(false);
  const told = async () => (await fetch(`${b.url}/v1/contexts/plan/refusals`)).json();
  expect(await told()).toMatchObject({ refusals: [{ code: "TEST_FAILED" }] });
  await fetch(`${a.url}/v1/contexts/plan`, { method: "DELETE" });
  await createContext(a, "plan");
  expect(await told()).toEqual({ refusals: [] });
});

test("[NODE-5] a lock whose holder is heard of no more ends in its time, at whichever node its server was", async () => {
  await createContext(a, "plan", { x: 1 });
  await open(b, "bob");
  const body = JSON.stringify({ paths: ["/x"], ttlMs: 1000 });
  const headers = { "content-type": "application/json", "mcm-actor": "ada" };
  expect((await fetch(`${a.url}/v1/contexts/plan/locks`, { method: "POST", body, headers })).status).toBe(201);
  await a.close();
  const waiting = JSON.stringify({ paths: ["/x"], ttlMs: 1000, waitMs: 30_000 });
  const by = { ...headers, "mcm-actor": "bob" };
  const granted = await fetch(`${b.url}/v1/contexts/plan/locks`, { method: "POST", body: waiting, headers: by });
  expect(granted.status).toBe(201);
});

test("[NODE-6] who loses the right to write is refused at every node from then on", async () => {
  const strict = await startNodes(postgres, 2, { MCM_AUTH: "jwt", MCM_JWT_SECRET: SECRET });
  const [here, there] = strict.nodes;
  if (here === undefined || there === undefined) throw new Error("two nodes");
  const [ada, bob] = await Promise.all(["ada", "bob"].map(tokenOf));
  const send = (method: string, path: string, body: object): Promise<Response> =>
    fetch(here.url + path, {
      method,
      headers: { "content-type": "application/json", authorization: `Bearer ${ada}` },
      body: JSON.stringify(body),
    });
  const grant = (role: string): Promise<Response> =>
    send("PUT", "/v1/contexts/plan/acl", { grants: [{ principal: "bob", role }] });
  expect((await send("POST", "/v1/contexts", { id: "plan", data: { x: 1 } })).status).toBe(201);
  expect((await grant("writer")).status).toBe(200);
  const client = await connect(there.url, { token: bob ?? "" });
  clients.push(client);
  const context = await client.open("plan");
  await context.update([{ op: "replace", path: "/x", value: 2 }]);
  const changed = new Promise((resolve) => context.on("access", resolve));
  expect((await grant("reader")).status).toBe(200);
  await changed;
  await expect(context.update([{ op: "replace", path: "/x", value: 3 }])).rejects.toMatchObject({ code: "FORBIDDEN" });
  await client.close();
  await strict.close();
});

async function tokenOf(subject: string): Promise<string> {
  const claims = { subject, audience: AUDIENCE, scopes: SCOPES, grants: [], lifetimeMs: 600_000 };
  const issuing = { key: secretKeyOf(SECRET), claims, nowMs: Date.now(), tokenId: randomUUID() };
  return (await issueToken(issuing)).token;
}

function textOf(context: Context): string {
  const text = context.get("/text");
  return typeof text === "string" ? text : "";
}

function sizeOf(context: Context): number {
  return Object.keys(context.get("/counts") as object).length;
}

async function versionsOf(context: Context): Promise<[version: number, actor: string][]> {
  const found: [number, string][] = [];
  for await (const { version, actor } of context.changes({ since: 0 })) found.push([version, actor]);
  return found;
}
