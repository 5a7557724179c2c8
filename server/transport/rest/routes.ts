/**
 * The addresses of identified callers and who answers them.
 *
 * Not here: addresses that need no identity (app.ts), their description (openapi.ts; REST-22 compares the two).
 */
import { LIMITS } from "../../../shared/limits.ts";
import type { RestHandler } from "./call.ts";
import { accessHandlers } from "./access.ts";
import { auditHandlers } from "./audit.ts";
import { changeHandlers } from "./changes.ts";
import { conflictHandlers } from "./conflicts.ts";
import { typeHandlers } from "./context-types.ts";
import { contextHandlers } from "./contexts.ts";
import { follow } from "./events.ts";
import { dataHandlers } from "./data.ts";
import { historyHandlers } from "./history.ts";
import { lockHandlers } from "./locks.ts";
import { refusalHandlers } from "./refusals.ts";
import { monitoringHandlers } from "./monitoring.ts";
import { close, traffic } from "./traffic.ts";
import { webhookHandlers } from "./webhooks.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
export type Methods<Handler> = Readonly<Partial<Record<Method, Handler>>>;

export const ROUTES: Readonly<Record<string, Methods<RestHandler>>> = {
  "/v1/contexts": { POST: contextHandlers.create, GET: contextHandlers.find },
  "/v1/contexts/:id": {
    GET: contextHandlers.read,
    PATCH: contextHandlers.change,
    DELETE: contextHandlers.remove,
  },
  "/v1/contexts/:id/changes": { GET: changeHandlers.list },
  "/v1/contexts/:id/diff": { GET: historyHandlers.diff },
  "/v1/contexts/:id/blame": { GET: historyHandlers.blame },
  "/v1/contexts/:id/restore": { POST: historyHandlers.restore },
  "/v1/contexts/:id/undo": { POST: historyHandlers.undo },
  "/v1/contexts/:id/checkpoints": { GET: historyHandlers.listCheckpoints, POST: historyHandlers.nameCheckpoint },
  "/v1/contexts/:id/checkpoints/:name": { DELETE: historyHandlers.forgetCheckpoint },
  "/v1/contexts/:id/compact": { POST: historyHandlers.compact },
  "/v1/contexts/:id/export": { GET: dataHandlers.exportOne },
  "/v1/contexts/:id/import": { POST: dataHandlers.importOne },
  "/v1/contexts/:id/conflicts": { GET: conflictHandlers.list },
  "/v1/contexts/:id/conflicts/:conflictId/resolve": { POST: conflictHandlers.resolve },
  "/v1/contexts/:id/locks": { GET: lockHandlers.list, POST: lockHandlers.acquire },
  "/v1/contexts/:id/locks/:lockId": { PUT: lockHandlers.renew, DELETE: lockHandlers.release },
  "/v1/contexts/:id/refusals": { GET: refusalHandlers.list },
  "/v1/contexts/:id/acl": { GET: accessHandlers.read, PUT: accessHandlers.replace, PATCH: accessHandlers.share },
  "/v1/revocations": { GET: accessHandlers.revocations, POST: accessHandlers.revoke },
  "/v1/events": { GET: follow },
  "/v1/locks": { GET: lockHandlers.held },
  "/v1/audit": { GET: auditHandlers.list },
  "/v1/backup": { POST: dataHandlers.backup },
  "/v1/alerts": { GET: monitoringHandlers.alerts },
  "/v1/sessions": { GET: monitoringHandlers.sessions },
  "/v1/sessions/:sessionId": { DELETE: close },
  "/v1/sessions/:sessionId/traffic": { GET: traffic },
  "/v1/stats": { GET: monitoringHandlers.stats },
  "/metrics": { GET: monitoringHandlers.metrics },
  "/v1/types": { GET: typeHandlers.list },
  "/v1/types/:name": { GET: typeHandlers.read, PUT: typeHandlers.register, DELETE: typeHandlers.remove },
  "/v1/webhooks": { POST: webhookHandlers.add, GET: webhookHandlers.list },
  "/v1/webhooks/:webhookId": {
    GET: webhookHandlers.read,
    PATCH: webhookHandlers.change,
    DELETE: webhookHandlers.remove,
  },
  "/v1/webhooks/:webhookId/pause": { POST: webhookHandlers.pause },
  "/v1/webhooks/:webhookId/resume": { POST: webhookHandlers.resume },
  "/v1/webhooks/:webhookId/redeliver": { POST: webhookHandlers.redeliver },
  "/v1/webhooks/:webhookId/test": { POST: webhookHandlers.test },
};

/** These make the server work out the past, recreate a document, compile a schema, or read through thousands of records. */
const HEAVY: ReadonlySet<string> = new Set([
  "GET /v1/contexts/:id/diff",
  "GET /v1/contexts/:id/blame",
  "POST /v1/contexts/:id/restore",
  "POST /v1/contexts/:id/undo",
  "POST /v1/contexts/:id/compact",
  "PUT /v1/types/:name",
  "GET /v1/audit",
]);

/** For how many requests `operation` (method and address) counts. */
export function costOf(operation: string): number {
  return HEAVY.has(operation) ? LIMITS.heavyOpCost : 1;
}
