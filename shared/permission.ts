/**
 * Permissions: the words for who may do what.
 *
 * Scopes gate kinds of operations, whatever they are done to. Grants gate contexts: those of a context's own list (its ACL),
 * and those that a token brings along. Reading is per context, because a Yjs document syncs whole; writing and locking are
 * per path.
 *
 * Not here: what follows from them (server/state/access), the wire shapes (protocol/rest-access.ts).
 */

/** `read` is needed for everything; `write` to change, lock and create; `admin` for access lists, deletion and the like. */
export const SCOPES = ["contexts:read", "contexts:write", "contexts:admin"] as const;
export type Scope = (typeof SCOPES)[number];

/** Each may do what those before it may. `writer`: write and lock, at its paths. `admin`: everywhere, and say who may. */
export const ROLES = ["reader", "writer", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** Of everybody who has proven who they are. */
export const EVERYBODY = "*";

/** A line of a context's access list. */
export interface Grant {
  /** An actor, or EVERYBODY. */
  readonly principal: string;
  readonly role: Role;
  /** Of a writer: where it may write and lock, at these paths and below. Everywhere when absent. */
  readonly paths?: readonly string[];
}

/** What becomes of a principal's lines in an access list: this one, or none, in place of all. */
export interface GrantChange extends Omit<Grant, "role"> {
  readonly role: Role | "none";
}

export interface Acl {
  readonly grants: readonly Grant[];
}

/** What somebody may do with a context that they may read. */
export interface Rights {
  /** At some place at least. */
  readonly mayWrite: boolean;
  readonly isAdmin: boolean;
  /** Where they may write and lock, at these paths and below; everywhere when absent. */
  readonly paths?: readonly string[];
}

/** What a token says of contexts. */
export interface TokenGrant {
  /** A context id, in which `*` stands for any characters. */
  readonly id: string;
  readonly role: Role;
  readonly paths?: readonly string[];
}

export function isScope(text: string): text is Scope {
  return SCOPES.some((scope) => scope === text);
}
