/**
 * Who is calling, as far as it was verified, and what they brought along to say what they may.
 *
 * Not here: verifying it (server/security), what follows for a context (access-policy.ts).
 */
import type { Actor } from "../../../shared/ids.ts";
import { SCOPES } from "../../../shared/permission.ts";
import type { Scope, TokenGrant } from "../../../shared/permission.ts";

export interface Identity {
  readonly actor: Actor;
  /** For people; never decides anything. */
  readonly name?: string;
  readonly scopes: ReadonlySet<Scope>;
  /** What the token grants by itself, beside the contexts' own lists. */
  readonly grants: readonly TokenGrant[];
  /** The actor's word was taken for it (mode `open`): a context without an access list is everybody's. */
  readonly isUnverified: boolean;
  /** Id of the token (`jti`), by which it can be revoked alone. */
  readonly tokenId?: string;
  /** When the token was made and when it ends, server wall clock; never when absent. */
  readonly issuedAtMs?: number;
  readonly expiresAtMs?: number;
}

const ALL_SCOPES: ReadonlySet<Scope> = new Set(SCOPES);

/** Somebody whose word is taken. */
export function unverified(actor: Actor): Identity {
  return { actor, scopes: ALL_SCOPES, grants: [], isUnverified: true };
}
