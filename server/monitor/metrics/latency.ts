/**
 * Durations: exact counts in the buckets that Prometheus scrapes, and quantiles of the last minute for people.
 *
 * Invariants (MON):
 *  1. Counts never shrink; a bucket holds all durations up to its bound.
 *  2. A quantile is at most one step (4.5 %) above the duration that it stands for.
 *  3. To note a duration, once or for many alike, costs the same and allocates nothing.
 *
 * Not here: names and labels (metrics-collector.ts), when a minute is over (the sampler rotates).
 */
import type { LatencyStats } from "../../../shared/monitoring.ts";

/** The spec's bounds (10, 20, 50, 100 ms) are among them; a lock may be waited for for a minute. */
export const BOUNDS_MS = [0.5, 1, 2.5, 5, 10, 20, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000] as const;

/** Steps of the quantiles: 16 for each doubling, from 1 µs to a bit over two minutes. */
const STEPS_PER_DOUBLING = 16;
const STEPS = 27 * STEPS_PER_DOUBLING;

export class Latency {
  /** Of each bucket by itself; the last one has no bound. */
  readonly #counts = new Float64Array(BOUNDS_MS.length + 1);
  #sumMs = 0;

  get sumMs(): number {
    return this.#sumMs;
  }

  get count(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  observe(durationMs: number, count = 1): void {
    let at = 0;
    while (at < BOUNDS_MS.length && durationMs > (BOUNDS_MS[at] ?? Infinity)) at++;
    this.#counts[at] = (this.#counts[at] ?? 0) + count;
    this.#sumMs += durationMs * count;
  }

  /** Durations up to each bound, and all of them under Infinity. */
  *cumulative(): Iterable<{ readonly boundMs: number; readonly count: number }> {
    let count = 0;
    for (const [at, own] of this.#counts.entries()) {
      count += own;
      yield { boundMs: BOUNDS_MS[at] ?? Infinity, count };
    }
  }
}

/** Quantiles of what came in since the last rotation but one. */
export class RecentLatency {
  #now = new Uint32Array(STEPS);
  #before = new Uint32Array(STEPS);

  observe(durationMs: number, count = 1): void {
    const step = Math.floor(Math.log2(Math.max(1, durationMs * 1000)) * STEPS_PER_DOUBLING);
    const at = Math.min(STEPS - 1, step);
    this.#now[at] = (this.#now[at] ?? 0) + count;
  }

  rotate(): void {
    [this.#now, this.#before] = [this.#before.fill(0), this.#now];
  }

  stats(): LatencyStats {
    const counts = this.#now.map((count, at) => count + (this.#before[at] ?? 0));
    const count = counts.reduce((sum, own) => sum + own, 0);
    const at = (share: number): number => (count === 0 ? 0 : quantile(counts, Math.ceil(count * share)));
    return { count, p50Ms: at(0.5), p95Ms: at(0.95), p99Ms: at(0.99) };
  }
}

/** The upper end of the step in which the n-th smallest lies. */
function quantile(counts: Uint32Array, nth: number): number {
  let seen = 0;
  for (const [at, count] of counts.entries()) {
    seen += count;
    if (seen >= nth) return Math.round(2 ** ((at + 1) / STEPS_PER_DOUBLING)) / 1000;
  }
  return 0;
}
