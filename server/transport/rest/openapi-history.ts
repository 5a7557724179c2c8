/**
 * The part of the OpenAPI document on a context's past and its conflicts.
 */
import { z } from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import {
  conflictListSchema,
  conflictsQuerySchema,
  resolveRequestSchema,
  resolveResultSchema,
} from "../../../shared/protocol/rest-conflicts.ts";
import {
  blameQuerySchema,
  blameSchema,
  checkpointListSchema,
  checkpointRequestSchema,
  checkpointSchema,
  compactRequestSchema,
  compactResultSchema,
  diffQuerySchema,
  diffSchema,
  restoreRequestSchema,
  revertResultSchema,
  undoRequestSchema,
} from "../../../shared/protocol/rest-history.ts";
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

export const historyPaths: ZodOpenApiPathsObject = {
  "/v1/contexts/{id}/diff": {
    get: operation({
      summary: "What turns one version into another",
      path: inContext,
      query: diffQuerySchema,
      responses: { "200": answer("A JSON Patch", diffSchema) },
    }),
  },
  "/v1/contexts/{id}/blame": {
    get: operation({
      summary: "Who wrote what stands there last",
      path: inContext,
      query: blameQuerySchema,
      header: ifNoneMatch,
      responses: {
        "200": answerAt("A line for each value, and for each run of a text", blameSchema),
        "304": notModified,
      },
    }),
  },
  "/v1/contexts/{id}/restore": {
    post: operation({
      summary: "Make a context, or a part of it, what it was, by a new change",
      path: inContext,
      header: lockToken,
      body: jsonBody(restoreRequestSchema),
      responses: { "200": answerAt("What was done", revertResultSchema) },
    }),
  },
  "/v1/contexts/{id}/undo": {
    post: operation({
      summary: "Take one actor's changes back; what others wrote since stays",
      path: inContext,
      header: lockToken,
      body: jsonBody(undoRequestSchema),
      responses: { "200": answerAt("What was done, and what was kept", revertResultSchema) },
    }),
  },
  "/v1/contexts/{id}/checkpoints": {
    get: operation({
      summary: "List the versions that have a name",
      path: inContext,
      responses: { "200": answer("Newest version first", checkpointListSchema) },
    }),
    post: operation({
      summary: "Name a version; its content is kept whatever the history drops",
      path: inContext,
      body: jsonBody(checkpointRequestSchema),
      responses: { "201": answer("The checkpoint", checkpointSchema) },
    }),
  },
  "/v1/contexts/{id}/checkpoints/{name}": {
    delete: operation({
      summary: "Take a name away from its version",
      path: inContext.extend({ name: z.string() }),
      responses: { "204": { description: "It is gone" } },
    }),
  },
  "/v1/contexts/{id}/compact": {
    post: operation({
      summary: "Recreate the document without what was deleted, as a new epoch",
      path: inContext,
      body: jsonBody(compactRequestSchema),
      responses: { "200": answerAt("What it saved", compactResultSchema) },
    }),
  },
  "/v1/contexts/{id}/conflicts": {
    get: operation({
      summary: "List concurrent writes of which the merge kept one",
      path: inContext,
      query: conflictsQuerySchema,
      responses: { "200": answer("Newest first; ask again with cursor = next", conflictListSchema) },
    }),
  },
  "/v1/contexts/{id}/conflicts/{conflictId}/resolve": {
    post: operation({
      summary: "Resolve a conflict by a change that names it",
      path: inContext.extend({ conflictId: z.string().describe('Such as "17.0"') }),
      header: lockToken,
      body: jsonBody(resolveRequestSchema),
      responses: { "200": answerAt("The conflict, resolved", resolveResultSchema) },
    }),
  },
};
