/**
 * The part of the OpenAPI document on webhooks, and on what their targets get.
 */
import { z } from "zod";
import type { ZodOpenApiPathItemObject, ZodOpenApiPathsObject } from "zod-openapi";
import {
  deliverySchema,
  emptyRequestSchema,
  redeliverRequestSchema,
  redeliverResultSchema,
  webhookListSchema,
  webhookPatchSchema,
  webhookReportSchema,
  webhookRequestSchema,
  webhookSchema,
  webhookTestResultSchema,
} from "../../../shared/protocol/rest-webhooks.ts";
import { answer, jsonBody, operation } from "./openapi-parts.ts";

const named = z.object({ webhookId: z.string() });
const nothing = jsonBody(emptyRequestSchema);

export const webhookPaths: ZodOpenApiPathsObject = {
  "/v1/webhooks": {
    post: operation({
      summary: "Have a target told of changes",
      body: jsonBody(webhookRequestSchema),
      responses: { "201": answer("The webhook, without its secret", webhookSchema) },
    }),
    get: operation({
      summary: "List webhooks",
      responses: { "200": answer("All of them, oldest first", webhookListSchema) },
    }),
  },
  "/v1/webhooks/{webhookId}": {
    get: operation({
      summary: "Read a webhook: how far it has come, and what it could not deliver",
      path: named,
      responses: { "200": answer("The webhook", webhookReportSchema) },
    }),
    patch: operation({
      summary: "Give a webhook another address or secret",
      path: named,
      body: jsonBody(webhookPatchSchema),
      responses: { "200": answer("The webhook", webhookSchema) },
    }),
    delete: operation({
      summary: "Delete a webhook, with what it has not delivered",
      path: named,
      responses: { "204": { description: "It is gone" } },
    }),
  },
  "/v1/webhooks/{webhookId}/pause": {
    post: operation({
      summary: "Send nothing until the webhook is resumed",
      path: named,
      body: nothing,
      responses: { "200": answer("The webhook", webhookSchema) },
    }),
  },
  "/v1/webhooks/{webhookId}/resume": {
    post: operation({
      summary: "Go on where it was, at once, whether it is paused, stopped or between two attempts",
      path: named,
      body: nothing,
      responses: { "200": answer("The webhook", webhookSchema) },
    }),
  },
  "/v1/webhooks/{webhookId}/redeliver": {
    post: operation({
      summary: "Send dead letters again, oldest first, until one fails",
      path: named,
      body: jsonBody(redeliverRequestSchema),
      responses: { "200": answer("What became of them", redeliverResultSchema) },
    }),
  },
  "/v1/webhooks/{webhookId}/test": {
    post: operation({
      summary: "Send a delivery that tells nothing",
      path: named,
      body: nothing,
      responses: { "200": answer("Whether the target took it", webhookTestResultSchema) },
    }),
  },
};

/** What this server asks of others. */
export const webhookRequests: Readonly<Record<string, ZodOpenApiPathItemObject>> = {
  delivery: {
    post: {
      summary: "Changes of a context; any 2xx status says that they were taken",
      requestParams: {
        header: z.object({
          "Webhook-Id": z.string().describe("The delivery, the same at every attempt"),
          "Webhook-Timestamp": z.string().describe("Of this attempt, seconds since 1970"),
          "Webhook-Signature": z.string().describe("v1, and base64 of HMAC-SHA256 over id.timestamp.body"),
          "Mcm-Key-Id": z.string().describe("Which secret it was signed with"),
        }),
      },
      requestBody: { required: true, content: jsonBody(deliverySchema) },
      responses: { "2XX": { description: "Taken" }, default: { description: "To be tried again" } },
    },
  },
};
