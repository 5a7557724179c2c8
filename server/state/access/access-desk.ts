/**
 * Who may do what with one context, as admission asks it: the context's list as of the last entry that changed it.
 *
 * Invariants (ACL):
 *  1. What was admitted after a change of the list was judged by the new one, durable or not: the log keeps their order.
 *
 * Not here: what follows from a list (access-policy.ts).
 */
import type { MetaChange } from "../../../shared/context.ts";
import { accessTo } from "./access-policy.ts";
import type { Access, Guarded } from "./access-policy.ts";
import type { Identity } from "./identity.ts";

/** A write, as far as it says whose it is. */
interface Authored {
  readonly identity?: Identity;
}

export class AccessDesk {
  #context: Guarded;
  /** What follows for identities that wrote lately: worked out once for each and each list. */
  #known = new WeakMap<Identity, Access>();

  constructor({ id, createdBy, acl }: Guarded) {
    this.#context = { id, createdBy, ...(acl === undefined ? {} : { acl }) };
  }

  of(identity: Identity): Access {
    let access = this.#known.get(identity);
    if (access === undefined) this.#known.set(identity, (access = accessTo(this.#context, identity)));
    return access;
  }

  /** @throws {ServiceError} FORBIDDEN */
  checkWrite(paths: readonly string[], { identity }: Authored): void {
    if (identity !== undefined) this.of(identity).checkWrite(paths);
  }

  /** At that path and below; everywhere for "". */
  mayWriteAt(path: string, { identity }: Authored): boolean {
    return identity === undefined || this.of(identity).mayWriteAt(path);
  }

  /** Somewhere. */
  mayWrite({ identity }: Authored): boolean {
    return identity === undefined || this.of(identity).mayWrite;
  }

  isAdmin({ identity }: Authored): boolean {
    return identity === undefined || this.of(identity).isAdmin;
  }

  /** @throws {ServiceError} FORBIDDEN */
  checkAdmin({ identity }: Authored): void {
    if (identity !== undefined) this.of(identity).checkAdmin();
  }

  /** May the list become this? False when it is this already. @throws {ServiceError} FORBIDDEN */
  judge({ acl }: MetaChange, author: Authored): boolean {
    this.checkAdmin(author);
    return JSON.stringify(acl) !== JSON.stringify(this.#context.acl);
  }

  apply({ acl }: MetaChange): void {
    this.#context = { ...this.#context, acl };
    this.#known = new WeakMap();
  }
}
