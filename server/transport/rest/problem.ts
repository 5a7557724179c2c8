/**
 * Errors as RFC 9457 problem+json: our code, what it means for a retry, its facts, and the id under which the log has it.
 *
 * Invariants (REST-15):
 *  1. Only a ServiceError's own message and details go out; anything else is INTERNAL with a fixed sentence.
 *
 * Not here: which error when.
 */
import { STATUS_CODES } from "node:http";
import { ServiceError, toServiceError } from "../../../shared/errors.ts";
import type { Problem } from "../../../shared/protocol/rest.ts";
import { retryAfterS } from "../gate.ts";

/** Seconds after which a client that was told "later" may ask again, unless the refusal knows better. */
const RETRY_AFTER_S = 1;

/** The type is about:blank (RFC 9457 §4.2.1): `code` says more than an address could. */
export function problemOf(error: unknown, requestId?: string): Problem {
  const { code, status, message, retry, details } = toServiceError(error);
  return {
    type: "about:blank",
    title: STATUS_CODES[status] ?? "Error",
    status,
    detail: message,
    code,
    retry,
    ...(Object.keys(details).length === 0 ? {} : { details: { ...details } }),
    ...(requestId === undefined ? {} : { requestId }),
  };
}

export function problemResponse(error: unknown, requestId?: string): Response {
  const problem = problemOf(error, requestId);
  const retryAfter = (error instanceof ServiceError ? retryAfterS(error) : undefined) ?? RETRY_AFTER_S;
  const isRetryable = problem.status === 429 || problem.status === 503;
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      // RFC 6750 §3: what kind of proof is wanted, and whether one was there
      ...(problem.status === 401 ? { "www-authenticate": challengeOf(problem) } : {}),
      ...(isRetryable && problem.retry === "later" ? { "retry-after": String(retryAfter) } : {}),
    },
  });
}

function challengeOf({ details }: Problem): string {
  return details?.["rule"] === "missing" ? "Bearer" : 'Bearer error="invalid_token"';
}
