/**
 * Following and closing live sessions: for admins of the server, and told to the audit log with whose session it was.
 *
 * Invariants (TAP, ACL):
 *  1. Whoever follows is told from the answer on, and nothing after the right to it is lost.
 *  2. When the feed ends, or is never read, nothing of the session is kept for it.
 *
 * Not here: the sessions (session-desk.ts).
 */
import type { AuditAction } from "../../shared/audit.ts";
import type { SessionStats } from "../../shared/monitoring.ts";
import type { Caller, MonitorService } from "../context-service.ts";
import type { AccessAudit } from "./access-audit.ts";
import type { AccessWatch } from "./access-watch.ts";
import type { Doorkeeper } from "./doorkeeper.ts";
import { guardedServerFeed } from "./guarded-feed.ts";

type SessionCases = Pick<MonitorService, "followSession" | "closeSession">;

interface GuardParts {
  readonly door: Doorkeeper;
  readonly readers: AccessWatch;
  readonly audit: AccessAudit;
}

export function guardedSessions(inner: SessionCases, { door, readers, audit }: GuardParts): SessionCases {
  const done = (caller: Caller, action: AuditAction, { id, contextId, actor }: SessionStats): void =>
    audit.done(caller, { action, contextId, detail: { session: id, of: actor } });
  return {
    followSession: (caller, id, request) =>
      door.asServerAdmin(caller, async () => {
        const { signal } = request;
        const over = new AbortController();
        const end = (): void => over.abort();
        signal.addEventListener("abort", end, { once: true });
        const { stats, events } = await inner.followSession(caller, id, { signal: over.signal });
        done(caller, "session.follow", stats);
        const follow = async (lost: AbortSignal) => {
          lost.addEventListener("abort", end, { once: true });
          return events;
        };
        return { stats, events: guardedServerFeed({ follow, readers, audit }, caller, signal) };
      }),
    closeSession: (caller, id) =>
      door.asServerAdmin(caller, async () => {
        const stats = await inner.closeSession(caller, id);
        done(caller, "session.close", stats);
        return stats;
      }),
  };
}
