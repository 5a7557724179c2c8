/**
 * Three nodes over one PostgreSQL, clients spread over them, and faults: nodes and engine killed with -9, nodes that stand
 * still. Rules NODE-1, NODE-5, NODE-7: what was acknowledged is there once, in one order; locks let one in at a time.
 *
 * 1. Every write has an idempotency key and goes on at the next node until it is answered: an unknown outcome is asked again.
 * 2. Nothing sleeps: the next fault comes when so many writes have been acknowledged since the last one.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import type { Client, Context } from "../../client/index.ts";
import type { JsonOp } from "../../shared/change.ts";
import { intBelow, randomFrom } from "../support/editing-history.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { RestCaller } from "../support/rest-caller.ts";
import { until } from "../support/running-server.ts";
import { ServerProcess } from "../support/server-process.ts";

const FAULTS = Number(process.env["MCM_NODE_FAULTS"] ?? 10);
const SEED = Number(process.env["MCM_SEED"] ?? Date.now() % 1_000_000);
const NODES = 3;
const WRITERS = 6;
const ACKS_PER_FAULT = 30;
/** A node and the engine may be down at once; a paused node answers when it goes on. */
const TRIES_MAX = 400;
const LOCK_MS = 3000;

let folder: string;
let postgres: PostgresServer;
const nodes: ServerProcess[] = [];
const clients: Client[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcm-nodes-"));
  postgres = await PostgresServer.start({ isDurable: true });
  const storage = await postgres.database();
  for (let node = 0; node < NODES; node++) {
    const environment = { MCM_STORAGE: storage };
    nodes.push(await ServerProcess.start({ dataDir: join(folder, `node-${node}`), environment }));
  }
}, 60_000);

