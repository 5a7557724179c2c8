/**
 * Several nodes over one database: `npm run bench:nodes`, or `npm run bench:nodes -- appends` and so on for a part of it.
 *
 *   appends      how many appends a second, and how long one takes, for 1, 10 and 100 contexts and a hot one, at 1, 2 and 4 nodes
 *   propagation  from a client's change on one node to its sight at a client of another, 50 changes a second
 *   deliveries   what a delivery costs the nodes and the engine, with the same connections spread over 1, 2 and 4 nodes, and
 *                when those of a context are at one node
 *
 * 1. Every case is measured in each of `ROUNDS` rounds, after one that is not counted; the tables have medians of the rounds.
 * 2. Time is bounded: `MCM_BENCH_MS` a measurement, 2 s unless given. The load of the machine is told with the figures.
 *
 * Not here: what one node costs on LevelDB (main.ts).
 */
import { loadavg } from "node:os";
import { PostgresServer } from "../support/postgres-server.ts";
import { Appenders, type AppendCase } from "./nodes-appends.ts";
import { SpreadNodes, type Spread } from "./nodes-spread.ts";
import { percentile, readable, summarize } from "./stats.ts";

const ROUNDS = 3;
const MEASURE_MS = Number(process.env["MCM_BENCH_MS"] ?? 2000);
const NODES = [1, 2, 4] as const;

const APPENDS: readonly Omit<AppendCase, "nodes" | "forMs">[] = [
  { contexts: 1, clients: 1 },
  { contexts: 10, clients: 10 },
  { contexts: 100, clients: 100 },
  { contexts: 1, clients: 50 },
];

type Figures = readonly (readonly number[])[];

async function appends(postgres: PostgresServer): Promise<void> {
  const cases = APPENDS.flatMap((one) => NODES.map((nodes) => ({ ...one, nodes, forMs: MEASURE_MS })));
  const appenders = await Appenders.start(await postgres.database(), Math.max(...NODES));
  const results = await inRounds(cases, async (one) => {
    const latenciesMs = await appenders.measure(one);
    const perSecond = (latenciesMs.length * 1000) / one.forMs;
    return [perSecond, percentile(latenciesMs, 0.5), percentile(latenciesMs, 0.99)];
  });
  await appenders.stop();
  const rows = cases.map(({ contexts, clients, nodes }, at) => [
    `${contexts} contexts, ${clients} clients a node`,
    String(nodes),
    ...medians(results[at]),
  ]);
  table(["appends", "nodes", "appends/s", "p50 ms", "p99 ms"], rows);
}

async function propagation(postgres: PostgresServer): Promise<void> {
  const shape = { contexts: 1, readers: 2, perSecond: 50, seconds: 1 + (4 * MEASURE_MS) / 1000 };
  const [results] = await onNodes(postgres, [{ ...shape, nodes: 2 }], ({ sameMs, otherMs }) =>
    [sameMs, otherMs].flatMap((latencies) => [percentile(latencies, 0.5), percentile(latencies, 0.99)]),
  );
  table(["propagation", "same p50 ms", "p99 ms", "other p50 ms", "p99 ms"], [["50 changes/s", ...medians(results)]]);
}

async function deliveries(postgres: PostgresServer): Promise<void> {
  const shape = { contexts: 10, readers: 40, perSecond: 100, seconds: 1 + MEASURE_MS / 1000 };
  const spread = NODES.map((nodes) => ({ ...shape, nodes, isTogether: false }));
  const cases = [...spread, ...spread.slice(1).map((one) => ({ ...one, isTogether: true }))];
  // milliseconds of a thousand deliveries are seconds of a million
  const results = await onNodes(postgres, cases, ({ nodesCpuMs, engineCpuMs, sameMs, otherMs }) => {
    const thousands = (sameMs.length + otherMs.length) / 1000;
    const all = nodesCpuMs.reduce((sum, ms) => sum + ms, 0);
    return [all, Math.max(...nodesCpuMs), engineCpuMs].map((ms) => ms / thousands);
  });
  const connections = shape.contexts * (shape.readers + 1);
  const rows = cases.map(({ nodes, isTogether }, at) => [
    `${nodes}${isTogether ? ", each context at one" : ""}`,
    readable(connections / nodes),
    ...medians(results[at]),
  ]);
  table(["nodes", "connections a node", "CPU s of 10^6 deliveries: all nodes", "busiest node", "engine"], rows);
}

async function onNodes(
  postgres: PostgresServer,
  cases: readonly (Parameters<SpreadNodes["measure"]>[0] & { readonly nodes: number })[],
  figures: (spread: Spread) => readonly number[],
): Promise<readonly Figures[]> {
  const nodes = await SpreadNodes.start(postgres, Math.max(...cases.map((one) => one.nodes)));
  try {
    return await inRounds(cases, async (one) => figures(await nodes.measure(one)));
  } finally {
    await nodes.stop();
  }
}

/** Case by case, so that what else the machine does meets them alike. */
async function inRounds<Case>(
  cases: readonly Case[],
  measure: (one: Case) => Promise<readonly number[]>,
): Promise<readonly Figures[]> {
  const results = cases.map((): (readonly number[])[] => []);
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [at, one] of cases.entries()) {
      const figures = await measure(one);
      if (round > 0) results[at]?.push(figures);
    }
  }
  return results;
}

function medians(rounds: Figures = []): readonly string[] {
  return (rounds[0] ?? []).map((_, at) => readable(summarize(rounds.map((figures) => figures[at] ?? NaN)).median));
}

function table(columns: readonly string[], rows: readonly (readonly string[])[]): void {
  const lines = [columns, columns.map(() => "-"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  process.stdout.write(`${lines.join("\n")}\nload average ${loadavg().map(readable).join(" ")}\n\n`);
}

const PARTS = { appends, propagation, deliveries };
const asked = process.argv.slice(2);
const postgres = await PostgresServer.start({ isDurable: true });
try {
  for (const [name, measure] of Object.entries(PARTS))
    if (asked.length === 0 || asked.includes(name)) await measure(postgres);
} finally {
  await postgres.stop();
}
