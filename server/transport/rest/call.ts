/**
 * What every handler is given and how it answers.
 *
 * Not here: the handlers (contexts.ts, changes.ts, history.ts, conflicts.ts, context-types.ts, locks.ts, webhooks.ts).
 */
import { parseContextId } from "../../../shared/ids.ts";
import type { ContextId } from "../../../shared/ids.ts";
import type { Clock } from "../../clock.ts";
import type { Caller, Service } from "../../context-service.ts";
import { etagOf, isNotModified } from "./preconditions.ts";

/** One request, identified and with its address taken apart. */
export interface Call {
  readonly request: Request;
  readonly caller: Caller;
  /** A variable of the address, decoded and not checked; "" when the address has none of this name. */
  readonly param: (name: string) => string;
  /** Ends the connection without an answer. */
  readonly cut: () => void;
  /** Counts an answer that stays open; what it returns counts it off, once. @throws {ServiceError} RATE_LIMITED */
  readonly hold: () => () => void;
}

/** What the handlers need. */
export interface RestParts {
  readonly service: Service;
  readonly clock: Clock;
  readonly onFeedError: (error: unknown) => void;
}

export type RestHandler = (parts: RestParts, call: Call) => Promise<Response>;

/** @throws {ServiceError} INVALID_REQUEST */
export function contextIdOf(call: Call): ContextId {
  return parseContextId(call.param("id"));
}

interface Extras {
  readonly status?: number;
  readonly headers?: Record<string, string>;
}

/** No `no-store`: clients may keep a copy and ask with If-None-Match. */
export function json(body: unknown, { status = 200, headers = {} }: Extras = {}): Response {
  const text = JSON.stringify(body);
  return new Response(text, {
    status,
    headers: {
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(text)),
      "cache-control": "private, no-cache",
      ...headers,
    },
  });
}

/** The answer to a read of a context: 304 when the client has this version. */
export function jsonAtVersion(request: Request, version: number, body: unknown): Response {
  const headers = { etag: etagOf(version) };
  return isNotModified(request.headers, version)
    ? new Response(null, { status: 304, headers })
    : json(body, { headers });
}

export function noContent(): Response {
  return new Response(null, { status: 204 });
}
