/**
 * The handlers of /v1/contexts: from a checked request to one call of the facade and its view.
 *
 * Not here: routing, identity and errors (app.ts), the order of the steps of a use case (context-manager.ts).
 */
import { ServiceError } from "../../../shared/errors.ts";
import { parseContextId } from "../../../shared/ids.ts";
import type { ContextId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { parsePath } from "../../../shared/path.ts";
import {
  changeRequestSchema,
  changesQuerySchema,
  createRequestSchema,
  findQuerySchema,
  jsonPatchSchema,
  mergePatchSchema,
  noQuerySchema,
  readQuerySchema,
} from "../../../shared/protocol/rest.ts";
import type { ChangeRequest } from "../../../shared/protocol/rest.ts";
import type { Clock } from "../../clock.ts";
import type { Caller, ContextService } from "../../context-service.ts";
import { eventFeed } from "./event-feed.ts";
import { etagOf, idempotencyKey, ifMatch, isNotModified, refuseHeader } from "./preconditions.ts";
import { mediaTypeOf, parseAs, parseQuery, readJson } from "./request.ts";
import { changeList, changeResult, contextList, contextView } from "./views.ts";

/** One request, identified and with its address taken apart. */
export interface Call {
  readonly request: Request;
  readonly caller: Caller;
  /** The address's `:id` as it came; "" for addresses without one. */
  readonly id: string;
  /** Ends the connection without an answer. */
  readonly cut: () => void;
}

/** What the handlers need. */
export interface ContextParts {
  readonly service: ContextService;
  readonly clock: Clock;
  readonly onFeedError: (error: unknown) => void;
}

const CHANGE_MEDIA_TYPES = ["application/json", "application/json-patch+json", "application/merge-patch+json"] as const;

export type ContextHandler = (parts: ContextParts, call: Call) => Promise<Response>;

export const contextHandlers = { create, find, read, change, remove, changes } satisfies Record<string, ContextHandler>;

async function create({ service }: ContextParts, { request, caller }: Call): Promise<Response> {
  parseQuery(noQuerySchema, request.url);
  refuseHeader(request.headers, "Idempotency-Key", "Give the context an id: a second try then answers ALREADY_EXISTS.");
  mediaTypeOf(request.headers, ["application/json"]);
  const { id, ...rest } = parseAs(createRequestSchema, await readJson(request), "body");
  const created = await service.create(caller, {
    ...rest,
    ...(id === undefined ? {} : { id: parseContextId(id) }),
  });
  const { version } = created.head;
  return json(contextView(created), {
    status: 201,
    headers: { location: `/v1/contexts/${created.meta.id}`, etag: etagOf(version) },
  });
}

async function find({ service }: ContextParts, { request, caller }: Call): Promise<Response> {
  const { cursor, limit = LIMITS.listLimitDefault, ...filter } = parseQuery(findQuerySchema, request.url);
  const after = cursor === undefined ? {} : { after: parseContextId(cursor) };
  return json(contextList(await service.find(caller, { ...filter, limit, ...after })));
}

async function read({ service }: ContextParts, { request, caller, id }: Call): Promise<Response> {
  const { path = "", ...options } = parseQuery(readQuerySchema, request.url);
  parsePath(path);
  const context = await service.read(caller, parseContextId(id), { path, ...options });
  const headers = { etag: etagOf(context.head.version) };
  if (isNotModified(request.headers, context.head.version)) return new Response(null, { status: 304, headers });
  return json(contextView(context), { headers });
}

async function change({ service }: ContextParts, { request, caller, id }: Call): Promise<Response> {
  const contextId = parseContextId(id);
  parseQuery(noQuerySchema, request.url);
  const key = idempotencyKey(request.headers);
  const required = ifMatch(request.headers);
  const { changes: ops, ...rest } = await changeRequestOf(request);
  if (required !== undefined && rest.ifVersion !== undefined && required !== rest.ifVersion) {
    throw new ServiceError("INVALID_REQUEST", "If-Match and ifVersion name different versions. Send one of them.");
  }
  const outcome = await service.change(caller, contextId, {
    ops,
    ...rest,
    ...(required === undefined ? {} : { ifVersion: required }),
    ...(key === undefined ? {} : { idempotencyKey: key }),
  });
  return json(changeResult(contextId, outcome), { headers: { etag: etagOf(outcome.version) } });
}

async function remove({ service }: ContextParts, { request, caller, id }: Call): Promise<Response> {
  parseQuery(noQuerySchema, request.url);
  refuseHeader(request.headers, "If-Match", "A context is deleted at whatever version it is.");
  await service.delete(caller, parseContextId(id));
  return new Response(null, { status: 204 });
}

async function changes({ service, clock, onFeedError }: ContextParts, call: Call): Promise<Response> {
  const { request, caller } = call;
  const id = parseContextId(call.id);
  const query = parseQuery(changesQuerySchema, request.url);
  parsePath(query.path ?? "");
  const filter = query.path === undefined ? {} : { path: query.path };
  if (request.method === "GET" && wantsEvents(request.headers)) {
    if (query.limit !== undefined)
      throw new ServiceError("INVALID_REQUEST", "A live feed has no end: leave out limit.");
    const since = await feedStart(service, call, { id, since: query.since });
    const follow = (signal: AbortSignal) => service.follow(caller, id, { since, signal, ...filter });
    return eventStream(eventFeed({ clock, since, follow, onError: onFeedError, cut: call.cut }));
  }
  const { since = 0, limit = LIMITS.listLimitDefault } = query;
  return json(changeList(await service.changes(caller, id, { since, limit, ...filter })), {
    headers: { vary: "accept" },
  });
}

/** The three ways to say a change, as one. */
async function changeRequestOf(request: Request): Promise<ChangeRequest> {
  const type = mediaTypeOf(request.headers, CHANGE_MEDIA_TYPES);
  const body = await readJson(request);
  switch (type) {
    case "application/json":
      return parseAs(changeRequestSchema, body, "body");
    case "application/json-patch+json":
      return { changes: parseAs(jsonPatchSchema, body, "body") };
    default: // application/merge-patch+json
      return { changes: [{ op: "merge", path: "", value: parseAs(mergePatchSchema, body, "body") }] };
  }
}

function wantsEvents(headers: Headers): boolean {
  const types = (headers.get("accept") ?? "").split(",").map((range) => range.split(";")[0]?.trim().toLowerCase());
  return types.includes("text/event-stream");
}

/**
 * The version a feed begins after: what the client saw last, else what it asks for, else the present one.
 * A version that the context has not reached is of another life of it: waiting would hide the changes until then.
 * @throws {ServiceError} CONTEXT_NOT_FOUND, INVALID_REQUEST, EPOCH_CHANGED
 */
async function feedStart(
  service: ContextService,
  { request, caller }: Call,
  { id, since }: { readonly id: ContextId; readonly since: number | undefined },
): Promise<number> {
  const lastEventId = request.headers.get("last-event-id");
  if (lastEventId !== null && !/^\d{1,15}$/.test(lastEventId)) {
    throw new ServiceError("INVALID_REQUEST", "The Last-Event-ID header must be a version, a whole number.");
  }
  const { head } = await service.read(caller, id, { path: "", depth: 1 });
  const start = lastEventId === null ? (since ?? head.version) : Number(lastEventId);
  if (start <= head.version) return start;
  throw new ServiceError(
    "EPOCH_CHANGED",
    `The context is at version ${head.version} and has no version ${start}: it was deleted and made again. Read it and follow from its version.`,
    { details: { currentVersion: head.version } },
  );
}

interface Extras {
  readonly status?: number;
  readonly headers?: Record<string, string>;
}

/** No `no-store`: clients may keep a copy and ask with If-None-Match. */
function json(body: unknown, { status = 200, headers = {} }: Extras = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json", "cache-control": "private, no-cache", ...headers },
  });
}

/** Proxies must pass events on at once: no buffering (X-Accel-Buffering, nginx), no transformation. */
function eventStream(body: ReadableStream<Uint8Array>): Response {
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
      vary: "accept",
    },
  });
}
