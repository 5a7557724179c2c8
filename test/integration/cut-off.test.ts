/**
 * A node whose database is gone: it serves nobody what may be old, says so, and comes back by itself.
 *
 * The nodes' timers run twenty times as fast: what takes ten seconds is not what is tested.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import type { Client } from "../../client/index.ts";
import { systemClock } from "../../server/clock.ts";
import type { Clock } from "../../server/clock.ts";
import { alertListSchema, healthSchema, statsSchema } from "../../shared/protocol/rest-monitoring.ts";
import { metricsIn } from "../support/metrics-text.ts";
import { startNode } from "../support/nodes.ts";
import { PATIENT } from "../support/patience.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { createContext, readContext } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";
import { openStockClient } from "../support/stock-client.ts";

const FASTER = 20;
const hurried: Clock = {
  ...systemClock,
  monotonicMs: () => systemClock.monotonicMs() * FASTER,
  setTimer: (delayMs, task) => systemClock.setTimer(delayMs / FASTER, task),
};

let postgres: PostgresServer;
let here: TestServer;
let there: TestServer;
const clients: Client[] = [];

beforeAll(async () => {
  postgres = await PostgresServer.start();
  const storage = await postgres.database();
  here = await startNode(storage, {}, hurried);
  there = await startNode(storage, {}, hurried);
});
afterAll(async () => {
  for (const client of clients) await client.close();
  await Promise.all([here.close(), there.close()]);
  await postgres.stop();
});

async function readiness(): Promise<{ readonly http: number; readonly reasons: readonly string[] }> {
  const response = await fetch(`${here.url}/readyz`);
  return { http: response.status, reasons: healthSchema.parse(await response.json()).reasons };
}

function write(node: TestServer, value: number): Promise<Response> {
  const body = JSON.stringify({ changes: [{ op: "replace", path: "/n", value }] });
  const headers = { "content-type": "application/json" };
  return fetch(`${node.url}/v1/contexts/plan`, { method: "PATCH", headers, body });
}

/** Its text, when it has ended. */
async function feed(path: string): Promise<{ readonly ended: Promise<string> }> {
  const response = await fetch(`${here.url}${path}`, { headers: { accept: "text/event-stream" } });
  return { ended: response.text() };
}

function closeCodeOf(actor: string): { readonly synced: Promise<void>; readonly code: Promise<unknown> } {
  const client = openStockClient({ url: here.url, contextId: "plan", actor });
  client.provider.shouldReconnect = () => false;
  const code = new Promise((resolve) => client.provider.once("connection-close", (event) => resolve(event?.code)));
  const synced = client.synced();
  // one that is refused never is
  synced.catch(() => undefined);
  return { synced, code: code.finally(() => client.close()) };
}

test("[NODE-18] [MON-11] a node without its database refuses reads and writes, ends sessions and feeds with the reason, and serves again when it is back", async () => {
  await createContext(here, "plan", { n: 0 });
  await createContext(here, "quiet", { n: 0 });
  const client = await connect(here.url, { actor: "ada", ...PATIENT });
  clients.push(client);
  const plan = await client.open("plan");
  await plan.update([{ op: "replace", path: "/n", value: 1 }]);
  expect((await write(there, 2)).status).toBe(200);
  const stock = closeCodeOf("stock");
  await stock.synced;
  const feeds = await Promise.all(["/v1/contexts/quiet/changes", "/v1/events"].map(feed));
  await expect.poll(() => plan.get("/n")).toBe(2);
  const before = statsSchema.parse(await (await fetch(`${here.url}/v1/stats`)).json()).log.engine;
  expect(before).toMatchObject({ isReachable: true, isPrimary: true, standbys: { needed: 0, named: 0, connected: 0 } });

  await postgres.kill();
  // nobody writes: the node notices by itself
  expect(await stock.code).toBe(4503);
  for (const { ended } of feeds) expect(await ended).toContain("STORE_UNAVAILABLE");
  expect(await readiness()).toMatchObject({
    http: 503,
    reasons: expect.arrayContaining([expect.stringMatching(/^The log cannot be written: .+/)]),
  });
  for (const refused of [await write(here, 3), await fetch(`${here.url}/v1/contexts/plan`)]) {
    expect([refused.status, await refused.json()]).toMatchObject([503, { code: "STORE_UNAVAILABLE" }]);
  }
  expect(await closeCodeOf("newcomer").code).toBe(4503);
  await expect
    .poll(async () => (await readiness()).reasons)
    .toContain("The database does not answer a new connection.");
  await expect
    .poll(async () => alertListSchema.parse(await (await fetch(`${here.url}/v1/alerts`)).json()).alerts)
    .toEqual(expect.arrayContaining([expect.objectContaining({ name: "engine-unreachable", level: "critical" })]));

  await postgres.restart();
  await expect.poll(async () => (await readiness()).http).toBe(200);
  await expect.poll(async () => (await write(here, 4)).status).toBe(200);
  await expect.poll(() => plan.get("/n")).toBe(4);
  await plan.update([{ op: "replace", path: "/n", value: 5 }]);
  expect(await readContext(there, "plan").catch(() => readContext(here, "plan"))).toMatchObject({ data: { n: 5 } });
  const found = metricsIn(await (await fetch(`${here.url}/metrics`)).text());
  const value = (name: string): number => found.get(name) ?? NaN;
  expect(value('mcm_engine_turn_seconds_count{phase="commit"}')).toBeGreaterThanOrEqual(3);
  expect(value("mcm_engine_reconnects_total")).toBeGreaterThanOrEqual(2);
  expect(value('mcm_engine_hints_total{outcome="heard"}')).toBeGreaterThanOrEqual(1);
  expect(value("mcm_engine_entries_followed_total")).toBeGreaterThanOrEqual(1);
  expect([...found.keys()].filter((name) => name.startsWith("mcm_engine_failures_total"))).not.toEqual([]);
});
