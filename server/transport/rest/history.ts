/**
 * The handlers of a context's past: diff, restore, undo, blame, checkpoints, compact.
 *
 * Not here: the list of changes (changes.ts), how anything is worked out (the facade's `history`).
 */
import type { z } from "zod";
import { parseActor } from "../../../shared/ids.ts";
import { parsePath } from "../../../shared/path.ts";
import {
  blameQuerySchema,
  checkpointNameSchema,
  checkpointRequestSchema,
  compactRequestSchema,
  diffQuerySchema,
  restoreRequestSchema,
  undoRequestSchema,
} from "../../../shared/protocol/rest-history.ts";
import { noQuerySchema } from "../../../shared/protocol/rest.ts";
import type { ContextService, RevertOutcome } from "../../context-service.ts";
import { contextIdOf, json, jsonAtVersion, noContent } from "./call.ts";
import type { Call, RestHandler, RestParts } from "./call.ts";
import { blameView, checkpointView, diffView, revertResult } from "./history-views.ts";
import { etagOf, lockTokensOf } from "./preconditions.ts";
import { parseAs, parseQuery, readBody, readWriteBody } from "./request.ts";

export const historyHandlers = {
  diff,
  restore,
  undo,
  blame,
  listCheckpoints,
  nameCheckpoint,
  forgetCheckpoint,
  compact,
} satisfies Record<string, RestHandler>;

async function diff({ service }: RestParts, call: Call): Promise<Response> {
  const id = contextIdOf(call);
  const { path = "", ...range } = parseQuery(diffQuerySchema, call.request.url);
  parsePath(path);
  return json(diffView(await service.history.diff(call.caller, id, { ...range, path })));
}

async function restore({ service }: RestParts, call: Call): Promise<Response> {
  const id = contextIdOf(call);
  const { path = "", ...request } = await writeOf(restoreRequestSchema, call);
  parsePath(path);
  return reverted(await service.history.restore(call.caller, id, { ...request, path }));
}

async function undo({ service }: RestParts, call: Call): Promise<Response> {
  const id = contextIdOf(call);
  const { actor, to, ...request } = await writeOf(undoRequestSchema, call);
  if (request.path !== undefined) parsePath(request.path);
  const whose = parseActor(actor);
  const end = to ?? (await presentEnd(service, call, request.from));
  return reverted(await service.history.undo(call.caller, id, { ...request, actor: whose, to: end }));
}

/** Beyond `from` in any case: when nothing happened since, there is nothing to undo, and no wrong range. */
async function presentEnd(service: ContextService, call: Call, from: number): Promise<number> {
  const { head } = await service.read(call.caller, contextIdOf(call), { path: "", depth: 1 });
  return Math.max(head.version, from + 1);
}

function reverted(outcome: RevertOutcome): Response {
  return json(revertResult(outcome), { headers: { etag: etagOf(outcome.version) } });
}

async function blame({ service }: RestParts, call: Call): Promise<Response> {
  const id = contextIdOf(call);
  const { path = "" } = parseQuery(blameQuerySchema, call.request.url);
  parsePath(path);
  const found = await service.history.blame(call.caller, id, { path });
  return jsonAtVersion(call.request, found.version, blameView(found));
}

async function listCheckpoints({ service }: RestParts, call: Call): Promise<Response> {
  parseQuery(noQuerySchema, call.request.url);
  const checkpoints = await service.history.checkpoints(call.caller, contextIdOf(call));
  return json({ checkpoints: checkpoints.map(checkpointView) });
}

async function nameCheckpoint({ service }: RestParts, call: Call): Promise<Response> {
  const id = contextIdOf(call);
  const request = await bodyOf(checkpointRequestSchema, call);
  return json(checkpointView(await service.history.nameCheckpoint(call.caller, id, request)), { status: 201 });
}

async function forgetCheckpoint({ service }: RestParts, call: Call): Promise<Response> {
  const id = contextIdOf(call);
  parseQuery(noQuerySchema, call.request.url);
  const name = parseAs(checkpointNameSchema, call.param("name"), "address");
  await service.history.forgetCheckpoint(call.caller, id, name);
  return noContent();
}

async function compact({ service }: RestParts, call: Call): Promise<Response> {
  const id = contextIdOf(call);
  await bodyOf(compactRequestSchema, call);
  const outcome = await service.history.compact(call.caller, id);
  return json(outcome, { headers: { etag: etagOf(outcome.version) } });
}

async function writeOf<Schema extends z.ZodObject>(schema: Schema, { request }: Call) {
  parseQuery(noQuerySchema, request.url);
  const tokens = lockTokensOf(request.headers);
  return { ...(await readWriteBody(schema, request)), ...tokens };
}

function bodyOf<Schema extends z.ZodType>(schema: Schema, { request }: Call): Promise<z.output<Schema>> {
  parseQuery(noQuerySchema, request.url);
  return readBody(schema, request);
}
