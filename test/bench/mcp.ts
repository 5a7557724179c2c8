/**
 * `npm run bench:mcp`: what a tool call costs over /mcp, beside a bare server of the same SDK whose one tool does nothing.
 *
 * 1. Our server as shipped, durable, and the bare one, each a process on core 0; they take turns, a round of each, starting with
 *    another one in each round. Figures are medians of the rounds.
 * 2. CPU is that of all threads of the server process. Latency is measured in this process, so its own work is in it, for all alike.
 * 3. Every call must succeed.
 *
 * Not here: many clients of live sync (main.ts), writers in processes of their own (memory.ts).
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { messageOf, RawMcp } from "../support/raw-mcp.ts";
import { urlIn } from "./servers/adapter.ts";
import { ours } from "./servers/ours.ts";
import { startServer } from "./spawn-server.ts";
import type { RunningServer } from "./spawn-server.ts";
import { percentile, readable, summarize } from "./stats.ts";

const ROUNDS = 7;
const WARM_UP_ROUNDS = 2;
const CALLS = 1000;
const AT_ONCE = 4;
const BARE = fileURLToPath(new URL("servers/bare-mcp.mjs", import.meta.url));
const ID = "plan";

interface Row {
  readonly name: string;
  readonly isBare?: boolean;
  readonly params: (n: number) => object;
}

const ROWS: readonly Row[] = [
  { name: "bare SDK, empty tool", isBare: true, params: () => ({ name: "nothing", arguments: { id: ID } }) },
  { name: "context_read", params: () => ({ name: "context_read", arguments: { id: ID } }) },
  {
    name: "context_update",
    params: (n) => ({
      name: "context_update",
      arguments: { id: ID, ops: [{ op: "add", path: `/tasks/t${n % 20}/state`, value: `done ${n}` }] },
    }),
  },
];

interface Figures {
  readonly cpuMs: number[];
  readonly p50: number[];
  readonly p99: number[];
}

async function round(server: RunningServer, client: RawMcp, row: Row, isModern: boolean): Promise<readonly number[]> {
  const took: number[] = [];
  const before = server.cpuMs();
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let n = next++; n < CALLS; n = next++) {
      const startedAtMs = performance.now();
      const params = row.params(n);
      const { result } = await messageOf(
        await (isModern ? client.modern("tools/call", params) : client.legacy("tools/call", params, n)),
      );
      took.push(performance.now() - startedAtMs);
      if (result === undefined || result["isError"] === true) throw new Error(`${row.name}: ${JSON.stringify(result)}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return [(server.cpuMs() - before) / CALLS, percentile(took, 0.5), percentile(took, 0.99)];
}

async function prepare(url: string): Promise<void> {
  const tasks = Object.fromEntries(
    Array.from({ length: 20 }, (_, n) => [`t${n}`, { title: `Task ${n}`, state: "open" }]),
  );
  const response = await fetch(`${url}/v1/contexts`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id: ID, data: { tasks } }),
  });
  if (response.status !== 201) throw new Error(await response.text());
}

async function measure(isModern: boolean, bare: RunningServer, own: RunningServer): Promise<readonly Figures[]> {
  const clients = { bare: await clientOf(bare, isModern), own: await clientOf(own, isModern) };
  const measured = ROWS.map((row) => {
    const [server, client] = row.isBare === true ? [bare, clients.bare] : [own, clients.own];
    const figures: Figures = { cpuMs: [], p50: [], p99: [] };
    return { figures, take: () => round(server, client, row, isModern) };
  });
  for (let nth = 0; nth < WARM_UP_ROUNDS + ROUNDS; nth++) {
    const at = nth % measured.length;
    for (const { figures, take } of [...measured.slice(at), ...measured.slice(0, at)]) {
      const [cpuMs = 0, p50 = 0, p99 = 0] = await take();
      if (nth < WARM_UP_ROUNDS) continue;
      figures.cpuMs.push(cpuMs);
      figures.p50.push(p50);
      figures.p99.push(p99);
    }
  }
  return measured.map(({ figures }) => figures);
}

async function clientOf(server: RunningServer, isModern: boolean): Promise<RawMcp> {
  const client = new RawMcp(server.url.origin);
  if (!isModern) await client.begin();
  return client;
}

const dataDir = await mkdtemp(join(tmpdir(), "mcm-bench-mcp-"));
const own = await startServer(ours, dataDir);
const bare = await startServer({ command: async () => ({ argv: [BARE], urlIn }) }, dataDir);
try {
  await prepare(own.url.origin);
  console.log("| revision   | call                 | CPU per call, ms | × bare | p50, ms | p99, ms |");
  console.log("| ---------- | -------------------- | ---------------: | -----: | ------: | ------: |");
  for (const revision of ["2026-07-28", "2025-11-25"]) {
    const figures = await measure(revision === "2026-07-28", bare, own);
    const base = summarize(figures[0]?.cpuMs ?? []).median;
    for (const [index, { cpuMs, p50, p99 }] of figures.entries()) {
      const cpu = summarize(cpuMs).median;
      const cells = [
        readable(cpu).padStart(16),
        (cpu / base).toFixed(2).padStart(6),
        ...[p50, p99].map((values) => readable(summarize(values).median).padStart(7)),
      ];
      console.log(`| ${revision} | ${(ROWS[index]?.name ?? "").padEnd(20)} | ${cells.join(" | ")} |`);
    }
  }
} finally {
  await Promise.all([own.stop(), bare.stop()]);
  await rm(dataDir, { recursive: true });
}
