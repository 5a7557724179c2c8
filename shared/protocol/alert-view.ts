/**
 * Alerts as they go over the wire, the same in REST answers, in the live feed and to a webhook: times as ISO 8601 in UTC.
 */
import { isoTime } from "../iso-time.ts";
import type { Alert, AlertEvent } from "../monitoring.ts";
import type { AlertEventView, AlertView } from "./rest-monitoring.ts";

export function alertView({ raisedAtMs, clearedAtMs, ...rest }: Alert): AlertView {
  const raisedAt = isoTime(raisedAtMs);
  return { ...rest, raisedAt, ...(clearedAtMs === undefined ? {} : { clearedAt: isoTime(clearedAtMs) }) };
}

export function alertEventView({ kind, atMs, alert }: AlertEvent): AlertEventView {
  return { type: `alert.${kind}`, at: isoTime(atMs), alert: alertView(alert) };
}
