/**
 * The part of the OpenAPI document on exports, imports and backups.
 */
import { z } from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import {
  backupRequestSchema,
  contextFileSchema,
  exportQuerySchema,
  importBodySchema,
  importQuerySchema,
  importResultSchema,
} from "../../../shared/protocol/rest-data.ts";
import { UPDATE_LIST_TYPE } from "../../../shared/protocol/update-list.ts";
import { answerAt, inContext, jsonBody, operation } from "./openapi-parts.ts";

const bytes = (description: string) => ({
  schema: z.string().meta({ override: { type: "string", format: "binary" }, description }),
});

export const dataPaths: ZodOpenApiPathsObject = {
  "/v1/contexts/{id}/export": {
    get: operation({
      summary: "A whole context, to be kept or imported elsewhere",
      path: inContext,
      query: exportQuerySchema,
      responses: {
        "200": {
          ...answerAt("The context", contextFileSchema),
          content: {
            ...jsonBody(contextFileSchema),
            "application/octet-stream": bytes("The document as one Yjs update"),
          },
        },
      },
    }),
  },
  "/v1/contexts/{id}/import": {
    post: operation({
      summary: "Make a context of what another server, or this one, exported",
      path: inContext,
      query: importQuerySchema,
      body: {
        ...jsonBody(importBodySchema),
        "application/octet-stream": bytes("One Yjs update, V1"),
        [UPDATE_LIST_TYPE]: bytes("Yjs updates, V1, each with its length before it as a varint of lib0"),
      },
      responses: { "201": answerAt("The context, at version 0", importResultSchema) },
    }),
  },
  "/v1/backup": {
    post: operation({
      summary: "All that the server holds, for `mcm backup`",
      body: jsonBody(backupRequestSchema),
      responses: {
        "200": {
          description: "Everything acknowledged by now; whole only with its last frame",
          content: { "application/vnd.mcm.backup": bytes("Checked frames") },
        },
      },
    }),
  },
};
