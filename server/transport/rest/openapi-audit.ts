/**
 * The part of the OpenAPI document on the audit log.
 */
import type { ZodOpenApiPathsObject } from "zod-openapi";
import { auditListSchema, auditQuerySchema } from "../../../shared/protocol/rest-audit.ts";
import { answer, operation } from "./openapi-parts.ts";

export const auditPaths: ZodOpenApiPathsObject = {
  "/v1/audit": {
    get: operation({
      summary: "Who did or was denied what; for admins of the server",
      query: auditQuerySchema,
      responses: { "200": answer("Newest first; a page may be empty and still have a next", auditListSchema) },
    }),
  },
};
