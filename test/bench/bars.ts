/**
 * The bars our server is held to, and whether a run met them.
 *
 * 1. A ratio is always an advantage of ours: 2 means twice as good, whichever way the metric points.
 * 2. Medians are compared. "No worse" is a ratio of at least 1, without a margin in our favour.
 * 3. The bar is against the best of all others. Where the best is the relay, which keeps no document, the best Yjs server is shown too.
 *
 * Not here: how it is printed (report.ts).
 */
import { summaryOf } from "./results.ts";
import type { Results } from "./results.ts";

interface PeerBar {
  readonly text: string;
  readonly scenario: string;
  readonly metric: string;
  readonly better: "higher" | "lower";
  readonly factor: number;
  readonly against: readonly string[];
}

interface LimitBar {
  readonly text: string;
  readonly scenario: string;
  readonly metric: string;
  readonly below: number;
  /** Milliseconds unless said. */
  readonly unit?: "ms" | "×";
}

const ALL = ["relay", "hocuspocus", "y-websocket"];
const YJS = ["hocuspocus", "y-websocket"];

const saturation = { scenario: "saturation", metric: "perCpuSecond", better: "higher", factor: 10 } as const;
const fanOut = { scenario: "fan-out", metric: "p99Ms", better: "lower", factor: 1 } as const;
const cold = { scenario: "cold-load", metric: "firstMs", better: "lower", factor: 10 } as const;
const idle = { scenario: "idle", metric: "kbPerConnection", better: "lower", factor: 1 } as const;
const join = { scenario: "late-join", metric: "cpuMsPerJoin", better: "lower", factor: 3 } as const;

export const PEER_BARS: readonly PeerBar[] = [
  { text: "saturation: deliveries per CPU second ≥ 10×", ...saturation, against: ALL },
  { text: "… against Yjs servers", ...saturation, against: YJS },
  { text: "fan-out: p99 ms no worse", ...fanOut, against: ALL },
  { text: "… against Yjs servers", ...fanOut, against: YJS },
  { text: "cold load: ms ≥ 10× faster than y-leveldb", ...cold, against: ["y-websocket"] },
  { text: "idle: KB per connection no more", ...idle, against: ALL },
  { text: "… against Yjs servers", ...idle, against: YJS },
  { text: "late join: CPU ms per join ≥ 3× less", ...join, against: YJS },
];

export const LIMIT_BARS: readonly LimitBar[] = [
  { text: "create p99", scenario: "rest", metric: "createP99Ms", below: 100 },
  { text: "update p99", scenario: "rest", metric: "updateP99Ms", below: 50 },
  { text: "update to others p99", scenario: "rest", metric: "othersP99Ms", below: 20 },
  { text: "health p99", scenario: "rest", metric: "healthP99Ms", below: 10 },
  { text: "live edit to others p99 (fan-out)", scenario: "fan-out", metric: "p99Ms", below: 20 },
  { text: "durable ack p99 at 2,000 changes/s over 100 contexts", scenario: "ack", metric: "p99MsMany", below: 20 },
  { text: "conflict told p99 at 1,000 changes/s", scenario: "conflict", metric: "p99Ms", below: 100 },
  { text: "live p99 beside history, against alone", scenario: "history", metric: "p99Ratio", below: 1.25, unit: "×" },
  { text: "lock taken p99, among 900 others", scenario: "locks", metric: "acquireP99Ms", below: 50 },
  { text: "lock handed over p99, among 100 waiters", scenario: "locks", metric: "handOverP99Ms", below: 50 },
  { text: "event loop blocked at most (REST)", scenario: "rest", metric: "eventLoopMaxMs", below: 50 },
  { text: "event loop blocked at most (saturation)", scenario: "saturation", metric: "eventLoopMaxMs", below: 50 },
];

export interface PeerVerdict {
  readonly text: string;
  readonly ours: number;
  readonly best: number;
  readonly bestServer: string;
  readonly ratio: number;
  readonly isMet: boolean;
}

/** One verdict per bar whose figures the run has. */
export function peerVerdicts(results: Results): PeerVerdict[] {
  return PEER_BARS.flatMap((bar) => {
    const ours = summaryOf(results, bar.scenario, "ours", bar.metric)?.median;
    const best = bestOf(results, bar);
    if (ours === undefined || best === undefined) return [];
    const ratio = advantage(bar.better, ours, best.median);
    return [{ text: bar.text, ours, best: best.median, bestServer: best.server, ratio, isMet: ratio >= bar.factor }];
  });
}

type Comparison = Pick<PeerBar, "scenario" | "metric" | "better" | "against">;

/** The best median of the servers named. */
export function bestOf(results: Results, { scenario, metric, better, against }: Comparison) {
  const medians = against.flatMap((server) => {
    const summary = summaryOf(results, scenario, server, metric);
    return summary === undefined ? [] : [{ server, median: summary.median }];
  });
  medians.sort((a, b) => (better === "higher" ? b.median - a.median : a.median - b.median));
  return medians[0];
}

export function advantage(better: "higher" | "lower", ours: number, other: number): number {
  return better === "higher" ? ours / other : other / ours;
}

export interface LimitVerdict {
  readonly text: string;
  readonly ours: number;
  readonly below: number;
  readonly unit: "ms" | "×";
  readonly isMet: boolean;
}

export function limitVerdicts(results: Results): LimitVerdict[] {
  return LIMIT_BARS.flatMap(({ text, scenario, metric, below, unit = "ms" }): LimitVerdict[] => {
    const ours = summaryOf(results, scenario, "ours", metric)?.median;
    return ours === undefined ? [] : [{ text, ours, below, unit, isMet: ours < below }];
  });
}
