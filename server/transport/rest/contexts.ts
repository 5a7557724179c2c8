/**
 * The handlers of /v1/contexts and /v1/contexts/:id: from a checked request to one call of the facade and its view.
 *
 * Not here: routing, identity and errors (app.ts), the order of the steps of a use case (context-manager.ts).
 */
import { ServiceError } from "../../../shared/errors.ts";
import { parseContextId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { parsePath } from "../../../shared/path.ts";
import {
  changeRequestSchema,
  createRequestSchema,
  findQuerySchema,
  jsonPatchSchema,
  mergePatchSchema,
  noQuerySchema,
  readQuerySchema,
} from "../../../shared/protocol/rest.ts";
import type { ChangeRequest } from "../../../shared/protocol/rest.ts";
import { contextIdOf, json, jsonAtVersion, noContent } from "./call.ts";
import type { Call, RestHandler, RestParts } from "./call.ts";
import { etagOf, idempotencyKey, ifMatch, lockTokensOf, refuseHeader } from "./preconditions.ts";
import { mediaTypeOf, parseAs, parseQuery, readJson } from "./request.ts";
import { changeResult, contextList, contextView } from "./views.ts";

const CHANGE_MEDIA_TYPES = ["application/json", "application/json-patch+json", "application/merge-patch+json"] as const;

export const contextHandlers = { create, find, read, change, remove } satisfies Record<string, RestHandler>;

async function create({ service }: RestParts, { request, caller }: Call): Promise<Response> {
  parseQuery(noQuerySchema, request.url);
  refuseHeader(request.headers, "Idempotency-Key", "Give the context an id: a second try then answers ALREADY_EXISTS.");
  refuseHeader(request.headers, "Lock-Token", "Nobody has locks in a new context.");
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

async function find({ service }: RestParts, { request, caller }: Call): Promise<Response> {
  const { cursor, limit = LIMITS.listLimitDefault, include, ...filter } = parseQuery(findQuerySchema, request.url);
  const after = cursor === undefined ? {} : { after: parseContextId(cursor) };
  const withFigures = include === "figures";
  return json(contextList(await service.find(caller, { ...filter, limit, withFigures, ...after })));
}

async function read({ service }: RestParts, call: Call): Promise<Response> {
  const { request, caller } = call;
  const { path = "", ...options } = parseQuery(readQuerySchema, request.url);
  parsePath(path);
  const context = await service.read(caller, contextIdOf(call), { path, ...options });
  return jsonAtVersion(request, context.head.version, contextView(context));
}

async function change({ service }: RestParts, call: Call): Promise<Response> {
  const { request, caller } = call;
  const contextId = contextIdOf(call);
  parseQuery(noQuerySchema, request.url);
  const key = idempotencyKey(request.headers);
  const required = ifMatch(request.headers);
  const tokens = lockTokensOf(request.headers);
  const { changes: ops, message, ...body } = await changeRequestOf(request);
  const outcome = await service.change(caller, contextId, {
    ops,
    ...preconditionOf(required, body),
    ...tokens,
    ...(message === undefined ? {} : { message }),
    ...(key === undefined ? {} : { idempotencyKey: key }),
  });
  return json(changeResult(contextId, outcome), { headers: { etag: etagOf(outcome.version) } });
}

async function remove({ service }: RestParts, call: Call): Promise<Response> {
  const { request, caller } = call;
  parseQuery(noQuerySchema, request.url);
  refuseHeader(request.headers, "If-Match", "A context is deleted at whatever version it is.");
  refuseHeader(request.headers, "Lock-Token", "A context is deleted whoever has locks in it.");
  await service.delete(caller, contextIdOf(call));
  return noContent();
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

type Precondition = Pick<ChangeRequest, "ifVersion" | "ifVersionScope">;

/** An entity tag stands for the whole context (RFC 9110 §8.8), so If-Match asks for it as a whole unless the body says otherwise. */
function preconditionOf(required: number | undefined, { ifVersion, ifVersionScope }: Precondition): Precondition {
  if (required !== undefined && ifVersion !== undefined && required !== ifVersion) {
    throw new ServiceError("INVALID_REQUEST", "If-Match and ifVersion name different versions. Send one of them.");
  }
  const version = required ?? ifVersion;
  if (version !== undefined) {
    return { ifVersion: version, ifVersionScope: ifVersionScope ?? (required === undefined ? "paths" : "context") };
  }
  if (ifVersionScope === undefined) return {};
  throw new ServiceError(
    "INVALID_REQUEST",
    "ifVersionScope is there without a version. Send ifVersion or If-Match too.",
  );
}
