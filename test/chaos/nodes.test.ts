/**
 * Three nodes over one PostgreSQL, clients at all of them, and faults. Rules NODE-1, NODE-2, NODE-5, NODE-7, NODE-31: what was
 * acknowledged is there once, in one order, and was there for everybody from then on; locks let one in at a time.
 *
 *   MCM_SEED            the same faults again (what they meet is up to the machine)
 *   MCM_NODE_FAULTS     how many in a round; what a round wrote is judged at its end
 *   MCM_NODE_MINUTES    rounds go on for so long: one unless given
 *
 * 1. Nothing sleeps: the next fault comes when so many writes have been acknowledged since the last one.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import type { Client, Context } from "../../client/index.ts";
import { parseContextId } from "../../shared/ids.ts";
import type { ContextId } from "../../shared/ids.ts";
import { randomFrom } from "../support/editing-history.ts";
import type { Random } from "../support/editing-history.ts";
import { judge } from "../support/node-history-checks.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { RestCaller } from "../support/rest-caller.ts";
import { until } from "../support/running-server.ts";
import { inflict } from "./nodes-faults.ts";
import { NodeLoad } from "./nodes-load.ts";
import { NodesStage } from "./nodes-stage.ts";

const FAULTS = Number(process.env["MCM_NODE_FAULTS"] ?? 40);
const MINUTES = Number(process.env["MCM_NODE_MINUTES"] ?? 0);
const SEED = Number(process.env["MCM_SEED"] ?? Date.now() % 1_000_000);
const NODES = 3;
const CONTEXTS = 2;
const ACKS_PER_FAULT = 10;

let postgres: PostgresServer;
let stage: NodesStage;

beforeAll(async () => {
  postgres = await PostgresServer.start({ isDurable: true });
  stage = await NodesStage.start(postgres, NODES);
});

afterAll(async () => {
  await stage.close();
  await postgres.stop();
});

test(
  `[NODE-1] [NODE-2] [NODE-5] [NODE-7] [NODE-31] ${FAULTS} faults, seed ${SEED}: one order, nothing lost, twice, old or unlocked`,
  async () => {
    const random = randomFrom(SEED);
    const endsAtMs = performance.now() + MINUTES * 60_000;
    let number = 0;
    do await round(number++, random);
    while (performance.now() < endsAtMs);
  },
  (10 + MINUTES * 2) * 60_000,
);

/** A load of its own, with contexts of its own: what it leaves is small enough to be judged, and then let go. */
async function round(number: number, random: Random): Promise<void> {
  const contextIds = Array.from({ length: CONTEXTS }, (_, at) => parseContextId(`plan-${number}-${at}`));
  for (const id of contextIds)
    await new RestCaller(stage.urls[0] ?? "", "creator").create(id, { w: {}, n: { a: 0, b: 0 }, text: { $text: "" } });
  const clients: Client[] = [];
  const replicas: Context[] = [];
  for (const [at, url] of stage.urls.entries()) {
    const client = await connect(url, { actor: `typist-${at}` });
    clients.push(client);
    replicas.push(await client.open(contextIds[0] ?? ""));
  }
  const load = new NodeLoad({ seed: SEED + number, name: `c${number}`, urls: stage.urls, contextIds, replicas });
  const startedMs = performance.now();
  const counts = new Map<string, number>();
  for (let fault = 0; fault < FAULTS; fault++) {
    await load.more(ACKS_PER_FAULT);
    const name = await inflict(stage, postgres, random);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  await load.more(ACKS_PER_FAULT);
  await load.end();
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  expect(await violationsOf(load, contextIds, replicas)).toEqual([]);
  for (const client of clients) await client.close();
  const { acknowledged, reads, grants } = load.history;
  const faults = Array.from(counts, ([name, count]) => `${count} ${name}`).join(", ");
  process.stdout.write(
    `round ${number}: ${FAULTS} faults in ${seconds} s (${faults}); ${acknowledged} acknowledged, ${reads.length} reads, ${grants.length} locks: 0 violations\n`,
  );
}

async function violationsOf(load: NodeLoad, contextIds: readonly ContextId[], replicas: readonly Context[]) {
  const logs = await stage.logOf(postgres, contextIds);
  const violations: string[] = [];
  for (const [at, id] of contextIds.entries()) {
    const entries = logs[at] ?? [];
    violations.push(...judge(id, entries, load.history));
    const callers = stage.urls.map((url) => new RestCaller(url, "reader"));
    const changes = entries.filter(({ kind }) => kind === "change");
    const versions = changes.map(({ seq, message }) => ({ seq, message }));
    for (const caller of callers) {
      const told = (await caller.changes(id)).map(({ seq, message }) => ({ seq, message }));
      expect(told).toEqual(versions);
    }
    const [first, ...others] = await Promise.all(callers.map(async (caller) => (await caller.read(id)).data));
    for (const other of others) expect(other).toEqual(first);
    const { n, w, text } = first as { n: { a: number; b: number }; w: object; text: string };
    for (const [name, value] of [
      ["a", n.a],
      ["b", n.b],
    ] as const)
      expect(value).toBe(changes.filter(({ paths }) => paths.includes(`/n/${name}`)).length);
    const members = changes.flatMap(({ paths }) => paths.filter((path) => path.startsWith("/w/")));
    expect(
      Object.keys(w)
        .map((key) => `/w/${key}`)
        .sort(),
    ).toEqual(members.sort());
    if (at > 0) continue;
    expect(text).toHaveLength(replicas.reduce((sum, replica) => sum + load.typed(replica), 0));
    await Promise.all(replicas.map((replica) => until(replica.doc, () => replica.get("/text") === text)));
    for (const replica of replicas) await until(replica.doc, () => replica.get("/n/a") === n.a);
  }
  return violations;
}
