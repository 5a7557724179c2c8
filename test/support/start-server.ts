/**
 * Starts the server that a test asks for: one, or, in the layer `nodes`, three nodes over a database.
 *
 * 1. To the test it is one server: it has one address, the same folder is the same data again, and closing it closes all.
 * 2. Each connection goes to the next node, and each request has a connection of its own (balancer.ts).
 *
 * Not here: which tests run on nodes (node-suites.ts), tests that know of several nodes (nodes.ts).
 */
import { inject } from "vitest";
import type { Config } from "../../server/config.ts";
import { startServer as startOne } from "../../server/server.ts";
import type { RunningServer } from "../../server/server.ts";
import { Balancer } from "./balancer.ts";
import { dropDatabase, newDatabase } from "./test-engine.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where the database of the layer `nodes` is; other layers have none. */
    readonly engine: string | undefined;
  }
}

const NODES = 3;

/** Of every server that a test starts. */
export function nodeCount(): number {
  return inject("engine") === undefined ? 1 : NODES;
}

/** Of the folders that servers were given. */
const databases = new Map<string, Promise<string>>();

export const startServer: typeof startOne = async (config, parts) => {
  const engine = inject("engine");
  // whoever listens at a socket is alone with a folder
  if (engine === undefined || parts?.socket !== undefined) return startOne(config, parts);
  const storage = await databaseOf(config, engine);
  const balancer = await Balancer.start(config.port);
  const nodes: RunningServer[] = [];
  const close = async (): Promise<void> => {
    balancer.stop();
    const ends = await Promise.allSettled(nodes.map((node) => node.close()));
    await balancer.close();
    const failed = ends.find((end) => end.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    if (config.storage === "memory") await dropDatabase(engine, storage);
  };
  try {
    for (let node = 0; node < NODES; node++) nodes.push(await startOne({ ...config, port: 0, storage }, parts));
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
  balancer.spread(nodes.map(({ url }) => url));
  return { url: balancer.url, place: storage, close };
};

function databaseOf({ storage, dataDir }: Config, engine: string): Promise<string> {
  if (storage === "memory") return newDatabase(engine);
  const known = databases.get(dataDir) ?? newDatabase(engine);
  databases.set(dataDir, known);
  return known;
}
