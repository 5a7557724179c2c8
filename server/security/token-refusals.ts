/**
 * Why a token is refused, and what to do about it.
 *
 * Sentences are fixed: nothing of a token, which is a secret, gets into a refusal, and so neither into an answer nor a log.
 *
 * Not here: finding out (verify-token.ts, token-claims.ts).
 */
import { errors } from "jose";
import { ServiceError } from "../../shared/errors.ts";
import type { ErrorDetails } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { DAY_MS } from "./token-times.ts";

export const TOKEN_RULES = {
  "too-long": `The token is longer than ${LIMITS.tokenCharsMax} characters. Ask for one that says less.`,
  malformed:
    "The token is not a signed JWT (three parts with dots between). Send it as it was issued, whole and unchanged.",
  type: "The token is a JWT of another type than an access token. Send an access token (typ JWT or at+jwt).",
  algorithm:
    "The token is signed in a way that this server does not take. Get one that was issued for this server and its key.",
  signature:
    "The token's signature does not fit: it was changed, or signed with another key. Get a new one from whoever runs this server.",
  "unknown-key":
    "The token is signed with a key that the identity provider does not list, or does not say with which (kid). Sign in again.",
  expired: "The token has expired. Get a new one and send the request again.",
  "not-yet-valid":
    "By this server's clock the token's time has not begun. Wait for it, or set the clock right that issued it.",
  lifetime: `The token ends more than ${LIMITS.tokenLifetimeMsMax / DAY_MS} days from now, longer than tokens may live. Get one that ends sooner.`,
  audience: "The token was issued for another service. Get one whose audience (aud) names this server.",
  issuer: "The token was issued by somebody else than this server trusts. Get one from its identity provider.",
  claims: "The token lacks a claim that is needed, or has one that is not as documented. Get one with proper claims.",
} as const;

export type TokenRule = keyof typeof TOKEN_RULES;

/** `why` is appended to the rule's sentence. */
export function tokenRefusal(
  rule: TokenRule,
  { why, ...details }: ErrorDetails & { readonly why?: string } = {},
): ServiceError {
  const sentence = TOKEN_RULES[rule];
  return new ServiceError("UNAUTHENTICATED", why === undefined ? sentence : `${sentence} ${why}`, {
    details: { rule, ...details },
  });
}

/**
 * What jose says of a token, as a refusal; undefined when it is not the token that is at fault. The error itself is not kept
 * as cause: it holds the claims.
 */
export function refusalOf(error: unknown): ServiceError | undefined {
  if (error instanceof errors.JWTExpired) return tokenRefusal("expired");
  if (error instanceof errors.JWTClaimValidationFailed) return claimRefusal(error);
  if (error instanceof errors.JOSEAlgNotAllowed) return tokenRefusal("algorithm");
  if (error instanceof errors.JWSSignatureVerificationFailed) return tokenRefusal("signature");
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return tokenRefusal("unknown-key");
  }
  // an extension that is not known but marked as critical
  if (error instanceof errors.JOSENotSupported) return tokenRefusal("algorithm");
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) return tokenRefusal("malformed");
  return undefined;
}

function claimRefusal({ claim, reason }: errors.JWTClaimValidationFailed): ServiceError {
  if (reason !== "check_failed") {
    const what = reason === "missing" ? "is missing" : "is not a number of seconds";
    return tokenRefusal("claims", { claim, why: `Claim ${claim} ${what}.` });
  }
  if (claim === "nbf") return tokenRefusal("not-yet-valid");
  return tokenRefusal(claim === "aud" ? "audience" : "issuer");
}
