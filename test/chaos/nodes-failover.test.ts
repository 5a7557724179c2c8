/**
 * The machine of the primary is lost under load, and a standby takes over: what was acknowledged or shown is there, and
 * nodes come back by themselves. `MCM_FAILOVERS=20` for more of them, `MCM_SEED` for the same ones.
 *
 * 1. Nothing sleeps but the fault itself: how long the standby hears nothing before the primary is gone.
 */
import { afterEach, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import type { Client, Context } from "../../client/index.ts";
import { parseContextId } from "../../shared/ids.ts";
import { intBelow, randomFrom } from "../support/editing-history.ts";
import { judge } from "../support/node-history-checks.ts";
import { ReplicatedEngine } from "../support/replicated-engine.ts";
import { RestCaller } from "../support/rest-caller.ts";
import { until } from "../support/running-server.ts";
import { returnOf } from "./node-return.ts";
import { NodeLoad } from "./nodes-load.ts";
import { NodesStage } from "./nodes-stage.ts";

const FAILOVERS = Number(process.env["MCM_FAILOVERS"] ?? 2);
const SEED = Number(process.env["MCM_SEED"] ?? Date.now() % 1_000_000);
const ACKS_BEFORE = 40;
const plan = parseContextId("plan");
/** Nobody writes it but who looks when nodes are back. */
const watched = parseContextId("watched");
const DATA = { w: {}, n: { a: 0, b: 0 }, text: { $text: "" } };

let engine: ReplicatedEngine;
let stage: NodesStage;
const clients: Client[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await stage.close();
  await engine.stop();
});

async function started(options: { readonly nodes: number; readonly isSynchronous: boolean }): Promise<void> {
  engine = await ReplicatedEngine.start(options);
  stage = await NodesStage.start(engine.primary, options.nodes);
  const creator = new RestCaller(stage.urls[0] ?? "", "creator");
  await creator.create(plan, DATA);
  await creator.create(watched, { n: 0 });
}

async function replica(url: string, actor: string): Promise<Context> {
  const client = await connect(url, { actor });
  clients.push(client);
  return client.open(plan);
}

test(
  `[NODE-30] ${FAILOVERS} failovers to a synchronous standby, seed ${SEED}: nothing acknowledged or shown is lost`,
  async () => {
    await started({ nodes: 3, isSynchronous: true });
    const random = randomFrom(SEED);
    const replicas = await Promise.all(stage.urls.map((url, at) => replica(url, `typist-${at}`)));
    const load = new NodeLoad({ seed: SEED, name: "c", urls: stage.urls, contextIds: [plan], replicas });
    for (let failover = 0; failover < FAILOVERS; failover++) {
      await load.more(ACKS_BEFORE);
      engine.link.stall();
      await lasting(intBelow(random, 600));
      process.stdout.write(`${failover + 1}: ms since the kill of the primary: ${await failOver(load)}\n`);
    }
    await load.more(ACKS_BEFORE);
    await load.end();

    const [entries = []] = await stage.logOf(engine.primary, [plan]);
    expect(judge(plan, entries, load.history)).toEqual([]);
    const read = await Promise.all(stage.urls.map((url) => new RestCaller(url, "reader").read(plan)));
    const [text = ""] = read.map(({ data }) => (data as { text: string }).text);
    for (const { data } of read) expect(data).toEqual(read[0]?.data);
    expect(text).toHaveLength(replicas.reduce((sum, one) => sum + load.typed(one), 0));
    await Promise.all(replicas.map((one) => until(one.doc, () => one.get("/text") === text)));
    const { acknowledged, reads } = load.history;
    process.stdout.write(`${FAILOVERS} failovers, ${acknowledged} acknowledged, ${reads.length} reads, 0 lost\n`);
  },
  (5 + FAILOVERS) * 60_000,
);

test("a standby that nobody waits for loses what was acknowledged: the run above would see it", async () => {
  await started({ nodes: 1, isSynchronous: false });
  const load = new NodeLoad({ seed: SEED, name: "c", urls: stage.urls, contextIds: [plan], replicas: [] });
  await load.more(ACKS_BEFORE);
  engine.link.stall();
  await load.more(ACKS_BEFORE);
  await engine.failOver(stage.nodes.map(({ proxy }) => proxy));
  await load.more(ACKS_BEFORE);
  await load.end();
  const [entries = []] = await stage.logOf(engine.primary, [plan]);
  expect(judge(plan, entries, load.history).join("\n")).toContain("is lost");
});

/** Resolves when all nodes write again; says when what was done. */
async function failOver(load: NodeLoad): Promise<string> {
  const sinceMs = performance.now();
  const steps: string[] = [];
  const passed = (step: string): void => void steps.push(`${step} ${Math.round(performance.now() - sinceMs)}`);
  const returns = stage.urls.map((url) => returnOf(url, watched));
  await engine.failOver(stage.nodes.map(({ proxy }) => proxy));
  passed("promoted");
  await engine.attachStandby(passed);
  await load.more(1);
  passed("acknowledged");
  const nodes = (await Promise.all(returns)).map(({ downMs, readyMs, wroteMs }) => `${downMs}/${readyMs}/${wroteMs}`);
  return `${steps.join(", ")}; nodes not ready/ready/wrote ${nodes.join(", ")}`;
}

function lasting(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
