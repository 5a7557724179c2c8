/**
 * Requests of mcm.v1 sessions (frame 104): methods, their parameters and results.
 *
 * Not here: carrying them out (context-manager.ts).
 */
import { z } from "zod";
import { ServiceError } from "../../shared/errors.ts";
import type { Json } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { changeRequestSchema } from "../../shared/protocol/rest.ts";
import type { ChangeRequest } from "../context-service.ts";

const changeParams = changeRequestSchema.extend({
  idempotencyKey: z.string().min(1).max(LIMITS.idempotencyKeyCharsMax).exactOptional(),
});

const releaseParams = z.strictObject({
  yjsClientId: z
    .int()
    .min(1)
    .max(2 ** 32 - 1),
});

export type SessionRequest =
  | { readonly method: "ping" }
  | { readonly method: "change"; readonly change: ChangeRequest }
  /** The client will not write under this id of its any more, nor will anybody else who could. */
  | { readonly method: "release-client-id"; readonly yjsClientId: number };

/** @throws {ServiceError} INVALID_REQUEST */
export function parseSessionRequest(method: string, params: Json): SessionRequest {
  switch (method) {
    case "ping":
      return { method };
    case "change":
      return { method, change: changeOf(params) };
    case "release-client-id":
      return { method, ...parse(method, releaseParams, params) };
    default:
      throw new ServiceError(
        "INVALID_REQUEST",
        `There is no method '${method.slice(0, 40)}'. Known methods are 'change', 'release-client-id' and 'ping'.`,
      );
  }
}

function changeOf(params: Json): ChangeRequest {
  const { changes, ...rest } = parse("change", changeParams, params);
  return { ops: changes, ...rest };
}

function parse<Params>(method: string, schema: z.ZodType<Params>, params: Json): Params {
  const parsed = schema.safeParse(params);
  if (parsed.success) return parsed.data;
  throw new ServiceError(
    "INVALID_REQUEST",
    `The parameters of '${method}' are not valid: ${z.prettifyError(parsed.error)}`,
  );
}
