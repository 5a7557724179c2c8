/**
 * REST: the bodies of contexts and changes as zod schemas, and what every address has in common. The OpenAPI document is
 * made from these, and those of rest-history.ts, rest-conflicts.ts and rest-types.ts, and nothing else.
 *
 * Invariants (REST):
 *  1. A body that passes here needs no further shape check; rules about content are the core's.
 *  2. Unknown fields are refused, so that a misspelt option fails instead of being ignored.
 *
 * Not here: handlers (server/transport/rest).
 */
import { z } from "zod";
import { CHANGE_ORIGINS, VERSION_SCOPES } from "../change.ts";
import type { JsonOp } from "../change.ts";
import { ERRORS } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { ROLES } from "../permission.ts";
import {
  actor,
  isoTime,
  jsonObject,
  jsonValue,
  message,
  pageLimit,
  pointer,
  version,
  versionNumber,
  wholeNumber,
} from "./rest-fields.ts";

const op = <Name extends JsonOp["op"], Shape extends z.ZodRawShape>(name: Name, shape: Shape) =>
  z.strictObject({ op: z.literal(name), path: pointer, ...shape });

export const jsonOpSchema: z.ZodType<JsonOp> = z
  .discriminatedUnion("op", [
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
  ])
  .meta({ id: "JsonOp" });

export const jsonPatchSchema = z.array(jsonOpSchema).min(1).max(LIMITS.opsMax);
export const mergePatchSchema: z.ZodType<JsonObject> = jsonObject;

export const changeRequestSchema = z.strictObject({
  changes: jsonPatchSchema,
  ifVersion: version
    .exactOptional()
    .describe("Refuse the change when what it touches was changed after this version of the context"),
  ifVersionScope: z
    .enum(VERSION_SCOPES)
    .exactOptional()
    .describe("`context`: refuse it when anything was. `paths` unless given; `context` for a version from If-Match"),
  message: message.exactOptional(),
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
  yourRole: z.enum(ROLES).exactOptional().describe("What the caller may do there"),
});

export const contextSchema = contextInfoSchema.extend({ data: jsonValue });

/** For requests that take no query parameters. */
export const noQuerySchema = z.strictObject({});

export const findQuerySchema = z.strictObject({
  query: z.string().max(LIMITS.nameCharsMax).exactOptional().describe("Text that occurs in id, name or description"),
  tag: z.string().max(LIMITS.tagCharsMax).exactOptional(),
  type: z.string().max(LIMITS.nameCharsMax).exactOptional(),
  include: z.literal("figures").exactOptional().describe("figures: what is going on in each"),
  limit: pageLimit.exactOptional(),
  cursor: z.string().max(LIMITS.contextIdCharsMax).exactOptional(),
});

const figuresSchema = z.object({
  diskBytes: z.int().min(0).describe("Log and checkpoints, approximately"),
  sessions: z.int().min(0).describe("Live ones"),
  locks: z.int().min(0).exactOptional().describe("Held ones; absent when only loading the context would tell"),
  conflicts: z
    .object({ recent: z.int().min(0), open: z.int().min(0) })
    .exactOptional()
    .describe("Of the newest 100: how many there are, and how many are open; absent when others took too long"),
});

const listedContextSchema = contextInfoSchema.extend({
  figures: figuresSchema.exactOptional().describe("With include=figures"),
});

export const contextListSchema = z.object({
  contexts: z.array(listedContextSchema),
  next: z.string().exactOptional(),
});

export const readQuerySchema = z.strictObject({
  path: pointer.exactOptional(),
  depth: wholeNumber(1, LIMITS.depthMax).exactOptional(),
  version: versionNumber.exactOptional().describe("As it was at this version"),
});

export const changeResultSchema = z.object({
  id: z.string(),
  version,
  seq: z.int().min(0),
  paths: z.array(z.string()),
  replayed: z.boolean().describe("True when the idempotency key had been used: this is the first answer again"),
});

export const changesQuerySchema = z
  .strictObject({
    since: versionNumber.exactOptional().describe("Changes after this version, in order"),
    order: z.enum(["oldest", "newest"]).exactOptional().describe("Which come first; `oldest` unless given"),
    before: versionNumber.exactOptional().describe("With order=newest: changes before this version"),
    path: pointer.exactOptional().describe("Changes at, above or below it"),
    actor: actor.exactOptional().describe("Changes by this actor"),
    limit: pageLimit.exactOptional(),
  })
  .refine(({ since, order }) => since === undefined || order !== "newest", {
    path: ["since"],
    message: "goes with order=oldest; with order=newest say before",
  })
  .refine(({ before, order }) => before === undefined || order === "newest", {
    path: ["before"],
    message: "goes with order=newest; without it say since",
  });

export const changeSchema = z.object({
  version,
  seq: z.int().min(1),
  actor: z.string(),
  at: isoTime,
  origin: z.enum(CHANGE_ORIGINS),
  message: z.string().exactOptional(),
  paths: z.array(z.string()),
  resolves: z.string().exactOptional().describe("Id of the conflict that this change resolves"),
  bytes: z.int().min(0).exactOptional().describe("Of its Yjs update; in lists and feeds, not in deliveries"),
});

export const changeListSchema = z.object({
  changes: z.array(changeSchema),
  next: z
    .int()
    .exactOptional()
    .describe("More follow: ask again with since = next, or before = next with order=newest"),
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

export type CreateRequest = z.infer<typeof createRequestSchema>;
export type ChangeRequest = z.infer<typeof changeRequestSchema>;
export type FindQuery = z.infer<typeof findQuerySchema>;
export type ContextInfo = z.infer<typeof contextInfoSchema>;
export type ContextView = z.infer<typeof contextSchema>;
export type ListedContextInfo = z.infer<typeof listedContextSchema>;
export type ContextList = z.infer<typeof contextListSchema>;
export type ChangeResult = z.infer<typeof changeResultSchema>;
export type ChangeView = z.infer<typeof changeSchema>;
export type ChangeList = z.infer<typeof changeListSchema>;
export type Problem = z.infer<typeof problemSchema>;
