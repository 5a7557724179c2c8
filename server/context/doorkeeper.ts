/**
 * Asks whether a caller may, before a use case begins, and tells the audit log of denials and of what admins did.
 *
 * Invariants (ACL, AUDIT):
 *  1. A question about a context in memory is answered at once: what a session asks keeps its place among its edits.
 *  2. Every denial is told once: at the door, or when what the use case writes is judged.
 *
 * Not here: which use case asks for what (access-guard.ts), what follows from roles (state/access).
 */
import type { AuditAction } from "../../shared/audit.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import type { Scope } from "../../shared/permission.ts";
import type { Caller } from "../context-service.ts";
import { accessTo, checkScope, isServerAdmin } from "../state/access/access-policy.ts";
import type { Access, Guarded } from "../state/access/access-policy.ts";
import { contextNotFound } from "../state/context-not-found.ts";
import type { AccessAudit } from "./access-audit.ts";

/** What a use case needs beyond reading. */
type Need = "read" | "write" | "admin";

interface DoorkeeperOptions {
  readonly guarded: (id: ContextId) => Guarded | Promise<Guarded | undefined>;
  readonly audit: AccessAudit;
}

interface Ask {
  readonly id: ContextId;
  readonly need: Need;
  /** What is told of it when it is done. */
  readonly deed?: AuditAction;
}

export class Doorkeeper {
  readonly #guarded: DoorkeeperOptions["guarded"];
  readonly #audit: AccessAudit;

  constructor({ guarded, audit }: DoorkeeperOptions) {
    this.#guarded = guarded;
    this.#audit = audit;
  }

  /** @throws {ServiceError} CONTEXT_NOT_FOUND, FORBIDDEN; those of `task` */
  async may<Result>(caller: Caller, { id, need, deed }: Ask, task: () => Promise<Result>): Promise<Result> {
    const found = this.#guarded(id);
    // no wait for what is in memory (invariant 1)
    this.#admit(caller, id, need, found instanceof Promise ? await found : found);
    const result = await task().catch((error: unknown) => {
      if (isForbidden(error) || (need !== "read" && !isGone(error)))
        this.#audit.denied(caller, { action: "context.write", contextId: id }, error);
      throw error;
    });
    if (deed !== undefined) this.#audit.done(caller, { action: deed, contextId: id });
    return result;
  }

  /** @throws {ServiceError} FORBIDDEN; those of `task` */
  async inScope<Result>(caller: Caller, scope: Scope, task: () => Promise<Result>): Promise<Result> {
    this.#atDoor(caller, () => checkScope(caller.identity, scope));
    return task();
  }

  /** @throws {ServiceError} FORBIDDEN; those of `task` */
  async asServerAdmin<Result>(
    caller: Caller,
    task: () => Promise<Result>,
    deed?: AuditAction,
    detailOf?: (result: Result) => JsonObject,
  ): Promise<Result> {
    this.#atDoor(caller, () => {
      if (!isServerAdmin(caller.identity)) throw serverAdminOnly();
    });
    const result = await task();
    if (deed !== undefined) {
      this.#audit.done(caller, { action: deed, ...(detailOf === undefined ? {} : { detail: detailOf(result) }) });
    }
    return result;
  }

  #admit(caller: Caller, id: ContextId, need: Need, context: Guarded | undefined): void {
    // says nothing of the context
    this.#atDoor(caller, () => checkScope(caller.identity, "contexts:read"));
    if (context === undefined) throw contextNotFound();
    try {
      assertMay(accessTo(context, caller.identity), need);
    } catch (error) {
      this.#audit.denied(caller, { action: "context.enter", contextId: id }, error);
      if (need === "write") this.#audit.refused(caller, id, error);
      throw error;
    }
  }

  #atDoor(caller: Caller, check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#audit.denied(caller, { action: "server.enter" }, error);
      throw error;
    }
  }
}

function isForbidden(error: unknown): boolean {
  return error instanceof ServiceError && error.code === "FORBIDDEN";
}

/** A context that went away meanwhile is no denial. */
function isGone(error: unknown): boolean {
  return error instanceof ServiceError && error.code === "CONTEXT_NOT_FOUND";
}

/** @throws {ServiceError} CONTEXT_NOT_FOUND, FORBIDDEN */
function assertMay(access: Access, need: Need): void {
  if (!access.mayRead) throw contextNotFound();
  if (need === "write" && !access.mayWrite) throw access.readOnly();
  if (need === "admin") access.checkAdmin();
}

function serverAdminOnly(): ServiceError {
  return new ServiceError(
    "FORBIDDEN",
    'Only an admin of the server may do this: whose token has the scope contexts:admin and the role admin in all contexts ("*").',
    { details: { rule: "role", action: "admin" } },
  );
}
