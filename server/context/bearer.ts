/**
 * Who holds a session: whoever its newest token says, for as long as that holds and they may read.
 *
 * Invariants (ACL):
 *  1. A session stays its actor's: another one's token ends it.
 *  2. What the bearer is denied is told to the audit log, with the session's id.
 *
 * Not here: what a session does (sync/session.ts), when a right ends (access-watch.ts).
 */
import type { AuditAction } from "../../shared/audit.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { Caller, SessionOptions } from "../context-service.ts";
import type { Guarded } from "../state/access/access-policy.ts";
import type { Session } from "../sync/session.ts";
import type { SessionInfo } from "../sync/session-port.ts";
import type { AccessAudit } from "./access-audit.ts";
import type { AccessWatch, Watched } from "./access-watch.ts";

interface BearerOptions {
  readonly info: SessionInfo;
  readonly audit: AccessAudit;
  readonly verify: SessionOptions["verify"];
}

export class Bearer {
  readonly #options: BearerOptions;
  #caller: Caller;
  #watched: Watched | undefined;

  constructor(caller: Caller, options: BearerOptions) {
    this.#options = options;
    this.#caller = { ...caller, via: { ...caller.via, sessionId: options.info.id } };
  }

  get caller(): Caller {
    return this.#caller;
  }

  /** From now on the session ends with the right to it, and is told of what its actor may do. */
  enter(session: Session, context: Guarded, watch: AccessWatch): void {
    this.#watched = watch.watch(context, this.#caller.identity, {
      lost: (error) => {
        this.denied("context.leave", error);
        session.end(error);
      },
      may: ({ rights }) => session.mayDo(rights),
    });
  }

  leave(): void {
    this.#watched?.stop();
  }

  /** The client shows a new token. @throws {ServiceError} UNAUTHENTICATED */
  async renew(token: string): Promise<void> {
    const identity = await this.#options.verify?.(token);
    if (identity === undefined) return;
    if (identity.actor !== this.#caller.identity.actor) throw anotherActor();
    this.#caller = { ...this.#caller, identity };
    this.#watched?.renew(identity);
  }

  denied(action: AuditAction, error: unknown): void {
    const { info, audit } = this.#options;
    audit.denied(this.#caller, { action, contextId: info.contextId }, error);
  }
}

function anotherActor(): ServiceError {
  return new ServiceError(
    "UNAUTHENTICATED",
    "The new token is another actor's. A session stays its actor's: open another one.",
    { details: { rule: "subject" } },
  );
}
