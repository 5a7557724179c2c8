/**
 * `npm run demo:trace`: replays real editing histories through a real server that is killed with -9 on the way.
 *
 *     npm run demo:trace                                    both traces, about a minute
 *     npm run demo:trace -- --trace automerge-paper --full  every one of its 259,778 edits a transaction of its own
 *
 * Not here: the replay (trace-replay.ts), building the server (`npm run build`).
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import cliProgress from "cli-progress";
import { ServerProcess } from "../support/server-process.ts";
import type { Durations } from "./figures.ts";
import { TRACE_NAMES, inBatches, loadTrace } from "./trace-file.ts";
import type { Trace, TraceName } from "./trace-file.ts";
import { replayTrace } from "./trace-replay.ts";
import type { Replay } from "./trace-replay.ts";

const USAGE = `Usage: npm run demo:trace -- [options]

  --trace <name>    ${TRACE_NAMES.join(", ")}, or both (the default)
  --edits <number>  replay no more than so many transactions of the trace
  --batch <number>  edits in one transaction of automerge-paper; 20 by default
  --full            one edit a transaction, all of them
  --crashes <n>     how often the server is killed; 2 by default
`;

const OPTIONS = {
  trace: { type: "string", default: "both" },
  edits: { type: "string", default: "Infinity" },
  batch: { type: "string", default: "20" },
  full: { type: "boolean", default: false },
  crashes: { type: "string", default: "2" },
  help: { type: "boolean", default: false },
} as const;

interface Request {
  readonly names: readonly TraceName[];
  readonly edits: number;
  readonly batch: number;
  readonly crashes: number;
}

const request = readRequest();
if (request === undefined) {
  process.stdout.write(USAGE);
} else {
  const bootstrap = fileURLToPath(new URL("../../scripts/bootstrap.mjs", import.meta.url));
  execFileSync(process.execPath, [bootstrap, "build"], { stdio: "inherit" });
  for (const name of request.names) await show(name, request);
}

function readRequest(): Request | undefined {
  const { values } = parseArgs({ options: OPTIONS });
  const names = TRACE_NAMES.filter((name) => values.trace === "both" || values.trace === name);
  const [edits, batch, crashes] = [values.edits, values.full ? "1" : values.batch, values.crashes].map(Number);
  if (values.help || names.length === 0 || !isCount(edits) || !isCount(batch) || !isCount(crashes)) return undefined;
  return { names, edits, batch: Math.max(1, batch), crashes };
}

function isCount(value: number | undefined): value is number {
  return value !== undefined && value >= 0 && (Number.isInteger(value) || value === Infinity);
}

async function show(name: TraceName, { edits, batch, crashes }: Request): Promise<void> {
  const whole = loadTrace(name, edits);
  const trace = whole.authors > 1 ? whole : inBatches(whole, batch);
  const bar = new cliProgress.SingleBar({
    format: `${name.padEnd(15)} {bar} {percentage}% | {value}/{total} transactions | {duration_formatted}`,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    hideCursor: true,
    noTTYOutput: true,
    notTTYSchedule: 5000,
  });
  const dataDir = await mkdtemp(join(tmpdir(), "mcm-trace-"));
  const server = await ServerProcess.start({ dataDir });
  try {
    bar.start(trace.txns.length, 0);
    const replay = await replayTrace(trace, { server, crashes, onProgress: (value) => bar.update(value) });
    bar.stop();
    console.log(report(trace, replay));
  } finally {
    bar.stop(); // gives the cursor back after a failure too
    await server.kill();
    await rm(dataDir, { recursive: true, force: true });
  }
}

function report({ authors, txns }: Trace, { figures, content, reads, readsRefused }: Replay): string {
  const { acks, propagation, acksAcrossCrash, crashes, seconds, acksPerSecond } = figures;
  const edits = txns.reduce((sum, { patches }) => sum + patches.length, 0);
  return [
    `  ${grouped(edits)} edits in ${grouped(txns.length)} transactions by ${authors} SDK client${authors > 1 ? "s" : ""} in ${seconds.toFixed(1)} s, killed with -9 ${crashes} times`,
    `  acks          ${grouped(Math.round(acksPerSecond))}/s   ${spread(acks)}   (durable)`,
    `  propagation   ${spread(propagation)}   (to a stock y-websocket client)`,
    `  crashes       ${acksAcrossCrash.count} transactions met one; the slowest was acked after ${acksAcrossCrash.max.toFixed(0)} ms; ${grouped(reads)} REST reads, ${readsRefused} refused meanwhile`,
    `  all ended in the same ${grouped(content.length)} characters: the trace's, on every desk, SDK client, stock client, and REST`,
    "",
  ].join("\n");
}

function spread(durations: Durations): string {
  return `p50 ${durations.percentile(50).toFixed(1)} ms, p99 ${durations.percentile(99).toFixed(1)} ms`;
}

function grouped(value: number): string {
  return value.toLocaleString("en");
}
