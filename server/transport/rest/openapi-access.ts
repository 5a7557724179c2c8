/**
 * The part of the OpenAPI document on access lists and revoked tokens.
 */
import type { ZodOpenApiPathsObject } from "zod-openapi";
import {
  aclRequestSchema,
  aclSchema,
  revocationListSchema,
  revocationRequestSchema,
  revocationResultSchema,
  shareRequestSchema,
} from "../../../shared/protocol/rest-access.ts";
import { answer, inContext, jsonBody, operation } from "./openapi-parts.ts";

export const accessPaths: ZodOpenApiPathsObject = {
  "/v1/contexts/{id}/acl": {
    get: operation({
      summary: "Who may do what with a context, beside its creator; for its admins",
      path: inContext,
      responses: { "200": answer("The access list", aclSchema) },
    }),
    put: operation({
      summary: "Replace the access list; durable, and in force for open sessions too, when answered",
      path: inContext,
      body: jsonBody(aclRequestSchema),
      responses: { "200": answer("The new access list", aclSchema) },
    }),
    patch: operation({
      summary: "Change the access list for some principals; the others keep what they have",
      path: inContext,
      body: jsonBody(shareRequestSchema),
      responses: { "200": answer("The new access list", aclSchema) },
    }),
  },
  "/v1/revocations": {
    get: operation({
      summary: "Tokens and subjects that were revoked; for admins of the server",
      responses: { "200": answer("Newest first", revocationListSchema) },
    }),
    post: operation({
      summary: "Revoke a token, or all that a subject has now; what is open under it has ended when answered",
      body: jsonBody(revocationRequestSchema),
      responses: { "201": answer("The revocation", revocationResultSchema) },
    }),
  },
};
