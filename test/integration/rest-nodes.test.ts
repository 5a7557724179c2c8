/** REST over three nodes and one database, each call at the next node: a client that never meets the same server twice. */
import { afterAll, beforeAll } from "vitest";
import { startNodes } from "../support/nodes.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { restHistorySuite } from "./rest-history-suite.ts";
import { restSuite } from "./rest-suite.ts";

let postgres: PostgresServer;

beforeAll(async () => {
  postgres = await PostgresServer.start();
});
afterAll(() => postgres.stop());

async function startAll() {
  const cluster = await startNodes(postgres, 3, { MCM_ALLOWED_HOSTS: "mcm.test" });
  return { urls: cluster.nodes.map(({ url }) => url), close: () => cluster.close() };
}

restSuite("three nodes", startAll);
restHistorySuite("three nodes", startAll);
