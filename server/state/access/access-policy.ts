/**
 * What an identity may do with a context.
 *
 * Invariants (ACL):
 *  1. Without a scope, a role is worth nothing: scopes bound what roles give.
 *  2. Roles add up: those of the context's list, those that the token brings, and that of its creator, who is its admin.
 *  3. A writer's paths cover what lies at and below them. What touches anything above is refused as a whole.
 *  4. Who may not read a context may do nothing with it, and is told that it is not there.
 *
 * Not here: verifying who it is (server/security), at which moment it is asked (context-state.ts, access-guard.ts).
 */
import type { ContextMeta } from "../../../shared/context.ts";
import { ServiceError } from "../../../shared/errors.ts";
import { matchesGlob } from "../../../shared/glob.ts";
import { EVERYBODY } from "../../../shared/permission.ts";
import type { Grant, Rights, Role, Scope } from "../../../shared/permission.ts";
import { coverOf, parentOf } from "../path-cover.ts";
import type { Identity } from "./identity.ts";

/** What of a context decides. */
export type Guarded = Pick<ContextMeta, "id" | "createdBy" | "acl">;

type Given = Pick<Grant, "role" | "paths">;

/** Paths of a refusal that are told. */
const PATHS_TOLD_MAX = 8;

export class Access {
  readonly mayRead: boolean;
  /** At some path at least. */
  readonly mayWrite: boolean;
  readonly isAdmin: boolean;
  /** Where it may write; undefined: everywhere. */
  readonly #paths: ReadonlySet<string> | undefined;
  readonly #missingScope: Scope | undefined;

  constructor(given: readonly Given[], scopes: ReadonlySet<Scope>) {
    const has = (role: Role): boolean => given.some((it) => it.role === role);
    const writing = given.filter(({ role }) => role !== "reader");
    this.mayRead = given.length > 0 && scopes.has("contexts:read");
    this.mayWrite = this.mayRead && writing.length > 0 && scopes.has("contexts:write");
    this.isAdmin = this.mayRead && has("admin") && scopes.has("contexts:admin");
    const isEverywhere = writing.some(({ role, paths }) => role === "admin" || paths === undefined);
    this.#paths = isEverywhere ? undefined : new Set(writing.flatMap(({ paths = [] }) => paths));
    this.#missingScope = writing.length > 0 && !scopes.has("contexts:write") ? "contexts:write" : undefined;
  }

  /** In one word; undefined for who may not even read. */
  get role(): Role | undefined {
    if (this.isAdmin) return "admin";
    if (this.mayWrite) return "writer";
    return this.mayRead ? "reader" : undefined;
  }

  /** As they are told to who has them. */
  get rights(): Rights {
    const { mayWrite, isAdmin } = this;
    const isBound = mayWrite && this.#paths !== undefined;
    return { mayWrite, isAdmin, ...(isBound ? { paths: coverOf(this.#paths, Infinity) } : {}) };
  }

  mayWriteAt(path: string): boolean {
    if (!this.mayWrite) return false;
    if (this.#paths === undefined) return true;
    for (let above: string | null = path; above !== null; above = parentOf(above))
      if (this.#paths.has(above)) return true;
    return false;
  }

  /** @throws {ServiceError} FORBIDDEN for the first path at which it may not write */
  checkWrite(paths: readonly string[]): void {
    if (!this.mayWrite) throw this.readOnly();
    const path = paths.find((it) => !this.mayWriteAt(it));
    if (path === undefined) return;
    const own = [...(this.#paths ?? [])];
    throw new ServiceError(
      "FORBIDDEN",
      `You may not write at ${placeOf(path)}. You may write at ${own.slice(0, PATHS_TOLD_MAX).map(placeOf).join(", ")} and below. Write there, or ask an admin of the context for a grant.`,
      { details: { rule: "grant", action: "write", path, writablePaths: own.slice(0, PATHS_TOLD_MAX) } },
    );
  }

  /** The refusal for who may only read. */
  readOnly(): ServiceError {
    return this.#missingScope === undefined
      ? new ServiceError(
          "FORBIDDEN",
          "You may read this context, not write to it. Ask one of its admins for the role writer.",
          { details: { rule: "role", action: "write" } },
        )
      : missingScope(this.#missingScope);
  }

  /** @throws {ServiceError} FORBIDDEN */
  checkAdmin(): void {
    if (this.isAdmin) return;
    throw new ServiceError(
      "FORBIDDEN",
      "Only an admin of the context may do this, with the scope contexts:admin. Ask one of its admins.",
      { details: { rule: "role", action: "admin" } },
    );
  }
}

export function accessTo(context: Guarded, identity: Identity): Access {
  return new Access(givenTo(context, identity), identity.scopes);
}

function givenTo({ id, createdBy, acl }: Guarded, { actor, grants, isUnverified }: Identity): readonly Given[] {
  const given: Given[] = grants.filter((grant) => matchesGlob(grant.id, id));
  if (actor === createdBy || (isUnverified && acl === undefined)) given.push({ role: "admin" });
  for (const grant of acl?.grants ?? [])
    if (grant.principal === actor || grant.principal === EVERYBODY) given.push(grant);
  return given;
}

/** Admin of the server as a whole: of every context that there is or may be. Everybody is, where words are taken. */
export function isServerAdmin({ scopes, grants, isUnverified }: Identity): boolean {
  const isOfAll = grants.some(({ id, role }) => id === "*" && role === "admin");
  return scopes.has("contexts:admin") && (isUnverified || isOfAll);
}

/** @throws {ServiceError} FORBIDDEN */
export function checkScope({ scopes }: Identity, scope: Scope): void {
  if (!scopes.has(scope)) throw missingScope(scope);
}

function missingScope(scope: Scope): ServiceError {
  return new ServiceError("FORBIDDEN", `The token lacks the scope ${scope}. Use a token that has it.`, {
    details: { rule: "scope", scope },
  });
}

function placeOf(path: string): string {
  return path === "" ? "the whole context" : path;
}
