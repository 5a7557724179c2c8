/**
 * Nodes that append to contexts of one database: processes with a log each, and nothing above it.
 *
 * Not here: what a process does (nodes-appender.ts).
 */
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { PostgresChangeLog } from "../../server/storage/postgres/postgres-change-log.ts";
import { emptyCheckpoint, metaOf } from "../support/log-fixtures.ts";
import type { AppendJob } from "./nodes-appender.ts";

const APPENDER = fileURLToPath(new URL("nodes-appender.ts", import.meta.url));

export interface AppendCase {
  readonly nodes: number;
  readonly contexts: number;
  /** Of each node. */
  readonly clients: number;
  readonly forMs: number;
}

export class Appenders {
  readonly #log: PostgresChangeLog;
  readonly #nodes: readonly ChildProcess[];
  #cases = 0;

  private constructor(log: PostgresChangeLog, nodes: readonly ChildProcess[]) {
    this.#log = log;
    this.#nodes = nodes;
  }

  static async start(url: string, count: number): Promise<Appenders> {
    const log = new PostgresChangeLog({ url });
    await log.open();
    const nodes = Array.from({ length: count }, () => fork(APPENDER, [url], { execArgv: process.execArgv }));
    await Promise.all(nodes.map(answer));
    return new Appenders(log, nodes);
  }

  /** How long each append took, at contexts of their own. */
  async measure({ nodes, contexts, clients, forMs }: AppendCase): Promise<readonly number[]> {
    const first = ++this.#cases;
    const names = Array.from({ length: contexts }, (_, n) => `case-${first}-${n}`);
    await Promise.all(names.map((name) => this.#log.create(metaOf(name), emptyCheckpoint())));
    const job: AppendJob = { contexts: names, clients, forMs };
    const latencies = await Promise.all(
      this.#nodes.slice(0, nodes).map((node) => {
        node.send(job);
        return answer(node);
      }),
    );
    return latencies.flat();
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#nodes.map((node) => {
        const ended = once(node, "exit");
        node.disconnect();
        return ended;
      }),
    );
    await this.#log.close();
  }
}

async function answer(node: ChildProcess): Promise<readonly number[]> {
  const watch = new AbortController();
  const ended = once(node, "exit", { signal: watch.signal }).then(([code]): never => {
    throw new Error(`a node ended with ${String(code)} before it had measured`);
  });
  ended.catch(() => undefined);
  const [latenciesMs] = (await Promise.race([once(node, "message"), ended])) as [readonly number[]];
  watch.abort();
  return latenciesMs;
}
