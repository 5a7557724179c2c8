/**
 * The OpenAPI document, made once from the schemas of shared/protocol/rest*.ts: contexts and changes here, the rest by its parts.
 *
 * Invariant (REST-22): its paths and methods are those that app.ts answers (a test compares them).
 *
 * Not here: schemas.
 */
import { createDocument } from "zod-openapi";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { z } from "zod";
import {
  changeListSchema,
  changeRequestSchema,
  changeResultSchema,
  changesQuerySchema,
  contextListSchema,
  contextSchema,
  createRequestSchema,
  findQuerySchema,
  jsonPatchSchema,
  mergePatchSchema,
  readQuerySchema,
} from "../../../shared/protocol/rest.ts";
import { eventSchema } from "../../../shared/protocol/rest-events.ts";
import { PRODUCT_VERSION } from "../../../shared/protocol/version.ts";
import { accessPaths } from "./openapi-access.ts";
import { auditPaths } from "./openapi-audit.ts";
import { dataPaths } from "./openapi-data.ts";
import { historyPaths } from "./openapi-history.ts";
import { lockPaths } from "./openapi-locks.ts";
import { refusalPaths } from "./openapi-refusals.ts";
import {
  answer,
  answerAt,
  ifNoneMatch,
  inContext,
  jsonBody,
  lockToken,
  notModified,
  operation,
} from "./openapi-parts.ts";
import { monitoringPaths } from "./openapi-monitoring.ts";
import { typePaths } from "./openapi-types.ts";
import { webhookPaths, webhookRequests } from "./openapi-webhooks.ts";

let text: string | undefined;

export function openApiText(): string {
  text ??= JSON.stringify(openApiDocument());
  return text;
}

const create = operation({
  summary: "Create a context",
  body: jsonBody(createRequestSchema),
  responses: { "201": answerAt("The new context, at version 0", contextSchema) },
});

const find = operation({
  summary: "Find contexts",
  query: findQuerySchema,
  responses: { "200": answer("Contexts in order of id; ask again with cursor = next", contextListSchema) },
});

const read = operation({
  summary: "Read a context or a part of it, as it is or was",
  path: inContext,
  query: readQuerySchema,
  header: ifNoneMatch,
  responses: { "200": answerAt("The context", contextSchema), "304": notModified },
});

const change = operation({
  summary: "Change a context, all or nothing; durable when answered",
  path: inContext,
  header: {
    "If-Match": z
      .string()
      .exactOptional()
      .describe('The version the context must have, in quotes: "7"; like ifVersion with ifVersionScope context'),
    "Idempotency-Key": z
      .string()
      .exactOptional()
      .describe("A second request with the key is answered like the first, for 24 hours"),
    ...lockToken,
  },
  body: {
    ...jsonBody(changeRequestSchema),
    "application/json-patch+json": { schema: jsonPatchSchema },
    "application/merge-patch+json": { schema: mergePatchSchema },
  },
  responses: { "200": answerAt("The version with this change in it", changeResultSchema) },
});

const remove = operation({
  summary: "Delete a context with its history",
  path: inContext,
  responses: { "204": { description: "It is gone" } },
});

const changes = operation({
  summary: "List changes, or follow them live with Accept: text/event-stream",
  path: inContext,
  query: changesQuerySchema,
  header: { "Last-Event-ID": z.string().exactOptional().describe("Resume a live feed after this version") },
  responses: {
    "200": {
      description: "Changes in order of version, or with order=newest in the reverse one",
      content: {
        ...jsonBody(changeListSchema),
        "text/event-stream": { schema: z.string().describe("Events `change`, whose id is the version") },
      },
    },
  },
});

const events = operation({
  summary: "Follow what happens to all contexts that the caller may read",
  responses: {
    "200": {
      description: "Events named by their kind, with the context's id; `missed` when more happened than could be told",
      content: { "text/event-stream": { schema: eventSchema } },
    },
  },
});

const paths: ZodOpenApiPathsObject = {
  "/v1/contexts": { post: create, get: find },
  "/v1/contexts/{id}": { get: read, patch: change, delete: remove },
  "/v1/contexts/{id}/changes": { get: changes },
  "/v1/events": { get: events },
  ...dataPaths,
  ...historyPaths,
  ...lockPaths,
  ...accessPaths,
  ...auditPaths,
  ...refusalPaths,
  ...typePaths,
  ...webhookPaths,
  ...monitoringPaths,
  "/openapi.json": { get: { summary: "This document", responses: { "200": { description: "OpenAPI 3.1" } } } },
};

function openApiDocument(): ReturnType<typeof createDocument> {
  return createDocument({
    openapi: "3.1.1",
    info: {
      title: "mcp-context-manager",
      version: PRODUCT_VERSION,
      description: "Live contexts for AI agents, tools and people.",
      license: { name: "MIT", identifier: "MIT" },
    },
    paths,
    webhooks: webhookRequests,
  });
}
