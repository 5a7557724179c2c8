/** deploy/prometheus/rules.yml says what the table of alerts says, and Prometheus understands it. */
import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { takeCensus } from "../../server/monitor/census.ts";
import { ALERT_RULES } from "../../server/monitor/alerts/alert-rules.ts";
import { Counts } from "../../server/monitor/metrics/counts.ts";
import { MetricsCollector } from "../../server/monitor/metrics-collector.ts";
import { NO_SOURCES } from "../../server/monitor/vitals.ts";
import { prometheusRules } from "../support/prometheus-rules.ts";
import { FakeProcess, contextOf, sampleAt, samplesOf, sessionOf } from "../support/vitals.ts";

const FILE = fileURLToPath(new URL("../../deploy/prometheus/rules.yml", import.meta.url));
const PROMTOOL = process.env["MCM_PROMTOOL"] ?? "promtool";
const hasPromtool = spawnSync(PROMTOOL, ["--version"]).status === 0;
const MISSING = "promtool is not here: apt-get install prometheus, or name it in MCM_PROMTOOL";

async function scraped(): Promise<string> {
  const counts = new Counts(() => 0);
  counts.operated({ operation: "create", durationMs: 3 });
  counts.requested({ method: "GET", route: "/v1/contexts/:id", status: 200 });
  counts.working("history")(true);
  const collector = new MetricsCollector({
    counts,
    samples: samplesOf(sampleAt(0, { disk: { freeBytes: 1, totalBytes: 2, folderBytes: 1, answerMs: 1 } })),
    watch: new FakeProcess(),
    census: () => takeCensus({ ...NO_SOURCES, contexts: () => [contextOf("plan")], sessions: () => [sessionOf("s")] }),
    contextsMax: 10,
    startedAtS: 1,
  });
  return collector.text();
}

test("[ALERT-5] the file has the table's alerts: names, measures, thresholds, times, levels", async () => {
  await expect(prometheusRules(ALERT_RULES)).toMatchFileSnapshot(FILE);
});

test("[ALERT-5] promtool takes the rules", (context) => {
  if (!hasPromtool) context.skip(MISSING);
  const count = ALERT_RULES.reduce((sum, { thresholds }) => sum + thresholds.length, 0);
  expect(execFileSync(PROMTOOL, ["check", "rules", FILE], { encoding: "utf8" })).toContain(
    `SUCCESS: ${count} rules found`,
  );
});

test("[MON-7] promtool finds nothing wrong with a scrape", async (context) => {
  if (!hasPromtool) context.skip(MISSING);
  const { status, stdout, stderr } = spawnSync(PROMTOOL, ["check", "metrics"], {
    input: await scraped(),
    encoding: "utf8",
  });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
});
