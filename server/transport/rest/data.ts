/**
 * The handlers of exports, imports and backups.
 *
 * Not here: what is exported, and how an import is judged (the facade's `data`).
 */
import type { z } from "zod";
import { ServiceError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import {
  backupRequestSchema,
  exportQuerySchema,
  importBodySchema,
  importQuerySchema,
} from "../../../shared/protocol/rest-data.ts";
import { noQuerySchema } from "../../../shared/protocol/rest.ts";
import { joinUpdates, UPDATE_LIST_TYPE } from "../../../shared/protocol/update-list.ts";
import type { ImportContent, ImportOutcome, ImportRequest } from "../../context-service.ts";
import { backupBody } from "./backup-body.ts";
import { contextIdOf, json } from "./call.ts";
import type { Call, RestHandler, RestParts } from "./call.ts";
import { contextFile, importResult } from "./data-views.ts";
import { etagOf, refuseHeader } from "./preconditions.ts";
import { mediaTypeOf, parseAs, parseQuery, readBody, readBytes, readJson } from "./request.ts";

const BINARY_TYPE = "application/octet-stream";

/** XML has some levels of JSON for each of its own. */
const IMPORT_NESTING_MAX = 4 * LIMITS.depthMax;

export const dataHandlers = { exportOne, importOne, backup } satisfies Record<string, RestHandler>;

async function exportOne({ service }: RestParts, call: Call): Promise<Response> {
  const id = contextIdOf(call);
  const { format = "json" } = parseQuery(exportQuerySchema, call.request.url);
  if (format === "json") {
    const exported = await service.data.exportJson(call.caller, id);
    return json(contextFile(exported), { headers: { etag: etagOf(exported.head.version) } });
  }
  const { version, update } = await service.data.exportYjs(call.caller, id, format === "yjs" ? 1 : 2);
  return new Response(Buffer.from(update), {
    headers: { "content-type": BINARY_TYPE, "cache-control": "private, no-cache", etag: etagOf(version) },
  });
}

async function importOne({ service }: RestParts, call: Call): Promise<Response> {
  const { request, caller } = call;
  const id = contextIdOf(call);
  const { replace, ...described } = parseQuery(importQuerySchema, request.url);
  refuseHeader(request.headers, "If-Match", "A context is made anew, or replaced at whatever version it is.");
  refuseHeader(request.headers, "Idempotency-Key", "A second try without 'replace' answers ALREADY_EXISTS.");
  refuseHeader(request.headers, "Lock-Token", "Nobody has locks in a new context.");
  const type = mediaTypeOf(request.headers, ["application/json", BINARY_TYPE, UPDATE_LIST_TYPE]);
  const wanted = { id, ...(replace === undefined ? {} : { replace }) };
  if (type === "application/json") {
    if (Object.values(described).some((value) => value !== undefined))
      throw new ServiceError("INVALID_REQUEST", "Say name, description, type and tags in the JSON itself.");
    const { data, roots = {}, ...file } = await jsonOf(request);
    const content = async (): Promise<ImportContent> => ({ kind: "json", data, roots });
    return imported(await service.data.import(caller, { ...wanted, ...metaOf(file), content }));
  }
  const content = async (): Promise<ImportContent> => {
    const body = await readBytes(request, LIMITS.importBytesMax);
    return { kind: "updates", list: type === UPDATE_LIST_TYPE ? body : joinUpdates([body]) };
  };
  return imported(await service.data.import(caller, { ...wanted, ...metaOf(described), content }));
}

async function backup({ service, clock, onFeedError }: RestParts, call: Call): Promise<Response> {
  parseQuery(noQuerySchema, call.request.url);
  await readBody(backupRequestSchema, call.request);
  const body = backupBody({ clock, cut: call.cut, onError: onFeedError });
  // what is refused before the first piece is an answer like any other
  await body.begin(service.data.backup(call.caller, body.write));
  return new Response(body.stream, {
    headers: { "content-type": "application/vnd.mcm.backup", "cache-control": "no-store, no-transform" },
  });
}

async function jsonOf(request: Request): Promise<z.output<typeof importBodySchema>> {
  const limits = { bytesMax: LIMITS.importJsonBytesMax, nestingMax: IMPORT_NESTING_MAX };
  return parseAs(importBodySchema, await readJson(request, limits), "body");
}

type Described = Pick<ImportRequest, "type" | "name" | "description" | "tags">;

function metaOf({ type, name, description, tags }: { readonly [Key in keyof Described]: Described[Key] | undefined }) {
  return {
    ...(type === undefined ? {} : { type }),
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(tags === undefined ? {} : { tags }),
  };
}

function imported(outcome: ImportOutcome): Response {
  return json(importResult(outcome), {
    status: 201,
    headers: { location: `/v1/contexts/${outcome.meta.id}`, etag: etagOf(outcome.head.version) },
  });
}
