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
import type { Refusal } from "../../shared/refusal.ts";
import type { Caller, Page } from "../context-service.ts";
import { AllRefusals } from "../use-cases/all-refusals.ts";
import type { AmongNodes } from "../use-cases/among-nodes.ts";
import type { RefusalRing } from "./refusal-ring.ts";

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
  readonly #refusals: RefusalRing;
  readonly #allRefusals: AllRefusals;

  /** @param nodes undefined when there are no other servers of the data */
  constructor(recorder: AuditRecorder, refusals: RefusalRing, nodes?: AmongNodes) {
    this.#recorder = recorder;
    this.#refusals = refusals;
    this.#allRefusals = new AllRefusals(refusals, nodes);
  }

  /** Newest first. */
  refusals(contextId: ContextId, sinceMs: number): Promise<Page<Refusal>> {
    return this.#allRefusals.list(contextId, sinceMs);
  }

  /** A write, or a lock, that was asked for in vain. */
  refused(caller: Caller, contextId: ContextId, error: unknown): void {
    if (error instanceof ServiceError) this.#refusals.record(caller, contextId, error);
  }

  done(caller: Caller, deed: Deed): void {
    this.#recorder.record({ ...whoOf(caller), ...deed, outcome: "done" });
    if (deed.action === "context.delete" && deed.contextId !== undefined) this.#refusals.forget(deed.contextId);
  }

  /** Records an error that is a refusal of access. Of others the log is told nothing; those of writes are remembered for a while. */
  denied(caller: Caller, deed: Deed, error: unknown): void {
    if (!(error instanceof ServiceError)) return;
    if (deed.action === "context.write" && deed.contextId !== undefined) this.refused(caller, deed.contextId, error);
    if (!isDenial(error)) return;
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
