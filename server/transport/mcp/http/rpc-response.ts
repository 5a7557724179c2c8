/**
 * Refusals before any handler has seen the request: a JSON-RPC error with the HTTP status of our error table.
 */
import { toServiceError } from "../../../../shared/errors.ts";
import { isJsonObject } from "../../../../shared/json.ts";
import type { Json } from "../../../../shared/json.ts";

const PARSE_ERROR = -32_700;
const INVALID_REQUEST = -32_600;
/** Of the range that the protocol leaves to servers. */
const SERVER_ERROR = -32_000;
const SESSION_NOT_FOUND = -32_001;

/** Of the request that is answered; null when it is not known. */
export type RpcId = string | number | null;

interface RpcError {
  readonly status: number;
  readonly code: number;
  readonly message: string;
  readonly id?: RpcId;
  readonly data?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

export function idOf(body: Json): RpcId {
  const id = isJsonObject(body) ? body["id"] : undefined;
  return typeof id === "string" || typeof id === "number" ? id : null;
}

function rpcError({ status, code, message, id = null, data, headers = {} }: RpcError): Response {
  const error = { code, message, ...(data === undefined ? {} : { data }) };
  return new Response(JSON.stringify({ jsonrpc: "2.0", error, id }), {
    status,
    headers: { "content-type": "application/json", "cache-control": "no-store", ...headers },
  });
}

type Extras = Pick<RpcError, "id" | "headers">;

export function refusedResponse(error: unknown, extras: Extras = {}): Response {
  return refused(error, toServiceError(error).status === 400 ? INVALID_REQUEST : SERVER_ERROR, extras);
}

export function unreadable(error: unknown): Response {
  return refused(error, PARSE_ERROR, {});
}

function refused(error: unknown, rpcCode: number, { id = null, headers = {} }: Extras): Response {
  const { code, message, status, retry, details } = toServiceError(error);
  return rpcError({
    status,
    id,
    code: rpcCode,
    message: `${code}: ${message}`,
    data: { code, retry, details },
    headers: { ...(status === 429 || status === 503 ? { "retry-after": "1" } : {}), ...headers },
  });
}

/** For a session that there is not, and for one of somebody else. */
export function unknownSession(): Response {
  return rpcError({
    status: 404,
    code: SESSION_NOT_FOUND,
    message: "Session not found. It ended, or the server started anew: initialize again.",
  });
}

export function methodNotAllowed(message: string): Response {
  return rpcError({ status: 405, code: SERVER_ERROR, message, headers: { allow: "POST" } });
}
