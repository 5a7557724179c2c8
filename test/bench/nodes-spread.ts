/**
 * Servers over one database, and clients spread over them: how long a change takes to others, and what all of it costs.
 *
 * 1. A change goes the whole way: from a WebSocket of one node into the log, and out of WebSockets of all nodes.
 * 2. Latency runs from the moment a frame is given to the writer's socket to the moment a reader has read it, both in this process.
 * 3. The first second is not counted.
 *
 * Not here: which shapes are measured (nodes.ts).
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PostgresServer } from "../support/postgres-server.ts";
import { ServerProcess } from "../support/server-process.ts";
import { cpuMs, familyCpuMs } from "./cpu.ts";
import { LoadClient, type Handlers } from "./load-client.ts";
import { atRate, Goal } from "./pace.ts";
import { ours } from "./servers/ours.ts";
import { Receiver, typing } from "./updates.ts";

export interface Shape {
  /** Of those that run, so many take part. */
  readonly nodes: number;
  /** Each with one writer. */
  readonly contexts: number;
  /** Of each context, in turns at the nodes from the writer's on, or all at the writer's node. */
  readonly readers: number;
  readonly isTogether?: boolean;
  /** Changes of all writers together. */
  readonly perSecond: number;
  readonly seconds: number;
}

export interface Spread {
  /** To readers at the writer's node, and at others. */
  readonly sameMs: readonly number[];
  readonly otherMs: readonly number[];
  readonly nodesCpuMs: readonly number[];
  readonly engineCpuMs: number;
}

export class SpreadNodes {
  readonly #postgres: PostgresServer;
  readonly #folder: string;
  readonly #nodes: readonly ServerProcess[];
  #rooms = 0;

  private constructor(postgres: PostgresServer, folder: string, nodes: readonly ServerProcess[]) {
    this.#postgres = postgres;
    this.#folder = folder;
    this.#nodes = nodes;
  }

  static async start(postgres: PostgresServer, count: number): Promise<SpreadNodes> {
    const folder = await mkdtemp(join(tmpdir(), "mcm-bench-nodes-"));
    const environment = { MCM_STORAGE: await postgres.database(), NODE_ENV: "production" };
    const nodes: ServerProcess[] = [];
    for (let node = 0; node < count; node++)
      nodes.push(await ServerProcess.start({ dataDir: join(folder, `node-${node}`), environment }));
    return new SpreadNodes(postgres, folder, nodes);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
    await rm(this.#folder, { recursive: true, force: true });
  }

  async measure({ nodes, contexts, readers, isTogether = false, perSecond, seconds }: Shape): Promise<Spread> {
    const perWriter = Math.ceil((perSecond * seconds) / contexts);
    const total = perWriter * contexts;
    const sentAt = new Float64Array(total);
    const latencies: { readonly sameMs: number[]; readonly otherMs: number[] } = { sameMs: [], otherMs: [] };
    const goal = new Goal(total * readers);
    const clients: LoadClient[] = [];
    const used = this.#nodes.slice(0, nodes);
    const scripts = await Promise.all(
      Array.from({ length: contexts }, async (_, writer) => {
        const joined = await this.#room(used, writer);
        const reader = (at: number): Promise<LoadClient> => {
          const node = isTogether ? 0 : at % nodes;
          const seen = node === 0 ? latencies.sameMs : latencies.otherMs;
          const receiver = new Receiver(-1, (_from, sequence) => {
            const nth = sequence * contexts + writer;
            if (nth >= perSecond) seen.push(performance.now() - (sentAt[nth] ?? 0));
          });
          return joined(node, { onContent: (message) => goal.add(receiver.see(message)) });
        };
        const client = await joined(0, {});
        clients.push(client, ...(await Promise.all(Array.from({ length: readers }, (_each, at) => reader(at)))));
        return { client, frames: typing(writer, perWriter).map((update) => client.updateFrame(update)) };
      }),
    );
    let before = this.#cpu(used);
    await atRate(perSecond, total, (nth) => {
      if (nth === perSecond) before = this.#cpu(used);
      const script = scripts[nth % contexts];
      const frame = script?.frames[Math.floor(nth / contexts)];
      sentAt[nth] = performance.now();
      if (frame !== undefined) script?.client.send(frame);
    });
    await goal.reached;
    const after = this.#cpu(used);
    for (const client of clients) client.close();
    return {
      ...latencies,
      nodesCpuMs: after.nodes.map((ms, node) => ms - (before.nodes[node] ?? 0)),
      engineCpuMs: after.engine - before.engine,
    };
  }

  /** A new context, and a way to join it at the nodes, counted from that of its writer. */
  async #room(
    used: readonly ServerProcess[],
    writer: number,
  ): Promise<(at: number, handlers: Handlers) => Promise<LoadClient>> {
    const name = `room-${++this.#rooms}`;
    const urlOf = (at: number): URL => new URL(used[(writer + at) % used.length]?.url ?? "");
    await ours.createRooms(urlOf(0), [name]);
    return async (at, handlers) => {
      const client = await LoadClient.join({ server: ours, url: urlOf(at), name }, handlers);
      await client.synced;
      return client;
    };
  }

  #cpu(used: readonly ServerProcess[]): { readonly nodes: readonly number[]; readonly engine: number } {
    return { nodes: used.map(({ pid }) => cpuMs(pid)), engine: familyCpuMs(this.#postgres.pid) };
  }
}
