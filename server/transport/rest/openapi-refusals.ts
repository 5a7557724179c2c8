/**
 * The part of the OpenAPI document on refused writes.
 */
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { refusalListSchema } from "../../../shared/protocol/rest-refusals.ts";
import { answer, inContext, operation } from "./openapi-parts.ts";

export const refusalPaths: ZodOpenApiPathsObject = {
  "/v1/contexts/{id}/refusals": {
    get: operation({
      summary: "Which writes and locks were refused lately, and why",
      path: inContext,
      responses: { "200": answer("Newest first, the last 200 since the server started", refusalListSchema) },
    }),
  },
};
