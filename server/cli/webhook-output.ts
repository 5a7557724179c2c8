/**
 * How webhooks look to people.
 */
import type { WebhookReportView, WebhookView } from "../../shared/protocol/rest-webhooks.ts";
import { counted, pathsText, safe, table } from "./output.ts";
import type { Colors } from "./output.ts";

export function webhookTable(webhooks: readonly WebhookView[], color: Colors): string {
  const rows = webhooks.map((webhook) => {
    const { id, state, behind, deadLetters, contexts, url } = webhook;
    return [id, state, isHalted(webhook) ? "-" : String(behind), String(deadLetters), contexts.join(","), safe(url)];
  });
  return table([["ID", "STATE", "BEHIND", "DEAD", "CONTEXTS", "URL"], ...rows], color);
}

export function webhookText(report: WebhookReportView, color: Colors): string {
  const { id, url, contexts, paths, keyId, state, failures, nextAttemptAt, lastDeliveryAt, lastError } = report;
  const lines = [
    `${color.bold(id)} is ${state}, since ${report.createdAt} by ${safe(report.createdBy)}`,
    `  to ${safe(url)}, key ${keyId}`,
    `  of ${contexts.join(" ")}${paths === undefined ? "" : ` at ${pathsText(paths)}`}`,
    `  last delivery: ${lastDeliveryAt ?? "none since the server started"}`,
  ];
  if (lastError !== undefined) {
    lines.push(`  last error: ${lastError.at} ${lastError.contextId}: ${safe(lastError.message)}`);
  }
  if (failures > 0) lines.push(`  ${counted(failures, "attempt")} failed${next(nextAttemptAt)}`);
  const behind = isHalted(report)
    ? "what changes is told when it is resumed"
    : `${counted(report.behind, "context")} behind`;
  lines.push(`  ${behind}, ${counted(report.deadLetters, "dead letter")}`);
  return [lines.join("\n"), ...positionLines(report, color), ...letterLines(report, color)].join("\n");
}

/** Then nobody counts what waits. */
function isHalted({ state }: Pick<WebhookView, "state">): boolean {
  return state === "paused" || state === "stopped";
}

function positionLines({ positions: all }: WebhookReportView, color: Colors): string[] {
  if (all.length === 0) return [];
  const rows = all.map(({ contextId, version, currentVersion, failures, nextAttemptAt = "" }) => [
    contextId,
    String(version),
    currentVersion === undefined ? "deleted" : String(currentVersion),
    String(failures),
    nextAttemptAt,
  ]);
  return [table([["CONTEXT", "TOLD", "IS AT", "FAILED", "NEXT ATTEMPT"], ...rows], color)];
}

function letterLines({ oldestDeadLetters: letters }: WebhookReportView, color: Colors): string[] {
  if (letters.length === 0) return [];
  const rows = letters.map(({ deliveryId, contextId, fromVersion, toVersion, at, error }) => [
    deliveryId,
    contextId,
    `${fromVersion}-${toVersion}`,
    at,
    safe(error),
  ]);
  return [table([["DEAD LETTER", "CONTEXT", "VERSIONS", "AT", "WHY"], ...rows], color)];
}

function next(at: string | undefined): string {
  return at === undefined ? "" : `, next attempt ${at}`;
}
