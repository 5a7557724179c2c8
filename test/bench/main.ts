/**
 * `npm run bench`: our server and others side by side, figures as markdown and JSON in artifacts/bench/.
 *
 * 1. The other servers are installed when they are first needed, into peers/node_modules; they are no part of the product.
 * 2. Ends only processes it started. Listens and connects on loopback only.
 *
 * Not here: measuring (measure.ts), the page docs/benchmarks.md (`--docs` fills in its tables).
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { measured, tasksOf } from "./plan.ts";
import { Progress } from "./progress.ts";
import { reportOf, withReport } from "./report.ts";
import { circumstances } from "./results.ts";
import type { Measurement, Results } from "./results.ts";
import { SCENARIOS } from "./scenarios.ts";
import { SERVERS } from "./servers.ts";
import { OURS_MAIN } from "./servers/ours.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const OUT = join(ROOT, "artifacts/bench");
const PEERS = fileURLToPath(new URL("peers", import.meta.url));
const PAGE = join(ROOT, "docs/benchmarks.md");

const HELP = `npm run bench -- [options]

  --runs N          measurements of each scenario and server (default 3)
  --only A,B        scenarios: ${SCENARIOS.map(({ id }) => id).join(", ")}
  --servers A,B     servers: ${SERVERS.map(({ id }) => id).join(", ")}
  --quick           one run with small counts, to try it out
  --docs            write the tables into docs/benchmarks.md too
  --from FILE       measure nothing, report what an earlier run left in FILE (artifacts/bench/results.json)
  --cpu-prof        our server writes CPU profiles to artifacts/bench/profiles (read them with test/bench/hot-spots.ts)
`;

const { values: options } = parseArgs({
  options: {
    runs: { type: "string" },
    only: { type: "string" },
    servers: { type: "string" },
    quick: { type: "boolean", default: false },
    docs: { type: "boolean", default: false },
    from: { type: "string" },
    "cpu-prof": { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

if (options.help) console.log(HELP);
else await main();

async function main(): Promise<void> {
  const results =
    options.from === undefined ? await run() : (JSON.parse(await readFile(options.from, "utf8")) as Results);
  const report = reportOf(results, SCENARIOS, SERVERS);
  await mkdir(OUT, { recursive: true });
  await writeFile(join(OUT, "results.json"), `${JSON.stringify(results, undefined, 2)}\n`);
  await writeFile(join(OUT, "report.md"), `${report}\n`);
  if (options.docs) await writeFile(PAGE, withReport(await readFile(PAGE, "utf8"), report));
  console.log(`\n${report}\n\nWritten to ${OUT}/results.json and report.md${options.docs ? `, and ${PAGE}` : ""}.`);
  if (results.measurements.some(({ failed }) => failed !== undefined)) process.exitCode = 1;
}

async function run(): Promise<Results> {
  const servers = chosen(SERVERS, options.servers, "server");
  const scenarios = chosen(SCENARIOS, options.only, "scenario");
  const runs = options.quick ? 1 : positive(options.runs ?? "3");
  for (const { id } of servers) ready(id);
  const tasks = tasksOf(scenarios, servers, runs);
  const preparedDir = await mkdtemp(join(tmpdir(), "mcm-bench-prepared-"));
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort()).once("SIGTERM", () => stop.abort());
  const progress = new Progress(tasks.length);
  const measurements: Measurement[] = [];
  const about = circumstances();
  try {
    for (const task of tasks) {
      if (stop.signal.aborted) break;
      progress.begin(task);
      const profiles = options["cpu-prof"] && task.server.id === "ours";
      const measurement = await measured(task, {
        preparedDir,
        quick: options.quick,
        signal: stop.signal,
        ...(profiles ? { profileDir: join(OUT, "profiles", task.scenario.id) } : {}),
      });
      measurements.push(measurement);
      progress.end(task, measurement);
    }
  } finally {
    progress.stop();
    await rm(preparedDir, { recursive: true, force: true });
  }
  return { ...about, isQuick: options.quick, runs, measurements };
}

function chosen<Item extends { readonly id: string }>(all: readonly Item[], ids: string | undefined, what: string) {
  if (ids === undefined) return all;
  return ids.split(",").map((id) => {
    const item = all.find((it) => it.id === id);
    if (item === undefined) leave(`There is no ${what} "${id}". Choose from ${all.map((it) => it.id).join(", ")}.`);
    return item;
  });
}

function positive(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 100)
    leave(`--runs takes a number from 1 to 100, not "${text}".`);
  return number;
}

/** Sees to it that a server can be started. */
function ready(server: string): void {
  if (server === "ours" && !existsSync(OURS_MAIN)) leave("Our server is not built. Run `npm run build` first.");
  if (
    (server !== "hocuspocus" && server !== "y-websocket") ||
    existsSync(join(PEERS, "node_modules/.package-lock.json"))
  )
    return;
  console.log(
    "Installing the other servers (about a minute: better-sqlite3 may be compiled; needs python3, make and g++) …",
  );
  // hocuspocus asks for Node 22 and runs on 20: what it asks for must not stop the installation
  const install = spawnSync("npm", ["ci", "--engine-strict=false", "--loglevel=error"], {
    cwd: PEERS,
    stdio: "inherit",
  });
  if (install.status !== 0) leave("That failed. `npm run bench -- --servers ours,relay` needs no installation.");
}

function leave(why: string): never {
  console.error(why);
  process.exit(2);
}
