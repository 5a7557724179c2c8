/** What went wrong, in a sentence for people: whatever is thrown, as one shape. */
import { ServiceError } from "../../../shared/errors.ts";
import type { ErrorCode } from "../../../shared/errors.ts";

export interface Problem {
  readonly code: ErrorCode | "UNKNOWN";
  readonly text: string;
}

export function problemOf(error: unknown): Problem {
  if (error instanceof ServiceError) return { code: error.code, text: error.message };
  return { code: "UNKNOWN", text: error instanceof Error ? error.message : String(error) };
}
