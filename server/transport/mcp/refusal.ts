/**
 * A refusal as the result of a tool: the code of the error table, what happened, and which tool helps.
 *
 *     VERSION_CONFLICT: bob changed /title at version 8, after version 7. … context_changes says what changed since.
 *
 * No structured content: hosts hold it to the tool's output schema, also when the call failed.
 *
 * Not here: which error when.
 */
import type { CallToolResult } from "@modelcontextprotocol/server";
import { toServiceError } from "../../../shared/errors.ts";
import type { ErrorCode } from "../../../shared/errors.ts";

/** Where programs find code, retry and details. */
export const ERROR_META = "mcp-context-manager/error";

/** Details beyond it are for programs only. */
const DETAILS_CHARS_MAX = 4000;

/** Which tool goes on from here. */
const NEXT: Readonly<Partial<Record<ErrorCode, string>>> = {
  CONTEXT_NOT_FOUND: "context_find lists the contexts that you can read; context_create makes one.",
  ALREADY_EXISTS: 'With if_exists:"return" context_create gives you the one that exists.',
  VERSION_CONFLICT: "context_changes with your version as since_version says what changed.",
  VERSION_NOT_FOUND: "context_history lists the versions; context_read gives the present one.",
  EPOCH_CHANGED: "context_read gives the present version.",
  PATH_NOT_FOUND: "context_read of the path above, with depth 1, lists what is there.",
  TEST_FAILED: "context_read of the path gives the present value.",
  TEXT_NOT_FOUND: "context_read of the path gives the text; quote from it exactly.",
  TEXT_AMBIGUOUS: "Quote more of the text around the passage.",
  LOCKED:
    "context_lock with wait_seconds waits for it. If the lock is yours, pass its lock_token; context_status tells it.",
  FENCE_STALE: "context_lock takes it anew; context_status lists what you hold.",
  LOCK_NOT_FOUND: "context_status lists what you hold.",
  IDEMPOTENCY_KEY_REUSED: "Leave idempotency_key out, or make up a new one.",
};

export function refusalOf(error: unknown): CallToolResult {
  const { code, message, retry, details } = toServiceError(error);
  const facts = JSON.stringify(details);
  const next = NEXT[code];
  const text = [
    `${code}: ${message}`,
    ...(next === undefined ? [] : [next]),
    ...(facts === "{}" || facts.length > DETAILS_CHARS_MAX ? [] : [`Details: ${facts}`]),
  ].join(" ");
  return { isError: true, content: [{ type: "text", text }], _meta: { [ERROR_META]: { code, retry, details } } };
}
