/**
 * The part of the OpenAPI document on types of contexts.
 */
import { z } from "zod";
import type { ZodOpenApiPathsObject } from "zod-openapi";
import {
  typeListSchema,
  typeNameSchema,
  typeQuerySchema,
  typeRequestSchema,
  typeResultSchema,
  typeSchema,
} from "../../../shared/protocol/rest-types.ts";
import { answer, jsonBody, operation } from "./openapi-parts.ts";

const named = z.object({ name: typeNameSchema });

export const typePaths: ZodOpenApiPathsObject = {
  "/v1/types": {
    get: operation({
      summary: "List types of contexts",
      responses: { "200": answer("All of them, in order of name", typeListSchema) },
    }),
  },
  "/v1/types/{name}": {
    get: operation({
      summary: "Read a type",
      path: named,
      responses: { "200": answer("The type with its schema", typeSchema) },
    }),
    put: operation({
      summary: "Register a type, or a newer schema of it, and check the contexts that have it",
      path: named,
      query: typeQuerySchema,
      body: jsonBody(typeRequestSchema),
      responses: {
        "200": answer("A newer schema, or what a dry run found", typeResultSchema),
        "201": answer("A new type", typeResultSchema),
      },
    }),
    delete: operation({
      summary: "Delete a type; its contexts are not checked any more",
      path: named,
      responses: { "204": { description: "It is gone" } },
    }),
  },
};
