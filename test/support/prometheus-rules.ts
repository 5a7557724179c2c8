/**
 * The file of Prometheus rules that says what the table of alerts says: what deploy/prometheus/rules.yml must be.
 *
 * `clearAt` has no counterpart in Prometheus: there an alert ends when its value has been on the good side for a while.
 */
import type { AlertRule, Threshold } from "../../server/monitor/alerts/alert-rules.ts";

const HEAD = `# Alerts of mcp-context-manager for Prometheus. The server raises the same by itself (GET /v1/alerts).
# Made from server/monitor/alerts/alert-rules.ts: change it there, then run
#   npx vitest run --project integration test/integration/prometheus-rules.test.ts --update
groups:
  - name: mcp-context-manager
    rules:
`;

export function prometheusRules(rules: readonly AlertRule[]): string {
  return HEAD + rules.flatMap((rule) => rule.thresholds.map((threshold) => alertText(rule, threshold))).join("");
}

function alertText(rule: AlertRule, { level, at, forMs }: Threshold): string {
  const { name, summary, advice, series, badWhen, clearForMs } = rule;
  return `      - alert: ${alertName(name)}
        expr: ${series} ${badWhen === "high" ? ">=" : "<="} ${at}
        for: ${forMs / 1000}s
        keep_firing_for: ${clearForMs / 1000}s
        labels:
          severity: ${level}
        annotations:
          summary: ${JSON.stringify(summary)}
          description: ${JSON.stringify(advice)}
`;
}

/** `log-lag` as `McmLogLag`. */
function alertName(name: string): string {
  return `Mcm${name
    .split("-")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("")}`;
}
