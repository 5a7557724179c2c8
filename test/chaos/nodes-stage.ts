/** Nodes as processes of their own, each with a line of its own to one PostgreSQL. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PostgresChangeLog } from "../../server/storage/postgres/postgres-change-log.ts";
import type { LogEntry } from "../../server/storage/change-log.ts";
import type { ContextId } from "../../shared/ids.ts";
import { FaultyProxy } from "../support/faulty-proxy.ts";
import type { PostgresServer } from "../support/postgres-server.ts";
import { ServerProcess } from "../support/server-process.ts";

/** Long runs are of low priority, beside others. */
const READY_MS_MAX = 300_000;

export interface StagedNode {
  readonly server: ServerProcess;
  readonly proxy: FaultyProxy;
}

export class NodesStage {
  readonly nodes: readonly StagedNode[];
  readonly #folder: string;
  readonly #database: string;

  private constructor(parts: { nodes: readonly StagedNode[]; folder: string; database: string }) {
    this.nodes = parts.nodes;
    this.#folder = parts.folder;
    this.#database = parts.database;
  }

  static async start(postgres: PostgresServer, count: number): Promise<NodesStage> {
    const folder = await mkdtemp(join(tmpdir(), "mcm-nodes-"));
    const database = await postgres.newDatabase();
    const nodes: StagedNode[] = [];
    for (let node = 0; node < count; node++) {
      const proxy = await FaultyProxy.start(postgres.folder);
      const environment = { MCM_STORAGE: proxy.address(database) };
      const options = { dataDir: join(folder, `node-${node}`), environment, readyMs: READY_MS_MAX };
      nodes.push({ proxy, server: await ServerProcess.start(options) });
    }
    return new NodesStage({ nodes, folder, database });
  }

  get urls(): readonly string[] {
    return this.nodes.map(({ server }) => server.url);
  }

  /** The log as it lies in the database, past all nodes. */
  async logOf(postgres: PostgresServer, contextIds: readonly ContextId[]): Promise<readonly (readonly LogEntry[])[]> {
    const log = new PostgresChangeLog({ url: postgres.address(this.#database) });
    await log.open();
    try {
      return await Promise.all(contextIds.map((id) => log.read(id, 0, Infinity)));
    } finally {
      await log.close();
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.map(({ server }) => server.kill()));
    await Promise.all(this.nodes.map(({ proxy }) => proxy.close()));
    await rm(this.#folder, { recursive: true, force: true });
  }
}
