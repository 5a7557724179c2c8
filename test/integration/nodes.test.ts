/** Several nodes over one PostgreSQL: what is written at one is read, followed, locked and refused at every other. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import type { Client, Context } from "../../client/index.ts";
import { startNodes } from "../support/nodes.ts";
import type { Nodes } from "../support/nodes.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { createContext, readContext, until } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";

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
  const isWhole = (context: Context): boolean => sizeOf(context) === all && String(context.get("/text")).length === all;
  await Promise.all(contexts.map((context) => until(context.doc, () => isWhole(context))));
  const [first, ...others] = await Promise.all(contexts.map((context) => context.get()));
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

function sizeOf(context: Context): number {
  return Object.keys(context.get("/counts") as object).length;
}

async function versionsOf(context: Context): Promise<[version: number, actor: string][]> {
  const found: [number, string][] = [];
  for await (const { version, actor } of context.changes({ since: 0 })) found.push([version, actor]);
  return found;
}
