/**
 * The order of a run: every scenario, as often as asked, on every server that can take part, taking turns.
 *
 * 1. The servers of one scenario follow each other directly and start in another order in each run, so that a machine that
 *    grows slower or busier does so for all of them.
 * 2. A measurement that fails or takes too long is a result ("failed", with the reason), and the run goes on.
 *
 * Not here: what is printed (main.ts, report.ts).
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { pinned } from "./cpu.ts";
import type { Answer } from "./measure.ts";
import type { Measurement } from "./results.ts";
import type { Scenario } from "./scenario.ts";
import type { ServerAdapter } from "./servers/adapter.ts";

const MEASUREMENT_MS_MAX = 240_000;
const MEASURE = fileURLToPath(new URL("measure.ts", import.meta.url));

export interface Task {
  readonly scenario: Scenario;
  readonly server: ServerAdapter;
  readonly run: number;
}

export function tasksOf(scenarios: readonly Scenario[], servers: readonly ServerAdapter[], runs: number): Task[] {
  return scenarios.flatMap((scenario) => {
    const able = servers.filter((server) => canTakePart(server, scenario));
    return Array.from({ length: runs }, (_, run) =>
      rotated(able, run).map((server) => ({ scenario, server, run })),
    ).flat();
  });
}

function rotated<Item>(items: readonly Item[], by: number): Item[] {
  const at = by % Math.max(1, items.length);
  return [...items.slice(at), ...items.slice(0, at)];
}

function canTakePart(server: ServerAdapter, { needs }: Scenario): boolean {
  if (needs === "state") return server.holdsState;
  if (needs === "persistence") return server.persists;
  return needs === "nothing" || server.id === "ours";
}

export interface MeasureOptions {
  readonly preparedDir: string;
  readonly quick: boolean;
  /** Where the server writes profiles of what it was watched at; nowhere if absent. */
  readonly profileDir?: string;
  readonly signal: AbortSignal;
}

export async function measured({ scenario, server, run }: Task, options: MeasureOptions): Promise<Measurement> {
  const names = ["--scenario", scenario.id, "--server", server.id, "--prepared", options.preparedDir];
  const argv = ["--import", "tsx", MEASURE, ...names, ...(options.quick ? ["--quick"] : [])];
  const [file = "", ...args] = pinned("load", [process.execPath, ...argv]);
  const child = spawn(file, args, {
    env: { ...process.env, ...(options.profileDir === undefined ? {} : { BENCH_PROFILE_DIR: options.profileDir }) },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    timeout: MEASUREMENT_MS_MAX,
    signal: options.signal,
  });
  let answer: Answer | undefined;
  child.on("message", (message: Answer) => {
    answer = message;
  });
  child.on("error", (error) => {
    answer = { failed: error.message };
  });
  const [code, killedBy] = (await once(child, "close")) as [number | null, string | null];
  answer ??= {
    failed: `Ended by ${killedBy ?? `exit code ${code}`} without an answer (${MEASUREMENT_MS_MAX / 1000} s are allowed).`,
  };
  return { scenario: scenario.id, server: server.id, run, ...answer };
}
