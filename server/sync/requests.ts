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
  idempotencyKey: z.string().min(1).max(LIMITS.idempotencyKeyCharsMax).optional(),
});

export type SessionRequest =
  | { readonly method: "ping" }
  | { readonly method: "change"; readonly change: ChangeRequest };

/** @throws {ServiceError} INVALID_REQUEST */
export function parseSessionRequest(method: string, params: Json): SessionRequest {
  if (method === "ping") return { method };
  if (method !== "change") {
    throw new ServiceError(
      "INVALID_REQUEST",
      `There is no method '${method.slice(0, 40)}'. Known methods are 'change' and 'ping'.`,
    );
  }
  const parsed = changeParams.safeParse(params);
  if (!parsed.success) {
    throw new ServiceError(
      "INVALID_REQUEST",
      `The parameters of 'change' are not valid: ${z.prettifyError(parsed.error)}`,
    );
  }
  const { changes, ifVersion, message, idempotencyKey } = parsed.data;
  return {
    method,
    change: {
      ops: changes,
      ...(ifVersion === undefined ? {} : { ifVersion }),
      ...(message === undefined ? {} : { message }),
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    },
  };
}
