/**
 * The handlers of /v1/types.
 *
 * Not here: what a schema may hold and how contexts are checked (the facade's `types`).
 */
import { noQuerySchema } from "../../../shared/protocol/rest.ts";
import { typeNameSchema, typeQuerySchema, typeRequestSchema } from "../../../shared/protocol/rest-types.ts";
import type { Caller, ContextService } from "../../context-service.ts";
import { json, noContent } from "./call.ts";
import type { Call, RestHandler, RestParts } from "./call.ts";
import { refuseHeader } from "./preconditions.ts";
import { parseAs, parseQuery, readBody } from "./request.ts";
import { typeResult, typeView } from "./type-views.ts";

export const typeHandlers = { list, read, register, remove } satisfies Record<string, RestHandler>;

async function list({ service }: RestParts, { request, caller }: Call): Promise<Response> {
  parseQuery(noQuerySchema, request.url);
  return json({ types: (await service.types.list(caller)).map(typeView) });
}

async function read({ service }: RestParts, call: Call): Promise<Response> {
  parseQuery(noQuerySchema, call.request.url);
  return json(typeView(await service.types.get(call.caller, nameOf(call))));
}

async function register({ service }: RestParts, call: Call): Promise<Response> {
  const { caller } = call;
  const name = nameOf(call);
  const { dryRun = false } = parseQuery(typeQuerySchema, call.request.url);
  const { schema } = await readBody(typeRequestSchema, call.request);
  const isNew = !dryRun && !(await isRegistered(service, caller, name));
  const outcome = await service.types.put(caller, name, { schema, dryRun });
  return json(typeResult(outcome), { status: isNew ? 201 : 200 });
}

async function isRegistered(service: ContextService, caller: Caller, name: string): Promise<boolean> {
  return (await service.types.list(caller)).some((type) => type.name === name);
}

async function remove({ service }: RestParts, call: Call): Promise<Response> {
  const name = nameOf(call);
  parseQuery(noQuerySchema, call.request.url);
  refuseHeader(call.request.headers, "If-Match", "A type is deleted at whatever revision it is.");
  await service.types.delete(call.caller, name);
  return noContent();
}

function nameOf(call: Call): string {
  return parseAs(typeNameSchema, call.param("name"), "address");
}
