/**
 * The audit log's words: who tried what, where, and what came of it. Never content of a context, and no token.
 *
 * Not here: keeping it (server/security/audit-log.ts), the wire shapes (protocol/rest-audit.ts).
 */
import type { ChangeOrigin } from "./change.ts";
import type { ErrorCode } from "./errors.ts";
import type { Actor, ContextId } from "./ids.ts";
import type { JsonObject } from "./json.ts";

/** What an entry can be about, with a sentence for the reference page. Names are for ever: they are stored. */
export const AUDIT_ACTIONS = {
  "server.start": "The server began to answer.",
  "server.stop": "The server was told to stop.",
  "server.backup": "A backup of everything was taken.",
  "connection.open": "A connection was cut or refused: its address or actor has too many, or opens them too fast.",
  "request.parse": "What came is no HTTP request, or its headers are too large.",
  "request.site": "The Host or Origin header named a site that the server does not answer for.",
  "request.authenticate": "Who called did not say who they are, or could not prove it.",
  "request.size": "A request or message was larger than its limit.",
  "request.rate": "An address or an actor asked for more than its rate.",
  "context.enter": "Somebody asked for a context that they may not read, or for what their role in it does not allow.",
  "context.write": "Somebody wrote, or would lock, where they may not.",
  "context.leave":
    "What was open ended because the right to it did: the token's time, a revocation, a new access list.",
  "context.delete": "A context was deleted with its history.",
  "context.compact": "A context's document was recreated without what was deleted.",
  "context.acl": "A context's access list was replaced.",
  "checkpoint.forget": "A named version was forgotten.",
  "lock.force": "Somebody else's lock was released by force.",
  "server.enter": "Somebody asked for what only admins of the server may do, or a scope was missing.",
  "session.follow": "Somebody began to follow the traffic of a live session.",
  "session.close": "Somebody closed a live session.",
  "type.put": "A type was registered, or its schema replaced.",
  "type.delete": "A type was deleted.",
  "token.revoke": "A token, or all of a subject, was revoked.",
  "webhook.add": "A webhook was added.",
  "webhook.change": "A webhook got another address or secret, or was paused or resumed.",
  "webhook.remove": "A webhook was deleted.",
  "audit.suppress": "More entries came than are written; these were only counted.",
} as const satisfies Record<string, string>;
export type AuditAction = keyof typeof AUDIT_ACTIONS;

/** What was done, and what was not because it was refused. */
export const AUDIT_OUTCOMES = ["done", "denied"] as const;
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];

export interface AuditEvent {
  readonly action: AuditAction;
  readonly outcome: AuditOutcome;
  /** As far as it was verified. */
  readonly actor?: Actor;
  /** Why it was denied. */
  readonly code?: ErrorCode;
  readonly contextId?: ContextId;
  readonly paths?: readonly string[];
  /** What decided: a grant, a scope, a lock. */
  readonly rule?: string;
  /** Of the network. */
  readonly address?: string;
  readonly origin?: ChangeOrigin;
  /** Under which the server's log has it. */
  readonly requestId?: string;
  readonly sessionId?: string;
  /** Small facts of the action; no content, no token. */
  readonly detail?: JsonObject;
}

/** As it is kept. Action and code may be those of another release. */
export interface AuditEntry extends Omit<AuditEvent, "action" | "code"> {
  /** Orders by time. */
  readonly id: string;
  readonly action: string;
  readonly code?: string;
  readonly atMs: number;
  /** How many alike it stands for, this one first; absent for one. */
  readonly count?: number;
  /** When the last of them was. */
  readonly lastAtMs?: number;
}

export interface AuditFilter {
  readonly actor?: Actor;
  readonly action?: AuditAction;
  readonly contextId?: ContextId;
  readonly outcome?: AuditOutcome;
}

/** The newest entries that fit, from a time and up to one, and before the one with the id `after`. */
export interface AuditQuery extends AuditFilter {
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly limit: number;
  readonly after?: string;
}
