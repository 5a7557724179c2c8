/**
 * One database, several nodes: how many appends a second, and how long one takes, from 1, 10 and 100 contexts, and of one context
 * that 1, 2 and 4 nodes write at once. `npm run bench:nodes`; a table, by medians of interleaved rounds.
 *
 * 1. Each node is a process with a log of its own; clients of a node append as fast as they are answered, in turns.
 * 2. Time is bounded: `MCM_BENCH_MS` a measurement, 2 s unless given.
 *
 * Not here: sessions and documents, which cost the same on any log (main.ts).
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { PostgresChangeLog } from "../../server/storage/postgres/postgres-change-log.ts";
import { emptyCheckpoint, entryOf, idOf, metaOf } from "../support/log-fixtures.ts";
import { PostgresServer } from "../support/postgres-server.ts";

const MEASURE_MS = Number(process.env["MCM_BENCH_MS"] ?? 2000);
const ROUNDS = 3;
const HOT_CLIENTS = 50;

interface Job {
  readonly url: string;
  readonly contexts: number;
  readonly clients: number;
  readonly forMs: number;
}

interface Measured {
  readonly appends: number;
  readonly latenciesMs: readonly number[];
}

const CASES = [
  { name: "1 context, 1 client", nodes: 1, contexts: 1, clients: 1 },
  { name: "10 contexts, 10 clients", nodes: 1, contexts: 10, clients: 10 },
  { name: "100 contexts, 100 clients", nodes: 1, contexts: 100, clients: 100 },
  { name: "1 hot context, 1 node", nodes: 1, contexts: 1, clients: HOT_CLIENTS },
  { name: "1 hot context, 2 nodes", nodes: 2, contexts: 1, clients: HOT_CLIENTS },
  { name: "1 hot context, 4 nodes", nodes: 4, contexts: 1, clients: HOT_CLIENTS },
] as const;

if (process.send === undefined) await measureAll();
else process.once("message", (job: Job) => void work(job));

async function measureAll(): Promise<void> {
  const postgres = await PostgresServer.start({ isDurable: true });
  const results = new Map<string, { perSecond: number; p50: number; p99: number }[]>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, nodes, contexts, clients } of CASES) {
      const job = { url: await prepared(postgres, contexts), contexts, clients, forMs: MEASURE_MS };
      const all = await Promise.all(Array.from({ length: nodes }, () => inProcess(job)));
      const latencies = all.flatMap(({ latenciesMs }) => latenciesMs).sort((a, b) => a - b);
      const appends = all.reduce((sum, one) => sum + one.appends, 0);
      const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
      const rounds = results.get(name) ?? [];
      rounds.push({ perSecond: (appends * 1000) / MEASURE_MS, p50: at(0.5), p99: at(0.99) });
      results.set(name, rounds);
    }
  }
  await postgres.stop();
  const lines = Array.from(results, ([name, rounds]) => {
    const of = (pick: (round: (typeof rounds)[number]) => number): number => median(rounds.map(pick));
    const cells = [of((it) => it.perSecond).toFixed(0), of((it) => it.p50).toFixed(1), of((it) => it.p99).toFixed(1)];
    return `| ${[name, ...cells].join(" | ")} |`;
  });
  process.stdout.write(["| case | appends/s | p50 ms | p99 ms |", "|-|-|-|-|", ...lines, ""].join("\n"));
}

async function prepared(postgres: PostgresServer, contexts: number): Promise<string> {
  const url = await postgres.database();
  const log = new PostgresChangeLog({ url });
  await log.open();
  await Promise.all(Array.from({ length: contexts }, (_, n) => log.create(metaOf(`c${n}`), emptyCheckpoint())));
  await log.close();
  return url;
}

async function inProcess(job: Job): Promise<Measured> {
  const child = fork(fileURLToPath(import.meta.url), { execArgv: process.execArgv });
  child.send(job);
  const exited = once(child, "exit").then(([code]) => {
    throw new Error(`a node ended with ${String(code)} before it had measured`);
  });
  exited.catch(() => undefined);
  const [measured] = (await Promise.race([once(child, "message"), exited])) as [Measured];
  // it lives until it was heard
  child.disconnect();
  return measured;
}

/** Each client appends one entry of 200 bytes after the other; those of a context that wait together go in one batch. */
async function work({ url, contexts, clients, forMs }: Job): Promise<void> {
  const log = new PostgresChangeLog({ url });
  await log.open();
  const known = new Map<string, number>();
  const latenciesMs: number[] = [];
  const endMs = performance.now() + forMs;
  const update = new Uint8Array(200);
  const client = async (n: number): Promise<void> => {
    const id = idOf(`c${n % contexts}`);
    while (performance.now() < endMs) {
      const startMs = performance.now();
      let appending: Promise<unknown> = Promise.resolve();
      await log.turn(id, {
        knownSeq: () => known.get(id) ?? 0,
        keys: [],
        take(news) {
          const seq = news?.entries.at(-1)?.seq ?? known.get(id) ?? 0;
          appending = log.append(id, { seq }, [entryOf(n, { update })]);
          known.set(id, seq + 1);
        },
      });
      await appending;
      latenciesMs.push(performance.now() - startMs);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, n) => client(n)));
  await log.close();
  process.send?.({ appends: latenciesMs.length, latenciesMs });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
