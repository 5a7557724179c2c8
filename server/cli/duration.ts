/**
 * Durations as people type them: 500ms, 30s, 2m, 12h, 90d.
 */
import { InvalidArgumentError } from "commander";

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** For commander: milliseconds from `minMs` to `maxMs`. */
export function duration(minMs: number, maxMs: number): (text: string) => number {
  return (text) => {
    const [, count, unit = ""] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
    const ms = Number(count) * (UNIT_MS[unit] ?? Number.NaN);
    if (ms >= minMs && ms <= maxMs) return ms;
    const examples = maxMs < 86_400_000 ? "500ms, 30s or 2m" : "30m, 12h or 90d";
    throw new InvalidArgumentError(`It must be a duration such as ${examples}, from ${said(minMs)} to ${said(maxMs)}.`);
  };
}

export function said(ms: number): string {
  if (ms >= 86_400_000 && ms % 86_400_000 === 0) return `${ms / 86_400_000}d`;
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}
