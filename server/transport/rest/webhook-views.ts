/**
 * The views of webhooks, in the shapes of shared/protocol/rest-webhooks.ts.
 */
import { isoTime } from "../../../shared/iso-time.ts";
import type { WebhookReportView, WebhookView } from "../../../shared/protocol/rest-webhooks.ts";
import type { DeadLetter, WebhookPosition, WebhookReport, WebhookStatus } from "../../../shared/webhook.ts";

/** Word for word: that a secret never gets here is seen from the type. */
export function webhookView(webhook: WebhookStatus): WebhookView {
  const { id, url, contexts, paths, keyId, createdAtMs, createdBy, state, failures, behind, deadLetters } = webhook;
  const { nextAttemptAtMs, lastDeliveryAtMs, lastError } = webhook;
  return {
    id,
    url,
    contexts: [...contexts],
    ...(paths === undefined ? {} : { paths: [...paths] }),
    keyId,
    createdAt: isoTime(createdAtMs),
    createdBy,
    state,
    failures,
    ...(nextAttemptAtMs === undefined ? {} : { nextAttemptAt: isoTime(nextAttemptAtMs) }),
    ...(lastDeliveryAtMs === undefined ? {} : { lastDeliveryAt: isoTime(lastDeliveryAtMs) }),
    ...(lastError === undefined ? {} : { lastError: faultView(lastError) }),
    behind,
    deadLetters,
  };
}

export function webhookReportView(report: WebhookReport): WebhookReportView {
  return {
    ...webhookView(report),
    positions: report.positions.map(positionView),
    oldestDeadLetters: report.oldestDeadLetters.map(letterView),
  };
}

function faultView({ atMs, contextId, message }: NonNullable<WebhookStatus["lastError"]>) {
  return { at: isoTime(atMs), contextId, message };
}

function positionView({ contextId, version, currentVersion, failures, nextAttemptAtMs }: WebhookPosition) {
  return {
    contextId,
    version,
    ...(currentVersion === undefined ? {} : { currentVersion }),
    failures,
    ...(nextAttemptAtMs === undefined ? {} : { nextAttemptAt: isoTime(nextAttemptAtMs) }),
  };
}

function letterView({ deliveryId, contextId, fromVersion, toVersion, attempts, error, atMs }: DeadLetter) {
  return { deliveryId, contextId, fromVersion, toVersion, attempts, error, at: isoTime(atMs) };
}
