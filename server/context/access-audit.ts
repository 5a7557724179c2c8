/**
 * What the audit log is told of access: who was denied what, and what admins did.
 *
 * Invariant (AUDIT-20): what is told is who, where, which rule and which paths; nothing of what was read or written.
 *
 * Not here: keeping it (server/security/audit-log.ts), deciding (access-guard.ts, state/context-state.ts).
 */
import type { AuditAction, AuditEvent } from "../../shared/audit.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import type { Caller } from "../context-service.ts";

/** The port that server/security/audit-log.ts fits. */
export interface AuditRecorder {
  record(event: AuditEvent): void;
}

interface Deed {
  readonly action: AuditAction;
  readonly contextId?: ContextId;
  readonly detail?: JsonObject;
}

export class AccessAudit {
  readonly #recorder: AuditRecorder;

  constructor(recorder: AuditRecorder) {
    this.#recorder = recorder;
  }

  done(caller: Caller, deed: Deed): void {
    this.#recorder.record({ ...whoOf(caller), ...deed, outcome: "done" });
  }

  /** Records an error that is a refusal of access; of others there is nothing to tell. */
  denied(caller: Caller, deed: Deed, error: unknown): void {
    if (!(error instanceof ServiceError) || !isDenial(error)) return;
    const { code, details } = error;
    const { rule, path } = details;
    this.#recorder.record({
      ...whoOf(caller),
      ...deed,
      outcome: "denied",
      code,
      ...(typeof rule === "string" ? { rule } : {}),
      ...(typeof path === "string" ? { paths: [path] } : {}),
    });
  }
}

function isDenial({ code }: ServiceError): boolean {
  return code === "FORBIDDEN" || code === "UNAUTHENTICATED" || code === "CONTEXT_NOT_FOUND";
}

function whoOf({ identity, origin, via = {} }: Caller): Pick<AuditEvent, "actor" | "origin" | "address"> {
  return { actor: identity.actor, origin, ...via };
}
