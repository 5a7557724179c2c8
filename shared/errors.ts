/**
 * The one table of errors: every refusal on every surface (WebSocket, REST, MCP, CLI, SDK) is a row of it.
 *
 * Invariants (ERR):
 *  1. A code means the same everywhere; its HTTP status and WebSocket close code are fixed here and nowhere else.
 *  2. `retry` tells a program what to do: "never" (the same request fails again), "changed" (after looking at the
 *     current state and changing the request), "later" (the same request, after a pause).
 *  3. A message says what happened and what to do next; it never holds content of a context or a token.
 *
 * Close codes: 44xx are terminal for y-websocket clients, 45xx make them reconnect (docs/yjs.md Y15).
 */

export type Retry = "never" | "changed" | "later";

interface ErrorRow {
  /** HTTP status (RFC 9110). */
  readonly status: number;
  /** WebSocket close code used when the error ends a session. */
  readonly closeCode: number;
  readonly retry: Retry;
  /** One sentence for the reference page. */
  readonly meaning: string;
}

export const ERRORS = {
  INVALID_REQUEST: {
    status: 400,
    closeCode: 4400,
    retry: "never",
    meaning: "The request is not of the documented form.",
  },
  MALFORMED_FRAME: {
    status: 400,
    closeCode: 4400,
    retry: "never",
    meaning: "A WebSocket message is not of the documented grammar.",
  },
  MALFORMED_UPDATE: {
    status: 400,
    closeCode: 4400,
    retry: "never",
    meaning: "A Yjs update is damaged, refers to unknown content, or breaks a structural limit.",
  },
  UNAUTHENTICATED: {
    status: 401,
    closeCode: 4401,
    retry: "changed",
    meaning: "No valid identity came with the request.",
  },
  FORBIDDEN: { status: 403, closeCode: 4403, retry: "never", meaning: "The actor may not do this here." },
  CLIENT_ID_TAKEN: {
    status: 403,
    closeCode: 4403,
    retry: "never",
    meaning: "An update writes under a Yjs client id that belongs to another actor.",
  },
  NOT_FOUND: { status: 404, closeCode: 4404, retry: "never", meaning: "There is no such address on this server." },
  CONTEXT_NOT_FOUND: {
    status: 404,
    closeCode: 4404,
    retry: "never",
    meaning: "The context does not exist, or the actor may not read it.",
  },
  VERSION_NOT_FOUND: {
    status: 404,
    closeCode: 4404,
    retry: "changed",
    meaning: "The context has no such version yet, or its history does not keep it any more.",
  },
  CHECKPOINT_NOT_FOUND: {
    status: 404,
    closeCode: 4404,
    retry: "never",
    meaning: "The context has no checkpoint of this name.",
  },
  CONFLICT_NOT_FOUND: {
    status: 404,
    closeCode: 4404,
    retry: "never",
    meaning: "The context has no conflict with this id.",
  },
  LOCK_NOT_FOUND: {
    status: 404,
    closeCode: 4404,
    retry: "changed",
    meaning: "The context has no lock with this id: it was released, or its time is over.",
  },
  TYPE_NOT_FOUND: { status: 404, closeCode: 4404, retry: "never", meaning: "No type of this name is registered." },
  WEBHOOK_NOT_FOUND: {
    status: 404,
    closeCode: 4404,
    retry: "never",
    meaning: "There is no webhook, or no dead letter of it, with this id.",
  },
  SESSION_NOT_FOUND: {
    status: 404,
    closeCode: 4404,
    retry: "never",
    meaning: "There is no live session with this id: it ended, or never was.",
  },
  METHOD_NOT_ALLOWED: {
    status: 405,
    closeCode: 4400,
    retry: "never",
    meaning: "The address exists but not for this method.",
  },
  ALREADY_EXISTS: { status: 409, closeCode: 4400, retry: "changed", meaning: "A context with this id exists." },
  EPOCH_CHANGED: {
    status: 409,
    closeCode: 4409,
    retry: "changed",
    meaning: "The context was recreated; the replica belongs to an older epoch.",
  },
  FENCE_STALE: {
    status: 409,
    closeCode: 4403,
    retry: "changed",
    meaning: "The lock that the token stands for is not the writer's, or not any more.",
  },
  CONFLICT_RESOLVED: {
    status: 409,
    closeCode: 4400,
    retry: "never",
    meaning: "The conflict was resolved already.",
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 409,
    closeCode: 4400,
    retry: "changed",
    meaning: "The idempotency key was used for a different request.",
  },
  VERSION_CONFLICT: {
    status: 412,
    closeCode: 4400,
    retry: "changed",
    meaning:
      "What the write touches, or the whole context if so asked, changed since the version that the write names.",
  },
  TOO_LARGE: {
    status: 413,
    closeCode: 4413,
    retry: "changed",
    meaning: "The request, frame or value is larger than its limit.",
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    closeCode: 4400,
    retry: "changed",
    meaning: "The body's media type is not one the operation reads.",
  },
  SESSION_ELSEWHERE: {
    status: 421,
    closeCode: 4404,
    retry: "changed",
    meaning: "The live session is at another node, and what was asked of it is told there only.",
  },
  INVALID_CHANGE: {
    status: 422,
    closeCode: 4400,
    retry: "changed",
    meaning: "A JSON change does not fit the data it is applied to.",
  },
  PATH_NOT_FOUND: { status: 422, closeCode: 4400, retry: "changed", meaning: "A path names nothing in the context." },
  TEST_FAILED: { status: 422, closeCode: 4400, retry: "changed", meaning: "A test operation found another value." },
  TEXT_NOT_FOUND: {
    status: 422,
    closeCode: 4400,
    retry: "changed",
    meaning: "The passage to edit does not occur in the text.",
  },
  TEXT_AMBIGUOUS: {
    status: 422,
    closeCode: 4400,
    retry: "changed",
    meaning: "The passage to edit occurs more than once.",
  },
  INVALID_SCHEMA: {
    status: 422,
    closeCode: 4400,
    retry: "changed",
    meaning: "What was given as a JSON Schema is none, or uses what is not supported.",
  },
  SCHEMA_VIOLATION: {
    status: 422,
    closeCode: 4403,
    retry: "changed",
    meaning: "The result would break the schema of the context's type.",
  },
  TARGET_REFUSED: {
    status: 422,
    closeCode: 4400,
    retry: "changed",
    meaning: "The address is not one that this server sends requests to.",
  },
  LOCKED: { status: 423, closeCode: 4403, retry: "later", meaning: "Somebody holds a lock that covers the path." },
  RATE_LIMITED: { status: 429, closeCode: 4429, retry: "later", meaning: "Too many requests in a short time." },
  INTERNAL: { status: 500, closeCode: 4503, retry: "later", meaning: "The server failed; nothing was changed." },
  STORE_UNAVAILABLE: {
    status: 503,
    closeCode: 4503,
    retry: "later",
    meaning: "The log cannot be written or read now; nothing was acknowledged.",
  },
  IDENTITY_UNAVAILABLE: {
    status: 503,
    closeCode: 4503,
    retry: "later",
    meaning: "Tokens cannot be checked now: the identity provider's keys are not to be had.",
  },
  SHUTTING_DOWN: { status: 503, closeCode: 4503, retry: "later", meaning: "The server is stopping." },
  SESSION_CLOSED: {
    status: 503,
    closeCode: 4503,
    retry: "later",
    meaning: "An admin of the server closed the session; its client may connect again.",
  },
  SLOW_CONSUMER: {
    status: 503,
    closeCode: 4504,
    retry: "later",
    meaning: "The session did not read what it was sent.",
  },
  LIMIT_EXCEEDED: {
    status: 507,
    closeCode: 4413,
    retry: "changed",
    meaning: "A limit of the context or the server would be passed.",
  },
  DATA_DIR_LOCKED: {
    status: 503,
    closeCode: 4503,
    retry: "later",
    meaning: "Another server has the data folder open.",
  },
  DATA_DAMAGED: {
    status: 503,
    closeCode: 4503,
    retry: "never",
    meaning: "The data folder cannot be read; see the file it names.",
  },
  DATA_FORMAT_NEWER: {
    status: 503,
    closeCode: 4503,
    retry: "never",
    meaning: "The data folder was written by a newer release.",
  },
  UNREACHABLE: { status: 503, closeCode: 4503, retry: "later", meaning: "The SDK or CLI could not reach the server." },
  CLOSED: { status: 503, closeCode: 4503, retry: "never", meaning: "The SDK object was closed by its owner." },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/**
 * Machine-readable facts that go with an error, such as `currentVersion` or `limitBytes`. Never tokens; no content but for
 * the present value in VERSION_CONFLICT, so these are for the caller and not for logs.
 */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** The only error that crosses a module boundary on purpose. */
export class ServiceError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: { details?: ErrorDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "ServiceError";
    this.code = code;
    this.details = options.details ?? {};
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get closeCode(): number {
    return ERRORS[this.code].closeCode;
  }

  /** Text of a WebSocket close frame, which holds 123 bytes and no more: code and message, ASCII, cut. */
  get closeReason(): string {
    return `${this.code}: ${this.message}`.slice(0, 120).replaceAll(/[^\x20-\x7e]/g, "?");
  }

  get retry(): Retry {
    return ERRORS[this.code].retry;
  }
}

export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === "string" && Object.hasOwn(ERRORS, text);
}

/** Our own failures must not look like the caller's: anything unexpected becomes INTERNAL with the cause kept. */
export function toServiceError(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  return new ServiceError(
    "INTERNAL",
    "The server failed on this request and changed nothing. Try again; if it stays, look at the server's log.",
    { cause: error },
  );
}
