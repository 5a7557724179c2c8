/**
 * The handler of the audit log.
 *
 * Not here: who may ask (access-guard.ts), what is recorded (server/security/audit-log.ts).
 */
import type { AuditEntry } from "../../../shared/audit.ts";
import { parseActor, parseContextId } from "../../../shared/ids.ts";
import { isoTime } from "../../../shared/iso-time.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { auditQuerySchema } from "../../../shared/protocol/rest-audit.ts";
import type { AuditEntryView } from "../../../shared/protocol/rest-audit.ts";
import { json } from "./call.ts";
import type { Call, RestHandler, RestParts } from "./call.ts";
import { parseQuery } from "./request.ts";

export const auditHandlers = { list } satisfies Record<string, RestHandler>;

async function list({ service }: RestParts, { request, caller }: Call): Promise<Response> {
  const asked = parseQuery(auditQuerySchema, request.url);
  const { since, until, actor, context, cursor, limit = LIMITS.listLimitDefault, ...filter } = asked;
  const page = await service.server.audit.list(caller, {
    ...filter,
    limit,
    ...(since === undefined ? {} : { sinceMs: Date.parse(since) }),
    ...(until === undefined ? {} : { untilMs: Date.parse(until) }),
    ...(actor === undefined ? {} : { actor: parseActor(actor) }),
    ...(context === undefined ? {} : { contextId: parseContextId(context) }),
    ...(cursor === undefined ? {} : { after: cursor }),
  });
  return json({ entries: page.items.map(entryView), ...(page.next === undefined ? {} : { next: page.next }) });
}

function entryView({ atMs, lastAtMs, contextId, paths, ...rest }: AuditEntry): AuditEntryView {
  return {
    ...rest,
    at: isoTime(atMs),
    ...(contextId === undefined ? {} : { context: contextId }),
    ...(paths === undefined ? {} : { paths: [...paths] }),
    ...(lastAtMs === undefined ? {} : { lastAt: isoTime(lastAtMs) }),
  };
}
