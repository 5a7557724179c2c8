/**
 * What a token says of itself, unchecked: for people who look at one. Nothing may be decided by it.
 *
 * Not here: checking it (verify-token.ts).
 */
import { decodeJwt, decodeProtectedHeader } from "jose";
import { LIMITS } from "../../shared/limits.ts";
import { refusalOf, tokenRefusal } from "./token-refusals.ts";

export interface DecodedToken {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** @throws {ServiceError} UNAUTHENTICATED, rules malformed and too-long */
export function decodeToken(token: string): DecodedToken {
  if (token.length > LIMITS.tokenCharsMax) throw tokenRefusal("too-long");
  try {
    return { header: { ...decodeProtectedHeader(token) }, claims: decodeJwt(token) };
  } catch (error) {
    // decodeProtectedHeader throws a TypeError
    throw refusalOf(error) ?? tokenRefusal("malformed");
  }
}
