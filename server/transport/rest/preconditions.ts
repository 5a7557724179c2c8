/**
 * Headers that make a request conditional or repeatable: ETag, If-Match, If-None-Match, Idempotency-Key, Lock-Token.
 *
 * A context's ETag is its version in quotes: `"7"`. It is a strong tag, also of parts of the context: the address says the part.
 *
 * Not here: comparing versions, looking at locks (the core does it, in turn order of the context).
 */
import { ServiceError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";

const VERSION_TAG = /^"(0|[1-9]\d{0,14})"$/;
const LOCK_TOKENS = /^[1-9]\d{0,14}(?:[ \t]*,[ \t]*[1-9]\d{0,14})*$/;
const IDEMPOTENCY_KEY = /^[\x21-\x7e]+$/;

export function etagOf(version: number): string {
  return `"${version}"`;
}

/** The version that If-Match demands; undefined for none and for `*`, which any context satisfies. @throws {ServiceError} INVALID_REQUEST */
export function ifMatch(headers: Headers): number | undefined {
  const header = headers.get("if-match");
  if (header === null || header === "*") return undefined;
  const [, version] = VERSION_TAG.exec(header) ?? [];
  if (version === undefined) {
    throw new ServiceError(
      "INVALID_REQUEST",
      'The If-Match header must be one version as a strong tag, such as "7" in quotes, or *.',
    );
  }
  return Number(version);
}

/** True when the client's copy is current (RFC 9110 §13.1.2: weak comparison, lists allowed). */
export function isNotModified(headers: Headers, version: number): boolean {
  const header = headers.get("if-none-match");
  if (header === null) return false;
  return header.split(",").some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === etagOf(version));
}

/** @throws {ServiceError} INVALID_REQUEST */
export function idempotencyKey(headers: Headers): string | undefined {
  const key = headers.get("idempotency-key");
  if (key === null) return undefined;
  if (key.length > LIMITS.idempotencyKeyCharsMax || !IDEMPOTENCY_KEY.test(key)) {
    throw new ServiceError(
      "INVALID_REQUEST",
      `The Idempotency-Key header must be 1 to ${LIMITS.idempotencyKeyCharsMax} visible ASCII characters, such as a UUID.`,
    );
  }
  return key;
}

/** The fencing tokens of `Lock-Token: 17, 18`, under which the request writes. @throws {ServiceError} INVALID_REQUEST */
export function lockTokensOf(headers: Headers): { readonly lockTokens?: readonly number[] } {
  const header = headers.get("lock-token");
  if (header === null) return {};
  if (!LOCK_TOKENS.test(header)) {
    throw new ServiceError(
      "INVALID_REQUEST",
      "The Lock-Token header must be fencing tokens of locks, such as 17, or several with commas between.",
    );
  }
  return { lockTokens: header.split(",").map(Number) };
}

/** A header that would change what the request means, sent where it does not apply, is refused instead of ignored. */
export function refuseHeader(headers: Headers, name: string, hint: string): void {
  if (headers.has(name)) throw new ServiceError("INVALID_REQUEST", `This request takes no ${name} header. ${hint}`);
}
