/** Why a write was refused: as it is counted, and when the context itself is the reason. */
import { ServiceError } from "../../shared/errors.ts";
import type { ErrorCode } from "../../shared/errors.ts";

export function whyOf({ code, details }: ServiceError): { readonly code: ErrorCode; readonly rule?: string } {
  const { rule } = details;
  return typeof rule === "string" ? { code, rule } : { code };
}

/** What is in memory of a context is not what its log says: it is forgotten, and whoever comes next loads it. */
export function reloading(cause?: unknown): ServiceError {
  const message = "The context is being loaded again. Send the change once more in a moment.";
  return new ServiceError("STORE_UNAVAILABLE", message, { cause });
}
