/**
 * The last quarter of an hour: a reading of everything every few seconds, for alerts, rates and the health report.
 *
 * Invariants (MON):
 *  1. No more than SAMPLES_MAX are kept.
 *  2. Nothing here reads a clock: a sample says when it was taken.
 */
import type { ContextTotals, SessionTotals } from "./census.ts";
import type { DiskVitals, LogVitals, ProcessVitals, WebhookVitals } from "./vitals.ts";

/** What only grows. */
export const COUNTERS = [
  "operations",
  "changes",
  "refusals",
  "conflicts",
  "framesIn",
  "framesOut",
  "failedCommits",
  "failedCheckpoints",
  "damagedReads",
  "lockTimeouts",
  "slowEnds",
  "engineTurns",
  "engineTurnMs",
  "hintsLost",
] as const;
export type CounterName = (typeof COUNTERS)[number];

export interface Sample {
  /** Monotonic. */
  readonly atMs: number;
  readonly counters: Readonly<Record<CounterName, number>>;
  readonly log: LogVitals;
  readonly contexts: ContextTotals;
  readonly sessions: SessionTotals;
  readonly webhooks: WebhookVitals;
  readonly process: ProcessVitals;
  /** Absent where nothing is kept on disk, and until it was looked at. */
  readonly disk?: DiskVitals;
  readonly oldestLockWaitMs: number;
}

/** A quarter of an hour of one every five seconds, and a few for rounds that come late. */
const SAMPLES_MAX = 200;

export class Samples {
  readonly #samples: Sample[] = [];

  get latest(): Sample | undefined {
    return this.#samples.at(-1);
  }

  add(sample: Sample): void {
    this.#samples.push(sample);
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }

  /** By how much a counter grew within the time before the latest sample, or since the first one. */
  increase(counter: CounterName, withinMs: number): number {
    const [from, latest] = this.#span(withinMs);
    return from === undefined || latest === undefined ? 0 : latest.counters[counter] - from.counters[counter];
  }

  perSecond(counter: CounterName, withinMs: number): number {
    const [from, latest] = this.#span(withinMs);
    if (from === undefined || latest === undefined || latest.atMs === from.atMs) return 0;
    return (latest.counters[counter] - from.counters[counter]) / ((latest.atMs - from.atMs) / 1000);
  }

  /** The highest value of the samples within the time before the latest one. */
  max(valueOf: (sample: Sample) => number, withinMs: number): number {
    const sinceMs = (this.latest?.atMs ?? 0) - withinMs;
    let max = 0;
    for (const sample of this.#samples) if (sample.atMs > sinceMs) max = Math.max(max, valueOf(sample));
    return max;
  }

  /** The sample so long before the latest one, or the first there is; and the latest. */
  #span(withinMs: number): readonly [from: Sample | undefined, latest: Sample | undefined] {
    const { latest } = this;
    const sinceMs = (latest?.atMs ?? 0) - withinMs;
    return [this.#samples.findLast(({ atMs }) => atMs <= sinceMs) ?? this.#samples[0], latest];
  }
}
