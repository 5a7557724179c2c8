/**
 * Numbers about numbers: percentiles, medians and ranges, and how a person reads them.
 *
 * 1. Percentiles are nearest-rank: always a value that was measured, never an interpolation.
 * 2. Of no values there is no summary: asking for one is a programmer error.
 *
 * Not here: what is measured (scenarios/), tables (report.ts).
 */

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The q-th quantile, 0 < q <= 1, of values in any order. */
export function percentile(values: readonly number[] | Float64Array, q: number): number {
  const sorted = Float64Array.from(values).sort();
  const value = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
  if (value === undefined) throw new Error("There is no percentile of nothing.");
  return value;
}

export function summarize(values: readonly number[]): Summary {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  const [low, high] = [sorted[sorted.length % 2 === 0 ? half - 1 : half], sorted[half]];
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (low === undefined || high === undefined || min === undefined || max === undefined) {
    throw new Error("There is no median of nothing.");
  }
  return { median: (low + high) / 2, min, max };
}

/** Three significant digits, thousands with commas: 0.472, 13.9, 1,640, 3,770,000. */
export function readable(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const rounded = Number(value.toPrecision(3));
  return Math.abs(rounded) >= 1000 ? rounded.toLocaleString("en-US") : String(rounded);
}
