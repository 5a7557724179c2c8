/**
 * Makes tokens for servers of mode `jwt`. What a server would refuse is refused here.
 *
 * Not here: the command line (server/cli/commands/token.ts).
 */
import { SignJWT } from "jose";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Scope, TokenGrant } from "../../shared/permission.ts";
import { identityOf } from "./token-claims.ts";
import type { OwnKey } from "./own-key.ts";

export interface NewToken {
  readonly subject: string;
  readonly audience: string;
  readonly scopes: readonly Scope[];
  readonly grants: readonly TokenGrant[];
  readonly name?: string;
  readonly lifetimeMs: number;
}

export interface IssuedToken {
  readonly token: string;
  readonly tokenId: string;
  readonly expiresAtMs: number;
}

interface Issuing {
  /** A secret or a private key. */
  readonly key: OwnKey;
  readonly claims: NewToken;
  readonly nowMs: number;
  /** Must be unique: it is how a token is revoked. */
  readonly tokenId: string;
}

/** @throws {ServiceError} INVALID_REQUEST */
export async function issueToken({ key, claims, nowMs, tokenId }: Issuing): Promise<IssuedToken> {
  const issuedAtS = Math.floor(nowMs / 1000);
  const expiresAtS = issuedAtS + Math.floor(claims.lifetimeMs / 1000);
  if (!(expiresAtS > issuedAtS)) throw notTaken("Its lifetime must be a second at least.");
  const payload = {
    sub: claims.subject,
    aud: claims.audience,
    scope: claims.scopes.join(" "),
    iat: issuedAtS,
    exp: expiresAtS,
    jti: tokenId,
    ...(claims.name === undefined ? {} : { name: claims.name }),
    ...(claims.grants.length === 0 ? {} : { contexts: claims.grants }),
  };
  assertTaken(payload, nowMs);
  const token = await new SignJWT(payload).setProtectedHeader({ alg: key.algorithms[0], typ: "JWT" }).sign(key.key);
  if (token.length > LIMITS.tokenCharsMax) {
    throw notTaken(`It would be longer than ${LIMITS.tokenCharsMax} characters. Grant fewer contexts or paths.`);
  }
  return { token, tokenId, expiresAtMs: expiresAtS * 1000 };
}

function assertTaken(payload: Readonly<Record<string, unknown>>, nowMs: number): void {
  if (payload["aud"] === "") throw notTaken("Its audience is empty.");
  try {
    const { name } = identityOf(payload, nowMs);
    if (name !== payload["name"]) throw notTaken(`Its name must have 1 to ${LIMITS.nameCharsMax} plain characters.`);
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code !== "UNAUTHENTICATED") throw error;
    throw notTaken(error.message);
  }
}

function notTaken(why: string): ServiceError {
  return new ServiceError("INVALID_REQUEST", `No server would take this token. ${why}`);
}
