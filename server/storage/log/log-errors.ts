/** What the log says when it refuses, beside damage (record.ts). */
import { ServiceError } from "../../../shared/errors.ts";
import type { ContextId } from "../../../shared/ids.ts";

/** Whatever the store threw that is not a ServiceError already. */
export function unavailable(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  return new ServiceError("STORE_UNAVAILABLE", "The log cannot be read or opened now. Try again in a moment.", {
    cause: error,
  });
}

export function closed(): ServiceError {
  return new ServiceError("STORE_UNAVAILABLE", "The log is closed. Try again when the server is ready.");
}

export function alreadyExists(contextId: ContextId): ServiceError {
  const message = `There is a context "${contextId}" already. Open it, or choose another id.`;
  return new ServiceError("ALREADY_EXISTS", message);
}

export function overloaded(limitBytes: number): ServiceError {
  const message = "Too many changes wait for the disk. Nothing was written: try again in a moment.";
  return new ServiceError("STORE_UNAVAILABLE", message, { details: { limitBytes } });
}

export function refusedBefore(contextId: ContextId): ServiceError {
  return new ServiceError(
    "STORE_UNAVAILABLE",
    `An earlier change to "${contextId}" was refused; load the context and try again.`,
  );
}
