/**
 * REST: every request and response body as a zod schema. The OpenAPI document is made from these and nothing else.
 *
 * Invariants (REST):
 *  1. A body that passes here needs no further shape check; rules about content are the core's.
 *  2. Unknown fields are refused, so that a misspelt option fails instead of being ignored.
 *  3. JSON values are not walked here: they come from parseJsonText, which has bounded and checked them (z.json() takes
 *     0.4 s for 4 MB and overflows the stack on deep ones).
 *
 * Not here: handlers (server/transport/rest).
 */
import { z } from "zod";
import { CHANGE_ORIGINS } from "../change.ts";
import type { JsonOp } from "../change.ts";
import { ERRORS } from "../errors.ts";
import { isJsonObject } from "../json.ts";
import type { Json, JsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";

const jsonValue = z
  .custom<Json>((value) => value !== undefined, "is missing")
  .meta({ override: {}, description: "Any JSON value" });
const jsonObject = z
  .custom<JsonObject>(isJsonObject, "must be a JSON object")
  .meta({ override: { type: "object", additionalProperties: true } });
const pointer = z.string().max(LIMITS.pathCharsMax).describe('JSON Pointer into the data, "" for all of it');
const version = z.int().min(0);
const isoTime = z.iso.datetime();

/** A query parameter: digits only, so that "", "0x10" and "1e3" are refused instead of guessed at. */
const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, `must be a whole number from ${min} to ${max}`)
    .transform(Number)
    .pipe(z.int().min(min).max(max))
    .meta({ override: { type: "integer", minimum: min, maximum: max } });

const op = <Name extends JsonOp["op"], Shape extends z.ZodRawShape>(name: Name, shape: Shape) =>
  z.strictObject({ op: z.literal(name), path: pointer, ...shape });

export const jsonOpSchema: z.ZodType<JsonOp> = z.discriminatedUnion("op", [
  op("add", { value: jsonValue }),
  op("replace", { value: jsonValue }),
  op("remove", {}),
  op("move", { from: pointer }),
  op("copy", { from: pointer }),
  op("test", { value: jsonValue }),
  op("merge", { value: jsonObject }),
  op("increment", { by: z.number() }),
  op("edit_text", { old: z.string().min(1), new: z.string() }),
  op("append_text", { text: z.string() }),
]);

export const jsonPatchSchema = z.array(jsonOpSchema).min(1).max(LIMITS.opsMax);
export const mergePatchSchema: z.ZodType<JsonObject> = jsonObject;

export const changeRequestSchema = z.strictObject({
  changes: jsonPatchSchema,
  ifVersion: version.exactOptional().describe("Refuse the change unless this is the context's version"),
  message: z.string().max(LIMITS.messageCharsMax).exactOptional().describe("Why; shown in the history"),
});

export const createRequestSchema = z.strictObject({
  id: z.string().exactOptional().describe("A readable id; a UUID if none is given"),
  type: z.string().max(LIMITS.nameCharsMax).exactOptional(),
  name: z.string().max(LIMITS.nameCharsMax).exactOptional(),
  description: z.string().max(LIMITS.descriptionCharsMax).exactOptional(),
  tags: z.array(z.string().min(1).max(LIMITS.tagCharsMax)).max(LIMITS.tagsMax).exactOptional(),
  data: jsonObject.exactOptional().describe('Initial content; {"$text": "…"} makes a collaborative text'),
});

export const contextInfoSchema = z.object({
  id: z.string(),
  type: z.string().exactOptional(),
  name: z.string().exactOptional(),
  description: z.string().exactOptional(),
  tags: z.array(z.string()),
  createdAt: isoTime,
  createdBy: z.string(),
  updatedAt: isoTime,
  version,
  epoch: z.int().min(1),
});

export const contextSchema = contextInfoSchema.extend({ data: jsonValue });

/** For requests that take no query parameters. */
export const noQuerySchema = z.strictObject({});

export const findQuerySchema = z.strictObject({
  query: z.string().max(LIMITS.nameCharsMax).exactOptional().describe("Text that occurs in id, name or description"),
  tag: z.string().max(LIMITS.tagCharsMax).exactOptional(),
  type: z.string().max(LIMITS.nameCharsMax).exactOptional(),
  limit: wholeNumber(1, LIMITS.listLimitMax).exactOptional(),
  cursor: z.string().max(LIMITS.contextIdCharsMax).exactOptional(),
});

export const contextListSchema = z.object({ contexts: z.array(contextInfoSchema), next: z.string().exactOptional() });

export const readQuerySchema = z.strictObject({
  path: pointer.exactOptional(),
  depth: wholeNumber(1, LIMITS.depthMax).exactOptional(),
});

export const changeResultSchema = z.object({
  id: z.string(),
  version,
  seq: z.int().min(0),
  paths: z.array(z.string()),
  replayed: z.boolean().describe("True when the idempotency key had been used: this is the first answer again"),
});

export const changesQuerySchema = z.strictObject({
  since: wholeNumber(0, Number.MAX_SAFE_INTEGER).exactOptional().describe("Changes after this version"),
  path: pointer.exactOptional(),
  limit: wholeNumber(1, LIMITS.listLimitMax).exactOptional(),
});

export const changeSchema = z.object({
  version,
  seq: z.int().min(1),
  actor: z.string(),
  at: isoTime,
  origin: z.enum(CHANGE_ORIGINS),
  message: z.string().exactOptional(),
  paths: z.array(z.string()),
});

export const changeListSchema = z.object({
  changes: z.array(changeSchema),
  next: z.int().exactOptional().describe("Ask again with since = next for what follows"),
});

/** RFC 9457. `code` is a row of the error table, `details` its machine-readable facts. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.enum(Object.keys(ERRORS)),
  retry: z.enum(["never", "changed", "later"]),
  details: z.record(z.string(), z.unknown()).exactOptional(),
  requestId: z.string().exactOptional(),
});

export const healthSchema = z.object({ status: z.enum(["ok", "degraded", "down"]), reasons: z.array(z.string()) });

export type CreateRequest = z.infer<typeof createRequestSchema>;
export type ChangeRequest = z.infer<typeof changeRequestSchema>;
export type FindQuery = z.infer<typeof findQuerySchema>;
export type ContextInfo = z.infer<typeof contextInfoSchema>;
export type ContextView = z.infer<typeof contextSchema>;
export type ContextList = z.infer<typeof contextListSchema>;
export type ChangeResult = z.infer<typeof changeResultSchema>;
export type ChangeView = z.infer<typeof changeSchema>;
export type ChangeList = z.infer<typeof changeListSchema>;
export type Problem = z.infer<typeof problemSchema>;
