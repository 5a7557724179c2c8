/**
 * Requests of mcm.v1 sessions (frame 104): methods, their parameters and results.
 *
 * Not here: carrying them out (context-manager.ts).
 */
import { z } from "zod";
import { ServiceError } from "../../shared/errors.ts";
import type { Json } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { parsePath } from "../../shared/path.ts";
import { changeRequestSchema } from "../../shared/protocol/rest.ts";
import { lockRequestSchema, renewRequestSchema } from "../../shared/protocol/rest-locks.ts";
import type { ChangeRequest, LockRequest } from "../context-service.ts";

const changeParams = changeRequestSchema.extend({
  lockTokens: z.array(z.int().min(1)).max(LIMITS.locksMax).exactOptional(),
  idempotencyKey: z.string().min(1).max(LIMITS.idempotencyKeyCharsMax).exactOptional(),
});

const releaseParams = z.strictObject({
  yjsClientId: z
    .int()
    .min(1)
    .max(2 ** 32 - 1),
});

const lockIdParams = z.strictObject({ lockId: z.uuid() });

/** What a session needs to know of a lock that another session of its client took. */
const claim = { fencingToken: z.int().min(1).exactOptional(), paths: lockRequestSchema.shape.paths.exactOptional() };

const renewParams = lockIdParams.extend(renewRequestSchema.shape).extend(claim);

export type SessionRequest =
  | { readonly method: "ping" }
  | { readonly method: "change"; readonly change: ChangeRequest }
  | { readonly method: "lock"; readonly lock: LockRequest }
  /**
   * With token and paths the session's edits there are judged under the lock from here on: refused, if it is over, until it is
   * given back.
   */
  | {
      readonly method: "renew-lock";
      readonly lockId: string;
      readonly ttlMs?: number;
      readonly fencingToken?: number;
      readonly paths?: readonly string[];
    }
  | { readonly method: "unlock"; readonly lockId: string }
  /** The client will not write under this id of its any more, nor will anybody else who could. */
  | { readonly method: "release-client-id"; readonly yjsClientId: number };

/** @throws {ServiceError} INVALID_REQUEST */
export function parseSessionRequest(method: string, params: Json): SessionRequest {
  switch (method) {
    case "ping":
      return { method };
    case "change":
      return { method, change: changeOf(params) };
    case "lock":
      return { method, lock: withPaths(parse(method, lockRequestSchema, params)) };
    case "renew-lock":
      return { method, ...withPaths(parse(method, renewParams, params)) };
    case "unlock":
      return { method, ...parse(method, lockIdParams, params) };
    case "release-client-id":
      return { method, ...parse(method, releaseParams, params) };
    default:
      throw new ServiceError(
        "INVALID_REQUEST",
        `There is no method '${method.slice(0, 40)}'. Known methods are 'change', 'lock', 'renew-lock', 'unlock', 'release-client-id' and 'ping'.`,
      );
  }
}

function changeOf(params: Json): ChangeRequest {
  const { changes, ...rest } = parse("change", changeParams, params);
  return { ops: changes, ...rest };
}

/** @throws {ServiceError} INVALID_REQUEST when one of them is no path */
function withPaths<Params extends { readonly paths?: readonly string[] }>(params: Params): Params {
  for (const path of params.paths ?? []) parsePath(path);
  return params;
}

function parse<Params>(method: string, schema: z.ZodType<Params>, params: Json): Params {
  const parsed = schema.safeParse(params);
  if (parsed.success) return parsed.data;
  throw new ServiceError(
    "INVALID_REQUEST",
    `The parameters of '${method}' are not valid: ${z.prettifyError(parsed.error)}`,
  );
}
