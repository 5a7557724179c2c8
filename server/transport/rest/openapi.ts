/**
 * The OpenAPI document, made once from the schemas of shared/protocol/rest.ts.
 *
 * Invariant (REST-22): its paths and methods are those that app.ts answers (a test compares them).
 *
 * Not here: schemas.
 */
import { createDocument } from "zod-openapi";
import type { ZodOpenApiOperationObject, ZodOpenApiResponsesObject } from "zod-openapi";
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
  healthSchema,
  jsonPatchSchema,
  mergePatchSchema,
  problemSchema,
  readQuerySchema,
} from "../../../shared/protocol/rest.ts";
import { PRODUCT_VERSION } from "../../../shared/protocol/version.ts";

let text: string | undefined;

export function openApiText(): string {
  text ??= JSON.stringify(openApiDocument());
  return text;
}

const id = z.object({ id: z.string().describe("1 to 128 letters, digits, '.', '_', ':' or '-'") });
const actor = z.object({
  "Mcm-Actor": z.string().exactOptional().describe("Who is calling, percent-encoded; taken as true in open mode"),
});
const etag = z.object({ ETag: z.string().describe('The version in quotes: "7"') });

const jsonBody = (schema: z.ZodType) => ({ "application/json": { schema } });
const answer = (description: string, schema: z.ZodType) => ({ description, content: jsonBody(schema) });

const problems: ZodOpenApiResponsesObject = {
  default: {
    description:
      "A refusal: one code of the error table, what it means for a retry, and a sentence that says what to do",
    content: { "application/problem+json": { schema: problemSchema.meta({ id: "Problem" }) } },
  },
};

const create: ZodOpenApiOperationObject = {
  summary: "Create a context",
  requestParams: { header: actor },
  requestBody: { required: true, content: jsonBody(createRequestSchema) },
  responses: { "201": { ...answer("The new context, at version 0", contextSchema), headers: etag }, ...problems },
};

const find: ZodOpenApiOperationObject = {
  summary: "Find contexts",
  requestParams: { query: findQuerySchema, header: actor },
  responses: { "200": answer("Contexts in order of id; ask again with cursor = next", contextListSchema), ...problems },
};

const read: ZodOpenApiOperationObject = {
  summary: "Read a context or a part of it",
  requestParams: {
    path: id,
    query: readQuerySchema,
    header: actor.extend({ "If-None-Match": z.string().exactOptional() }),
  },
  responses: {
    "200": { ...answer("The context", contextSchema), headers: etag },
    "304": { description: "The version in If-None-Match is the current one" },
    ...problems,
  },
};

const change: ZodOpenApiOperationObject = {
  summary: "Change a context, all or nothing; durable when answered",
  requestParams: {
    path: id,
    header: actor.extend({
      "If-Match": z.string().exactOptional().describe('The version the context must have, in quotes: "7"'),
      "Idempotency-Key": z
        .string()
        .exactOptional()
        .describe("A second request with the key is answered like the first, for 24 hours"),
    }),
  },
  requestBody: {
    required: true,
    content: {
      ...jsonBody(changeRequestSchema),
      "application/json-patch+json": { schema: jsonPatchSchema },
      "application/merge-patch+json": { schema: mergePatchSchema },
    },
  },
  responses: {
    "200": { ...answer("The version with this change in it", changeResultSchema), headers: etag },
    ...problems,
  },
};

const remove: ZodOpenApiOperationObject = {
  summary: "Delete a context with its history",
  requestParams: { path: id, header: actor },
  responses: { "204": { description: "It is gone" }, ...problems },
};

const changes: ZodOpenApiOperationObject = {
  summary: "List changes, or follow them live with Accept: text/event-stream",
  requestParams: {
    path: id,
    query: changesQuerySchema,
    header: actor.extend({
      "Last-Event-ID": z.string().exactOptional().describe("Resume a live feed after this version"),
    }),
  },
  responses: {
    "200": {
      description: "Changes in order of version; ask again with since = next",
      content: {
        ...jsonBody(changeListSchema),
        "text/event-stream": { schema: z.string().describe("Events `change`, whose id is the version") },
      },
    },
    ...problems,
  },
};

const readiness = { "200": answer("Ready", healthSchema), "503": answer("Not ready, and why", healthSchema) };

function openApiDocument(): ReturnType<typeof createDocument> {
  return createDocument({
    openapi: "3.1.1",
    info: {
      title: "mcp-context-manager",
      version: PRODUCT_VERSION,
      description: "Live contexts for AI agents, tools and people.",
      license: { name: "MIT", identifier: "MIT" },
    },
    paths: {
      "/v1/contexts": { post: create, get: find },
      "/v1/contexts/{id}": { get: read, patch: change, delete: remove },
      "/v1/contexts/{id}/changes": { get: changes },
      "/healthz": { get: { summary: "Is the process alive", responses: { "200": answer("Alive", healthSchema) } } },
      "/readyz": { get: { summary: "Can it do its work", responses: readiness } },
      "/openapi.json": { get: { summary: "This document", responses: { "200": { description: "OpenAPI 3.1" } } } },
    },
  });
}
