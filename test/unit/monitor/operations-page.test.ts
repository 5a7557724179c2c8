/** docs/operations.md has the tables of the code: every alert with its thresholds and advice, every metric with its help. */
import { expect, test } from "vitest";
import { takeCensus } from "../../../server/monitor/census.ts";
import { ALERT_RULES } from "../../../server/monitor/alerts/alert-rules.ts";
import type { AlertRule } from "../../../server/monitor/alerts/alert-rules.ts";
import { Counts } from "../../../server/monitor/metrics/counts.ts";
import { MetricsCollector } from "../../../server/monitor/metrics-collector.ts";
import { NO_SOURCES } from "../../../server/monitor/vitals.ts";
import { read } from "../../arch/source.ts";
import { FakeProcess, samplesOf } from "../../support/vitals.ts";

/** Rows of the page's tables whose first cell is code, as it is read. */
const rows = read("docs/operations.md")
  .text.split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("\\", "")),
  );

function shown(value: number, unit: AlertRule["unit"]): string {
  if (unit === "bytes") return `${Math.round(value / 1024 / 1024)} MB`;
  if (unit === "ratio") return `${value * 100} %`;
  return unit === "" ? String(value) : `${value} ${unit}`;
}

function rowOf({ name, badWhen, unit, thresholds, summary, advice }: AlertRule): readonly string[] {
  const levels = thresholds.map(({ level, at, forMs }) => {
    const time = forMs === 0 ? "" : ` for ${forMs / 1000} s`;
    return `${level} ${badWhen === "high" ? "≥" : "≤"} ${shown(at, unit)}${time}`;
  });
  return [`\`${name}\``, levels.join("<br>"), summary, advice];
}

test("[ALERT-4] every alert is there, with its levels, what is the matter, and what to do", () => {
  expect(rows.filter((cells) => cells.length === 4)).toEqual(ALERT_RULES.map(rowOf));
});

test("[MON-1] every metric is there, with what it measures and what a bad value means", async () => {
  const collector = new MetricsCollector({
    counts: new Counts(() => 0),
    samples: samplesOf(),
    watch: new FakeProcess(),
    census: () => takeCensus(NO_SOURCES),
    contextsMax: 1,
    startedAtS: 1,
  });
  const helps = Array.from((await collector.text()).matchAll(/^# HELP (\S+) (.*)$/gm), ([, name, help]) => [
    `\`${name}\``,
    help,
  ]);
  const documented = rows.filter(([name]) => /^`(mcm|process)_/.test(name ?? ""));
  expect(documented).toEqual(helps);
});
