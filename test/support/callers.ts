/** Callers whose word is taken, as on an open server, and identities with tokens. */
import type { Caller } from "../../server/context-service.ts";
import { unverified } from "../../server/state/access/identity.ts";
import type { Identity } from "../../server/state/access/identity.ts";
import type { ChangeOrigin } from "../../shared/change.ts";
import { parseActor } from "../../shared/ids.ts";
import { SCOPES } from "../../shared/permission.ts";

export function callerOf(name: string, origin: ChangeOrigin = "rest"): Caller {
  return { identity: unverified(parseActor(name)), origin };
}

/** Somebody with a token that has every scope and grants nothing by itself, unless said otherwise. */
export function bearer(name: string, claims: Partial<Omit<Identity, "actor">> = {}): Identity {
  return { actor: parseActor(name), scopes: new Set(SCOPES), grants: [], isUnverified: false, ...claims };
}

export function verifiedCaller(name: string, claims: Partial<Omit<Identity, "actor">> = {}): Caller {
  return { identity: bearer(name, claims), origin: "rest" };
}
