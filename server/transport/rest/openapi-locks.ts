/**
 * The part of the OpenAPI document on locks.
 */
import { z } from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import {
  heldLockListSchema,
  lockListSchema,
  lockRequestSchema,
  lockSchema,
  releaseQuerySchema,
  renewRequestSchema,
} from "../../../shared/protocol/rest-locks.ts";
import { answer, inContext, jsonBody, operation } from "./openapi-parts.ts";

const ofLock = inContext.extend({ lockId: z.string() });

export const lockPaths: ZodOpenApiPathsObject = {
  "/v1/locks": {
    get: operation({
      summary: "List the caller's locks in all contexts that are in memory",
      responses: { "200": answer("By context", heldLockListSchema) },
    }),
  },
  "/v1/contexts/{id}/locks": {
    get: operation({
      summary: "List the locks that are held, and who waits for one",
      path: inContext,
      responses: {
        "200": answer(
          "Locks in the order in which they were granted, who waits in the order in which they asked",
          lockListSchema,
        ),
      },
    }),
    post: operation({
      summary: "Take a lock on paths, all of them or none; with waitMs the answer waits for it",
      path: inContext,
      body: jsonBody(lockRequestSchema),
      responses: { "201": answer("The lock; show its fencingToken with writes, as Lock-Token", lockSchema) },
    }),
  },
  "/v1/contexts/{id}/locks/{lockId}": {
    put: operation({
      summary: "Renew a lock: its time begins anew",
      path: ofLock,
      body: jsonBody(renewRequestSchema),
      responses: { "200": answer("The lock", lockSchema) },
    }),
    delete: operation({
      summary: "Release a lock",
      path: ofLock,
      query: releaseQuerySchema,
      responses: { "204": { description: "It is gone" } },
    }),
  },
};
