/**
 * Three nodes behind a balancer that is not sticky, each stopped and started again in turn while clients of all kinds write.
 *
 * 1. A node is down until every client has had so many more writes acknowledged: nobody waits for it.
 * 2. Nothing sleeps for a result; clients pause between writes, and before they ask again for one that was refused.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import type { Client, Context } from "../../client/index.ts";
import type { JsonOp } from "../../shared/change.ts";
import { sessionListSchema } from "../../shared/protocol/rest-monitoring.ts";
import { Balancer } from "../support/balancer.ts";
import { overHttp } from "../support/mcp-clients.ts";
import type { McpTalk } from "../support/mcp-clients.ts";
import { PATIENT } from "../support/patience.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { RestCaller } from "../support/rest-caller.ts";
import { until } from "../support/running-server.ts";
import { ServerProcess } from "../support/server-process.ts";
import { openStockClient } from "../support/stock-client.ts";
import type { StockClient } from "../support/stock-client.ts";

const NODES = 3;
const ACKS = 3;
const PAUSE_MS = 100;
/** Seconds of asking again. */
const TRIES_MAX = 200;

let folder: string;
let postgres: PostgresServer;
let balancer: Balancer | undefined;
let url: string;
const nodes: ServerProcess[] = [];
const clients: Client[] = [];
let stock: StockClient | undefined;
let mcp: McpTalk | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcm-rolling-"));
  postgres = await PostgresServer.start();
  const storage = await postgres.database();
  const start = (_: unknown, at: number): Promise<ServerProcess> =>
    ServerProcess.start({ dataDir: join(folder, `node-${at}`), environment: { MCM_STORAGE: storage } });
  nodes.push(...(await Promise.all(Array.from({ length: NODES }, start))));
  balancer = await Balancer.start();
  balancer.spread(nodes.map((node) => node.url));
  ({ url } = balancer);
}, 60_000);

afterAll(async () => {
  stock?.close();
  await mcp?.close().catch(() => undefined);
  for (const client of clients) await client.close().catch(() => undefined);
  await balancer?.close();
  await Promise.all(nodes.map((node) => node.kill()));
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A client that writes one thing after the other until it is told to stop. */
class Writer {
  readonly name: string;
  /** What was acknowledged. */
  readonly done: string[] = [];
  /** The most often that one write was asked for. */
  triesMax = 1;
  readonly #write: (key: string) => Promise<void>;
  #isOver = false;
  #waiting: { readonly at: number; resolve(): void }[] = [];

  constructor(name: string, write: (key: string) => Promise<void>) {
    this.name = name;
    this.#write = write;
  }

  async run(): Promise<void> {
    for (let n = 0; !this.#isOver; n++) {
      const key = `${this.name}-${n}`;
      await this.#again(() => this.#write(key));
      await pause();
      this.done.push(key);
      for (const one of this.#waiting) if (this.done.length >= one.at) one.resolve();
      this.#waiting = this.#waiting.filter(({ at }) => at > this.done.length);
    }
  }

  /** Resolves when so many more were acknowledged. */
  more(count: number): Promise<void> {
    return new Promise((resolve) => void this.#waiting.push({ at: this.done.length + count, resolve }));
  }

  stop(): void {
    this.#isOver = true;
  }

  async #again(ask: () => Promise<void>): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await ask();
        this.triesMax = Math.max(this.triesMax, tries);
        return;
      } catch (error) {
        const isFinal = error instanceof Error && "status" in error && Number(error.status) < 500;
        if (isFinal || tries === TRIES_MAX) throw error;
        await pause();
      }
    }
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}

const added = (key: string): JsonOp[] => [{ op: "add", path: `/w/${key}`, value: 1 }];

function restWriter(name: string): Writer {
  const caller = new RestCaller(url, name);
  return new Writer(name, async (key) => void (await caller.change("plan", added(key), key)));
}

function mcpWriter(name: string, talk: McpTalk): Writer {
  return new Writer(name, async (key) => {
    const { isError, text } = await talk.call("context_update", { id: "plan", ops: added(key), idempotency_key: key });
    if (isError) throw new Error(text);
  });
}

/** Types into a text, and waits for each letter. */
function typist(name: string, context: Context): Writer {
  return new Writer(name, async () => {
    context.data.getText("text").insert(0, "x");
    await context.saved();
  });
}

async function sessionsAt(node: ServerProcess): Promise<number> {
  return sessionListSchema.parse(await (await fetch(`${node.url}/v1/sessions`)).json()).sessions.length;
}

test("[NODE-19] nodes are restarted one after the other: everybody goes on at another one, and nothing is lost", async () => {
  await new RestCaller(url, "creator").create("plan", { w: {}, text: { $text: "" } });
  const contexts: Context[] = [];
  for (let n = 0; n < NODES; n++) {
    const client = await connect(url, { actor: `typist-${n}`, ...PATIENT });
    clients.push(client);
    contexts.push(await client.open("plan"));
  }
  stock = openStockClient({ url, contextId: "plan", actor: "stock" });
  await stock.synced();
  mcp = await overHttp("2026-07-28", { url, name: "agent" });
  // each kind of client is at several nodes
  for (const node of nodes) expect(await sessionsAt(node)).toBeGreaterThan(0);

  const typists = contexts.map((context, n) => typist(`typist-${n}`, context));
  const keyed = [restWriter("rest-0"), restWriter("rest-1"), mcpWriter("mcp", mcp)];
  const writers = [...typists, ...keyed];
  const running = Promise.all(writers.map((writer) => writer.run()));
  running.catch(() => undefined);
  const allGoOn = (): Promise<unknown> =>
    Promise.race([Promise.all(writers.map((writer) => writer.more(ACKS))), running]);
  await allGoOn();
  for (const node of nodes) {
    expect(await node.stop()).toBe(0);
    await allGoOn();
    await node.restart();
    await allGoOn();
  }
  for (const writer of writers) writer.stop();
  await running;

  const [changes = [], ...others] = await Promise.all(
    nodes.map((node) => new RestCaller(node.url, "reader").changes("plan")),
  );
  for (const other of others) expect(other).toEqual(changes);
  expect(changes.map(({ version }) => version)).toEqual(changes.map((_, at) => at + 1));
  const { data } = await new RestCaller(url, "reader").read("plan");
  const { w, text } = data as { w: object; text: string };
  const keys = keyed.flatMap(({ done }) => done);
  expect(Object.keys(w).toSorted()).toEqual(keys.toSorted());
  const adds = changes.flatMap(({ paths }) => paths.filter((path) => path.startsWith("/w/")));
  expect(adds).toHaveLength(keys.length);
  expect(text).toHaveLength(typists.reduce((sum, { done }) => sum + done.length, 0));
  // live replicas, wherever they are by now
  await Promise.all(contexts.map((context) => until(context.doc, () => context.get("/text") === text)));
  const seen = stock.doc;
  await until(seen, () => seen.getMap("data").toJSON()["text"] === text);
  const tries = writers.map(({ name, triesMax }) => `${name} ${triesMax}`).join(", ");
  process.stdout.write(`${changes.length} changes, connections ${balancer?.taken.join()}, most tries: ${tries}\n`);
});
