/**
 * The handlers of /v1/webhooks.
 *
 * Not here: what a target may be and how it is told (server/webhooks, server/outbound).
 */
import { parsePath } from "../../../shared/path.ts";
import {
  emptyRequestSchema,
  redeliverRequestSchema,
  webhookPatchSchema,
  webhookRequestSchema,
} from "../../../shared/protocol/rest-webhooks.ts";
import { noQuerySchema } from "../../../shared/protocol/rest.ts";
import type { WebhookStatus } from "../../../shared/webhook.ts";
import type { WebhookService } from "../../context-service.ts";
import { json, noContent } from "./call.ts";
import type { Call, RestHandler, RestParts } from "./call.ts";
import { refuseHeader } from "./preconditions.ts";
import { parseQuery, readBody } from "./request.ts";
import { webhookReportView, webhookView } from "./webhook-views.ts";

export const webhookHandlers = {
  add,
  list,
  read,
  change,
  remove,
  pause: answeringStatus((webhooks, { caller }, id) => webhooks.pause(caller, id)),
  resume: answeringStatus((webhooks, { caller }, id) => webhooks.resume(caller, id)),
  redeliver,
  test,
} satisfies Record<string, RestHandler>;

async function add({ service }: RestParts, { request, caller }: Call): Promise<Response> {
  parseQuery(noQuerySchema, request.url);
  const body = await readBody(webhookRequestSchema, request);
  for (const path of body.paths ?? []) parsePath(path);
  const webhook = await service.server.webhooks.add(caller, body);
  return json(webhookView(webhook), { status: 201, headers: { location: `/v1/webhooks/${webhook.id}` } });
}

async function list({ service }: RestParts, { request, caller }: Call): Promise<Response> {
  parseQuery(noQuerySchema, request.url);
  return json({ webhooks: (await service.server.webhooks.list(caller)).map(webhookView) });
}

async function read({ service }: RestParts, call: Call): Promise<Response> {
  parseQuery(noQuerySchema, call.request.url);
  return json(webhookReportView(await service.server.webhooks.get(call.caller, idOf(call))));
}

async function change({ service }: RestParts, call: Call): Promise<Response> {
  parseQuery(noQuerySchema, call.request.url);
  const patch = await readBody(webhookPatchSchema, call.request);
  return json(webhookView(await service.server.webhooks.change(call.caller, idOf(call), patch)));
}

async function remove({ service }: RestParts, call: Call): Promise<Response> {
  parseQuery(noQuerySchema, call.request.url);
  refuseHeader(call.request.headers, "If-Match", "A webhook is deleted as it is.");
  await service.server.webhooks.remove(call.caller, idOf(call));
  return noContent();
}

function answeringStatus(
  act: (webhooks: WebhookService, call: Call, id: string) => Promise<WebhookStatus>,
): RestHandler {
  return async ({ service }, call) => {
    parseQuery(noQuerySchema, call.request.url);
    await readBody(emptyRequestSchema, call.request);
    return json(webhookView(await act(service.server.webhooks, call, idOf(call))));
  };
}

async function redeliver({ service }: RestParts, call: Call): Promise<Response> {
  parseQuery(noQuerySchema, call.request.url);
  const asked = await readBody(redeliverRequestSchema, call.request);
  return json(await service.server.webhooks.redeliver(call.caller, idOf(call), asked));
}

async function test({ service }: RestParts, call: Call): Promise<Response> {
  parseQuery(noQuerySchema, call.request.url);
  await readBody(emptyRequestSchema, call.request);
  const outcome = await service.server.webhooks.test(call.caller, idOf(call));
  return json({ ok: outcome.error === undefined, ...outcome });
}

function idOf(call: Call): string {
  return call.param("webhookId");
}
