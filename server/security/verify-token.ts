/**
 * One token against one key, or a way to find the key: what all verifiers do alike.
 *
 * Order: length, signature, then claims. Nothing of a token is acted on before its signature was checked, but for `alg` and
 * `kid`, which choose among keys and algorithms that are known beforehand.
 *
 * Not here: which keys (jwt-verifier.ts, oidc-verifier.ts), reading claims (token-claims.ts).
 */
import { jwtVerify } from "jose";
import type { CryptoKey, JWTVerifyGetKey, JWTVerifyOptions, KeyObject } from "jose";
import { LIMITS } from "../../shared/limits.ts";
import type { Identity } from "../state/access/identity.ts";
import { identityOf } from "./token-claims.ts";
import { refusalOf, tokenRefusal } from "./token-refusals.ts";
import { TOLERANCE_S } from "./token-times.ts";

/** What the key must be told about: an algorithm that is not named here is never tried. */
export interface TokenDemands {
  readonly algorithms: readonly string[];
  /** The token must name one of them. */
  readonly audiences: readonly string[];
  readonly issuer?: string;
  /** The claim that carries grants. */
  readonly contextsClaim?: string | undefined;
}

/** Types of JWT that are meant for this; of others (logout tokens, say) a bearer proves nothing. */
const TYPES = new Set(["jwt", "at+jwt", "application/jwt", "application/at+jwt"]);

const REQUIRED_CLAIMS = ["exp", "aud", "sub"];

/** @throws {ServiceError} UNAUTHENTICATED; what `key` throws */
export async function verifyToken(
  token: string,
  key: CryptoKey | KeyObject | JWTVerifyGetKey,
  demands: TokenDemands,
  nowMs: number,
): Promise<Identity> {
  if (token.length > LIMITS.tokenCharsMax) throw tokenRefusal("too-long", { limitChars: LIMITS.tokenCharsMax });
  if (!isWellSpelled(token)) throw tokenRefusal("malformed");
  const { algorithms, audiences, issuer, contextsClaim } = demands;
  const options: JWTVerifyOptions = {
    algorithms: [...algorithms],
    audience: [...audiences],
    requiredClaims: REQUIRED_CLAIMS,
    clockTolerance: TOLERANCE_S,
    currentDate: new Date(nowMs),
    ...(issuer === undefined ? {} : { issuer }),
  };
  const { payload, protectedHeader } = await jwtVerify(token, key, options).catch((error: unknown) => {
    throw refusalOf(error) ?? error;
  });
  const { typ = "JWT" } = protectedHeader;
  if (typeof typ !== "string" || !TYPES.has(typ.toLowerCase())) throw tokenRefusal("type");
  return identityOf(payload, nowMs, contextsClaim);
}

/** jose takes padding, line breaks and stray bits in base64url; so a token would have many spellings. */
function isWellSpelled(token: string): boolean {
  return token.split(".").every((part) => Buffer.from(part, "base64url").toString("base64url") === part);
}
