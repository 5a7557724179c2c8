/** Several servers in this process over one database, as nodes of one service. */
import type { Clock } from "../../server/clock.ts";
import { parseConfig } from "../../server/config.ts";
import type { Environment } from "../../server/config.ts";
import { startServer } from "../../server/server.ts";
import type { PostgresServer } from "./postgres-server.ts";
import { RecordingLogger } from "./recording-logger.ts";
import type { TestServer } from "./running-server.ts";

export interface Nodes {
  readonly postgres: PostgresServer;
  readonly nodes: readonly TestServer[];
  close(): Promise<void>;
}

export async function startNodes(
  postgres: PostgresServer,
  count: number,
  environment: Environment = {},
  clock?: Clock,
): Promise<Nodes> {
  const storage = await postgres.database();
  const nodes: TestServer[] = [];
  for (let node = 0; node < count; node++) nodes.push(await startNode(storage, environment, clock));
  return {
    postgres,
    nodes,
    close: async () => void (await Promise.all(nodes.map((node) => node.close()))),
  };
}

export async function startNode(storage: string, environment: Environment = {}, clock?: Clock): Promise<TestServer> {
  const logger = new RecordingLogger();
  const parts = { logger, ...(clock === undefined ? {} : { clock }) };
  const server = await startServer(parseConfig({ port: "0", storage }, environment), parts);
  return { url: server.url, logger, close: () => server.close() };
}