afterAll(async () => {
  for (const client of clients) await client.close().catch(() => undefined);
  await Promise.all(nodes.map((node) => node.kill()));
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Acknowledged {
  readonly key: string;
  readonly version: number;
}

/** What clients did, and what they were told. */
class Load {
  readonly acknowledged: Acknowledged[] = [];
  raised = 0;
  isOver = false;
  #waiting: { readonly at: number; resolve(): void }[] = [];

  /** Resolves when so many more writes were acknowledged. */
  more(count: number): Promise<void> {
    return new Promise((resolve) => void this.#waiting.push({ at: this.acknowledged.length + count, resolve }));
  }

  acknowledge(ack: Acknowledged): void {
    this.acknowledged.push(ack);
    for (const one of this.#waiting) if (this.acknowledged.length >= one.at) one.resolve();
    this.#waiting = this.#waiting.filter(({ at }) => this.acknowledged.length < at);
  }
}

/** Asks one node after the other until one answers; a refusal is an answer. */
async function anywhere<T>(first: number, ask: (caller: RestCaller) => Promise<T>, actor: string): Promise<T> {
  let failure: unknown;
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const node = nodes[(first + tries) % NODES];
    try {
      if (node !== undefined) return await ask(new RestCaller(node.url, actor));
    } catch (error) {
      if (isFinal(error)) throw error;
      failure = error;
      await turn();
    }
  }
  throw new Error("no node answered", { cause: failure });
}

function isFinal(error: unknown): boolean {
  return error instanceof Error && "status" in error && typeof error.status === "number" && error.status < 500;
}

/** Answers come in between. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

async function write(load: Load, writer: number): Promise<void> {
  const actor = `writer-${writer}`;
  for (let n = 0; !load.isOver; n++) {
    const key = `${writer}-${n}`;
    const ops: JsonOp[] = [{ op: "add", path: `/w/${key}`, value: n }];
    const { version } = await anywhere(writer + n, (caller) => caller.change("plan", ops, key), actor);
    load.acknowledge({ key, version });
  }
}

/** Reads, adds one, writes: under a lock, and with nothing else that would make it safe. */
async function raise(load: Load, raiser: number): Promise<void> {
  const actor = `raiser-${raiser}`;
  for (let n = 0; !load.isOver; n++) {
    const lockId = crypto.randomUUID();
    const grant = await anywhere(
      raiser + n,
      (caller) => caller.lock("plan", { lockId, paths: ["/n"], ttlMs: LOCK_MS, waitMs: 2000 }),
      actor,
    ).catch(orUndefined);
    if (grant === undefined) continue;
    const { data } = await anywhere(raiser + n + 1, (caller) => caller.read("plan"), actor);
    const value = (data as { n: number }).n + 1;
    const ops: JsonOp[] = [{ op: "replace", path: "/n", value }];
    const key = `raise-${raiser}-${n}`;
    const written = await anywhere(
      raiser + n + 2,
      (caller) => caller.change("plan", ops, key, { lockToken: grant.fencingToken }),
      actor,
    ).catch(orUndefined);
    if (written !== undefined) load.raised++;
    await anywhere(raiser + n, (caller) => caller.unlock("plan", lockId), actor).catch(orUndefined);
  }
}

/** Refused: somebody else has the lock, or had it meanwhile. */
function orUndefined(error: unknown): undefined {
  if (!isFinal(error)) throw error;
}

/** Types into the text of a live replica, and comes back whenever its node does. */
async function type(load: Load, context: Context, letter: string): Promise<number> {
  let typed = 0;
  for (; !load.isOver; typed++) {
    context.data.getText("text").insert(0, letter);
    await context.saved();
  }
  return typed;
}

async function fault(random: ReturnType<typeof randomFrom>): Promise<string> {
  const which = intBelow(random, NODES);
  const node = nodes[which];
  if (node === undefined) throw new Error("no such node");
  const chance = random();
  if (chance < 0.5) {
    await node.kill();
    await node.restart();
    return `node ${which} killed`;
  }
  if (chance < 0.75) {
    await postgres.kill();
    await postgres.restart();
    return "engine killed";
  }
  node.signal("SIGSTOP");
  const ms = 200 + intBelow(random, 2500);
  await new Promise((resolve) => setTimeout(resolve, ms));
  node.signal("SIGCONT");
  return `node ${which} stood still for ${ms} ms`;
}

test(`[NODE-1] [NODE-5] [NODE-7] ${FAULTS} faults, seed ${SEED}: one order, nothing lost, nothing twice, one holder`, async () => {
  const random = randomFrom(SEED);
  await new RestCaller(nodes[0]?.url ?? "", "creator").create("plan", { w: {}, n: 0, text: { $text: "" } });
  const contexts: Context[] = [];
  for (const [index, node] of nodes.entries()) {
    const client = await connect(node.url, { actor: `typist-${index}` });
    clients.push(client);
    contexts.push(await client.open("plan"));
  }
  const load = new Load();
  const writing = [
    ...Array.from({ length: WRITERS }, (_, writer) => write(load, writer)),
    ...[0, 1].map((raiser) => raise(load, raiser)),
  ];
  const typing = contexts.map((context, index) => type(load, context, "abc".charAt(index)));
  const failed = Promise.all([...writing, ...typing]);
  failed.catch(() => undefined);
  const faults: string[] = [];
  for (let round = 0; round < FAULTS; round++) {
    await Promise.race([load.more(ACKS_PER_FAULT), failed]);
    faults.push(await fault(random));
  }
  await Promise.race([load.more(ACKS_PER_FAULT), failed]);
  load.isOver = true;
  await Promise.all(writing);
  const typed = (await Promise.all(typing)).reduce((sum, count) => sum + count, 0);

  const seen = await Promise.all(nodes.map((node) => new RestCaller(node.url, "reader").changes("plan")));
  const [changes = []] = seen;
  for (const other of seen) expect(other).toEqual(changes);
  expect(changes.map(({ version }) => version)).toEqual(changes.map((_, at) => at + 1));
  const placeOf = new Map(changes.flatMap(({ paths, version }) => paths.map((path) => [path, version] as const)));
  for (const { key, version } of load.acknowledged) expect([key, placeOf.get(`/w/${key}`)]).toEqual([key, version]);
  const adds = changes.filter(({ paths }) => paths.some((path) => path.startsWith("/w/")));
  expect(new Set(adds.map(({ paths }) => paths[0])).size).toBe(adds.length);

  const { data } = await new RestCaller(nodes[1]?.url ?? "", "reader").read("plan");
  const plan = data as { w: object; n: number; text: string };
  expect(plan.n).toBe(load.raised);
  expect(Object.keys(plan.w).sort()).toEqual(load.acknowledged.map(({ key }) => key).sort());
  expect(plan.text).toHaveLength(typed);
  await Promise.all(contexts.map((context) => until(context.doc, () => context.get("/text") === plan.text)));
  process.stdout.write(`${faults.length} faults, ${changes.length} changes, ${load.raised} raised, ${typed} typed\n`);
});
