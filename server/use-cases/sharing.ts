/**
 * Use cases: the access list of a context, replaced as a whole or changed for some principals.
 *
 * Invariant (ACL): on one server two changes of a list follow each other: none is lost to another that began before it ended.
 *
 * Not here: what follows from a list (state/access), who may change it (admission judges it anew).
 */
import { ServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Acl, Grant, GrantChange } from "../../shared/permission.ts";
import type { AccessService, Caller } from "../context-service.ts";

/** Port: ContextManager is the implementation. */
interface AclAccess {
  /** As far as it is durable. @throws {ServiceError} CONTEXT_NOT_FOUND */
  acl(id: ContextId): Promise<Acl | undefined>;
  /** @throws {ServiceError} CONTEXT_NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE */
  setAcl(caller: Caller, id: ContextId, acl: Acl): Promise<Acl>;
}

export class SharingUseCases implements AccessService {
  readonly #access: AclAccess;
  /** Changes under way, and those that wait behind them. */
  readonly #last = new Map<ContextId, Promise<unknown>>();

  constructor(access: AclAccess) {
    this.#access = access;
  }

  acl(_caller: Caller, id: ContextId): Promise<Acl | undefined> {
    return this.#access.acl(id);
  }

  setAcl(caller: Caller, id: ContextId, acl: Acl): Promise<Acl> {
    return this.#inTurn(id, () => this.#access.setAcl(caller, id, acl));
  }

  share(caller: Caller, id: ContextId, changes: readonly GrantChange[]): Promise<Acl> {
    return this.#inTurn(id, async () => {
      const { grants = [] } = (await this.#access.acl(id)) ?? {};
      const all = changes.reduce<readonly Grant[]>(changed, grants);
      if (all.length > LIMITS.aclGrantsMax) throw tooMany();
      return this.#access.setAcl(caller, id, { grants: all });
    });
  }

  async #inTurn(id: ContextId, task: () => Promise<Acl>): Promise<Acl> {
    const before = this.#last.get(id);
    // at once when nobody is before it: what its caller does next comes after it
    const turn = before === undefined ? task() : before.then(task, task);
    this.#last.set(id, turn);
    try {
      return await turn;
    } finally {
      if (this.#last.get(id) === turn) this.#last.delete(id);
    }
  }
}

function tooMany(): ServiceError {
  return new ServiceError(
    "LIMIT_EXCEEDED",
    `An access list has ${LIMITS.aclGrantsMax} grants at most. Take some away, or grant to everybody ("*").`,
    { details: { limit: LIMITS.aclGrantsMax } },
  );
}

/** One line for the principal, or none, in place of all that it had. */
function changed(grants: readonly Grant[], { principal, role, paths }: GrantChange): readonly Grant[] {
  const others = grants.filter((grant) => grant.principal !== principal);
  return role === "none" ? others : [...others, { principal, role, ...(paths === undefined ? {} : { paths }) }];
}
