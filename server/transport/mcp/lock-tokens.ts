/**
 * lock_token: the fencing token of a lock, as text. Several are joined by commas, for a write under several locks.
 */
import { ServiceError } from "../../../shared/errors.ts";

const TOKENS = /^\s*[1-9]\d{0,14}(\s*,\s*[1-9]\d{0,14})*\s*$/;

/** @throws {ServiceError} INVALID_REQUEST */
export function lockTokensOf(token: string | undefined): { readonly lockTokens?: readonly number[] } {
  return token === undefined ? {} : { lockTokens: parseLockTokens(token) };
}

/** @throws {ServiceError} INVALID_REQUEST */
export function parseLockTokens(text: string): readonly number[] {
  if (TOKENS.test(text)) return text.split(",").map(Number);
  throw new ServiceError(
    "INVALID_REQUEST",
    "lock_token is what context_lock returned as lock_token, such as 17, or several with commas between.",
  );
}
