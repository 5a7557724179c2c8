/**
 * REST: the bodies of exports, imports and backups as zod schemas.
 *
 * Not here: lists of updates (update-list.ts), the stream of a backup (server/storage/backup/backup-stream.ts).
 */
import { z } from "zod";
import { ERRORS } from "../errors.ts";
import { contextInfoSchema, createRequestSchema } from "./rest.ts";
import { jsonObject, jsonValue } from "./rest-fields.ts";

/** The form of an exported context; another number when older releases could misread it. */
export const CONTEXT_FORMAT = "mcm-context/1";

const roots = z
  .record(z.string(), jsonValue)
  .describe('Roots beside the data that hold something, by name: {"page": {"$xml": […]}}');

export const contextFileSchema = contextInfoSchema.extend({
  format: z.literal(CONTEXT_FORMAT),
  data: jsonObject.describe('With marks: {"$text": "…"} is a text, {"$bytes": base64} bytes, {"$xml": …} XML'),
  roots,
});

const { name, description, type, tags } = createRequestSchema.shape;

/** What an export wrote, or as much of it as there is; who made it when is not taken over. */
export const importBodySchema = z.strictObject({
  ...contextFileSchema.partial().shape,
  format: z.literal(CONTEXT_FORMAT),
  name,
  description,
  type,
  tags,
  data: jsonObject,
});

export const exportQuerySchema = z.strictObject({
  format: z
    .enum(["json", "yjs", "yjs-v2"])
    .exactOptional()
    .describe(
      "`json`, the default, has what JSON can say; `yjs` and `yjs-v2` are the whole document as one Yjs update",
    ),
});

export const importQuerySchema = z.strictObject({
  replace: z
    .enum(["true", "false"])
    .transform((text) => text === "true")
    .exactOptional()
    .describe("Take the place of a context that has the id; its history goes"),
  name: name.describe("With Yjs updates; JSON says it itself"),
  description,
  type,
  tags: z
    .string()
    .exactOptional()
    .transform((text) => text?.split(",").filter((tag) => tag !== ""))
    .pipe(tags)
    .describe("Separated by commas"),
});

export const importResultSchema = contextInfoSchema.extend({
  updates: z
    .object({
      applied: z.int().min(0),
      repeated: z.int().min(0).describe("Said nothing that was not there already"),
      refused: z.int().min(0),
      refusals: z
        .array(z.object({ index: z.int().min(0), code: z.enum(Object.keys(ERRORS)), message: z.string() }))
        .describe("The first of them, by their place in the list"),
    })
    .exactOptional()
    .describe("Of Yjs updates: what became of them"),
});

export const backupRequestSchema = z.strictObject({});

export type ContextFile = z.infer<typeof contextFileSchema>;
export type ImportResult = z.infer<typeof importResultSchema>;
