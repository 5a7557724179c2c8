/**
 * The handlers of a context's conflicts.
 *
 * Not here: what a conflict is and how it is resolved (the facade's `conflicts`).
 */
import { LIMITS } from "../../../shared/limits.ts";
import { parsePath } from "../../../shared/path.ts";
import {
  conflictIdSchema,
  conflictsQuerySchema,
  resolveRequestSchema,
} from "../../../shared/protocol/rest-conflicts.ts";
import { noQuerySchema } from "../../../shared/protocol/rest.ts";
import { contextIdOf, json } from "./call.ts";
import type { Call, RestHandler, RestParts } from "./call.ts";
import { conflictList, resolveResult } from "./conflict-views.ts";
import { etagOf, lockTokensOf } from "./preconditions.ts";
import { parseAs, parseQuery, readWriteBody } from "./request.ts";

export const conflictHandlers = { list, resolve } satisfies Record<string, RestHandler>;

async function list({ service }: RestParts, call: Call): Promise<Response> {
  const id = contextIdOf(call);
  const { cursor, limit = LIMITS.listLimitDefault, ...filter } = parseQuery(conflictsQuerySchema, call.request.url);
  if (filter.path !== undefined) parsePath(filter.path);
  const after = cursor === undefined ? {} : { after: cursor };
  return json(conflictList(await service.conflicts.list(call.caller, id, { ...filter, ...after, limit })));
}

async function resolve({ service }: RestParts, call: Call): Promise<Response> {
  const id = contextIdOf(call);
  parseQuery(noQuerySchema, call.request.url);
  const conflictId = parseAs(conflictIdSchema, call.param("conflictId"), "address");
  const tokens = lockTokensOf(call.request.headers);
  const { take, changes = [], ...rest } = await readWriteBody(resolveRequestSchema, call.request);
  const request = { conflictId, take: take ?? changes, ...rest, ...tokens };
  const outcome = await service.conflicts.resolve(call.caller, id, request);
  return json(resolveResult(outcome), { headers: { etag: etagOf(outcome.version) } });
}
