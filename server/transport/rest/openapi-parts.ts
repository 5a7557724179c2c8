/**
 * What the operations of the OpenAPI document have in common.
 *
 * Not here: the operations (openapi.ts, openapi-history.ts, openapi-locks.ts, openapi-types.ts, openapi-webhooks.ts).
 */
import type { ZodOpenApiContentObject, ZodOpenApiOperationObject, ZodOpenApiResponsesObject } from "zod-openapi";
import { z } from "zod";
import { problemSchema } from "../../../shared/protocol/rest.ts";

const actor = z.object({
  "Mcm-Actor": z.string().exactOptional().describe("Who is calling, percent-encoded; taken as true in open mode"),
});

const problem = {
  description: "A refusal: one code of the error table, what it means for a retry, and a sentence that says what to do",
  content: { "application/problem+json": { schema: problemSchema.meta({ id: "Problem" }) } },
};

export const inContext = z.object({ id: z.string().describe("1 to 128 letters, digits, '.', '_', ':' or '-'") });
const etag = z.object({ ETag: z.string().describe('The version in quotes: "7"') });
export const notModified = { description: "The version in If-None-Match is the one asked for" };
export const lockToken = {
  "Lock-Token": z.string().exactOptional().describe("Fencing tokens of the locks that the writer holds: 17, 18"),
};
export const ifNoneMatch = { "If-None-Match": z.string().exactOptional() };

export const jsonBody = (schema: z.ZodType): ZodOpenApiContentObject => ({ "application/json": { schema } });
export const answer = (description: string, schema: z.ZodType) => ({ description, content: jsonBody(schema) });
/** An answer that says at which version the context is. */
export const answerAt = (description: string, schema: z.ZodType) => ({ ...answer(description, schema), headers: etag });

interface Described {
  readonly summary: string;
  readonly path?: z.ZodObject;
  readonly query?: z.ZodObject;
  /** Beside the one that says who is calling. */
  readonly header?: z.ZodRawShape;
  readonly body?: ZodOpenApiContentObject;
  readonly responses: ZodOpenApiResponsesObject;
}

/** An operation for identified callers; what it may refuse is added. */
export function operation({
  summary,
  path,
  query,
  header = {},
  body,
  responses,
}: Described): ZodOpenApiOperationObject {
  return {
    summary,
    requestParams: {
      ...(path === undefined ? {} : { path }),
      ...(query === undefined ? {} : { query }),
      header: actor.extend(header),
    },
    ...(body === undefined ? {} : { requestBody: { required: true, content: body } }),
    responses: { ...responses, default: problem },
  };
}
