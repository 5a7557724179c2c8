/** REST over three nodes and one database, each call at the next node: a client that never meets the same server twice. */
import { afterAll, beforeAll } from "vitest";
import type { Clock } from "../../server/clock.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { startNodes } from "../support/nodes.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { restEventsSuite } from "./rest-events-suite.ts";
import { restHistorySuite } from "./rest-history-suite.ts";
import { restLocksSuite } from "./rest-locks-suite.ts";
import { restSuite } from "./rest-suite.ts";

let postgres: PostgresServer;

beforeAll(async () => {
  postgres = await PostgresServer.start();
});
afterAll(() => postgres.stop());

async function startAll(clock?: Clock) {
  const cluster = await startNodes(postgres, 3, { MCM_ALLOWED_HOSTS: "mcm.test" }, clock);
  return { urls: cluster.nodes.map(({ url }) => url), close: () => cluster.close() };
}

restSuite("three nodes", () => startAll());
restHistorySuite("three nodes", () => startAll());
restEventsSuite("three nodes", () => startAll());
restLocksSuite("three nodes", async () => {
  const clock = new ManualClock();
  return { ...(await startAll(clock)), clock };
});
