/**
 * What a run of the benchmark leaves behind, as data.
 *
 * Not here: tables (report.ts), verdicts (bars.ts).
 */
import { execFileSync } from "node:child_process";
import { cpus, release, totalmem } from "node:os";
import { PINNING } from "./cpu.ts";
import { summarize } from "./stats.ts";
import type { Summary } from "./stats.ts";

export interface Measurement {
  readonly scenario: string;
  readonly server: string;
  readonly run: number;
  readonly values?: Readonly<Record<string, number>>;
  readonly failed?: string;
}

export interface Results {
  readonly startedAt: string;
  readonly commit: string;
  readonly machine: string;
  readonly isPinned: boolean;
  readonly isQuick: boolean;
  readonly runs: number;
  readonly measurements: readonly Measurement[];
}

export function circumstances(): Pick<Results, "startedAt" | "commit" | "machine" | "isPinned"> {
  const [core] = cpus();
  const memoryGb = Math.round(totalmem() / 1024 ** 3);
  return {
    startedAt: new Date(Date.now()).toISOString(),
    commit: commit(),
    machine: `${cpus().length} cores (${core?.model.trim() ?? "unknown"}), ${memoryGb} GB, Linux ${release()}, Node ${process.versions.node}`,
    isPinned: PINNING !== undefined,
  };
}

function commit(): string {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty"], { encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
}

/** Median and range of a metric over the runs that did not fail; undefined if there is none. */
export function summaryOf(results: Results, scenario: string, server: string, metric: string): Summary | undefined {
  const values = results.measurements
    .filter((it) => it.scenario === scenario && it.server === server)
    .flatMap((it) => it.values?.[metric] ?? []);
  return values.length === 0 ? undefined : summarize(values);
}
