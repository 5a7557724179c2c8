/**
 * REST: every request and response body as a zod schema. The OpenAPI document is made from these and nothing else.
 *
 * Invariants (REST):
 *  1. A body that passes here needs no further shape check; rules about content are the core's.
 *  2. Unknown fields are refused, so that a misspelt option fails instead of being ignored.
 *
 * Not here: handlers (server/transport/rest).
 */
import { z } from "zod";
import { CHANGE_ORIGINS } from "../change.ts";
import type { JsonOp } from "../change.ts";
import { ERRORS } from "../errors.ts";
import type { Json, JsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";

const jsonValue: z.ZodType<Json> = z.json().describe("Any JSON value");
const jsonObject: z.ZodType<JsonObject> = z.record(z.string(), z.json());
const pointer = z.string().max(LIMITS.pathCharsMax).describe('JSON Pointer into the data, "" for all of it');
const version = z.int().min(0);
const isoTime = z.iso.datetime();

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
  ifVersion: version.optional().describe("Refuse the change unless this is the context's version"),
  message: z.string().max(LIMITS.messageCharsMax).optional().describe("Why; shown in the history"),
});

export const createRequestSchema = z.strictObject({
  id: z.string().optional().describe("A readable id; a UUID if none is given"),
  type: z.string().max(LIMITS.nameCharsMax).optional(),
  name: z.string().max(LIMITS.nameCharsMax).optional(),
  description: z.string().max(LIMITS.descriptionCharsMax).optional(),
  tags: z.array(z.string().min(1).max(LIMITS.tagCharsMax)).max(LIMITS.tagsMax).optional(),
  data: jsonObject.optional().describe('Initial content; {"$text": "…"} makes a collaborative text'),
});

export const contextInfoSchema = z.object({
  id: z.string(),
  type: z.string().optional(),
  name: z.string().optional(),
  description: z.string().optional(),
  tags: z.array(z.string()),
  createdAt: isoTime,
  createdBy: z.string(),
  updatedAt: isoTime,
  version,
  epoch: z.int().min(1),
});

export const contextSchema = contextInfoSchema.extend({ data: jsonValue });

export const findQuerySchema = z.strictObject({
  query: z.string().max(LIMITS.nameCharsMax).optional().describe("Text that occurs in id, name or description"),
  tag: z.string().max(LIMITS.tagCharsMax).optional(),
  type: z.string().max(LIMITS.nameCharsMax).optional(),
  limit: z.coerce.number().int().min(1).max(LIMITS.listLimitMax).optional(),
  cursor: z.string().max(LIMITS.contextIdCharsMax).optional(),
});

export const contextListSchema = z.object({ contexts: z.array(contextInfoSchema), next: z.string().optional() });

export const readQuerySchema = z.strictObject({
  path: pointer.optional(),
  depth: z.coerce.number().int().min(1).max(LIMITS.depthMax).optional(),
});

export const changeResultSchema = z.object({
  id: z.string(),
  version,
  seq: z.int().min(0),
  paths: z.array(z.string()),
  replayed: z.boolean().describe("True when the idempotency key had been used: this is the first answer again"),
});

export const changesQuerySchema = z.strictObject({
  since: z.coerce.number().int().min(0).optional().describe("Changes after this version"),
  path: pointer.optional(),
  limit: z.coerce.number().int().min(1).max(LIMITS.listLimitMax).optional(),
});

export const changeSchema = z.object({
  version,
  seq: z.int().min(1),
  actor: z.string(),
  at: isoTime,
  origin: z.enum(CHANGE_ORIGINS),
  message: z.string().optional(),
  paths: z.array(z.string()),
});

export const changeListSchema = z.object({
  changes: z.array(changeSchema),
  next: z.int().optional().describe("Ask again with since = next for what follows"),
});

/** RFC 9457. `code` is a row of the error table, `details` its machine-readable facts. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.enum(Object.keys(ERRORS)),
  retry: z.enum(["never", "changed", "later"]),
  details: z.record(z.string(), z.unknown()).optional(),
  requestId: z.string().optional(),
});

export const healthSchema = z.object({ status: z.enum(["ok", "degraded", "down"]), reasons: z.array(z.string()) });

export type CreateRequest = z.infer<typeof createRequestSchema>;
export type ChangeRequest = z.infer<typeof changeRequestSchema>;
export type FindQuery = z.infer<typeof findQuerySchema>;
export type ReadQuery = z.infer<typeof readQuerySchema>;
export type ChangesQuery = z.infer<typeof changesQuerySchema>;
export type ContextInfo = z.infer<typeof contextInfoSchema>;
export type ContextView = z.infer<typeof contextSchema>;
export type ContextList = z.infer<typeof contextListSchema>;
export type ChangeResult = z.infer<typeof changeResultSchema>;
export type ChangeView = z.infer<typeof changeSchema>;
export type ChangeList = z.infer<typeof changeListSchema>;
export type Problem = z.infer<typeof problemSchema>;
export type Health = z.infer<typeof healthSchema>;
