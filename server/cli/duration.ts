/**
 * Durations as people type them: 500ms, 30s, 2m.
 */
import { InvalidArgumentError } from "commander";

const UNIT_MS = { ms: 1, s: 1000, m: 60_000 };

/** For commander: milliseconds from `minMs` to `maxMs`. */
export function duration(minMs: number, maxMs: number): (text: string) => number {
  return (text) => {
    const [, count, unit] = /^(\d{1,9})(ms|s|m)$/.exec(text) ?? [];
    const ms = Number(count) * (unit === "ms" || unit === "s" || unit === "m" ? UNIT_MS[unit] : Number.NaN);
    if (ms >= minMs && ms <= maxMs) return ms;
    throw new InvalidArgumentError(
      `It must be a duration such as 500ms, 30s or 2m, from ${said(minMs)} to ${said(maxMs)}.`,
    );
  };
}

function said(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}
