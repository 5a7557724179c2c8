/** Why a write was refused, as it is counted: the code and, within it, the rule. */
import type { ErrorCode, ServiceError } from "../../shared/errors.ts";

export function whyOf({ code, details }: ServiceError): { readonly code: ErrorCode; readonly rule?: string } {
  const { rule } = details;
  return typeof rule === "string" ? { code, rule } : { code };
}
