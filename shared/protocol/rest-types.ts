/**
 * REST: the bodies of context types as zod schemas.
 *
 * Not here: what a JSON Schema may hold (the core says INVALID_SCHEMA).
 */
import { z } from "zod";
import { LIMITS } from "../limits.ts";
import { isoTime, jsonObject } from "./rest-fields.ts";

/** Spelled like the id of a context: it stands in addresses and names files. */
export const typeNameSchema = z
  .string()
  .max(LIMITS.contextIdCharsMax)
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._:-]*$/,
    "must be letters, digits, '.', '_', ':' or '-', starting with a letter or digit",
  );

export const typeRequestSchema = z.strictObject({ schema: jsonObject.describe("JSON Schema, draft 2020-12") });

export const typeQuerySchema = z.strictObject({
  dryRun: z
    .enum(["true", "false"])
    .transform((text) => text === "true")
    .exactOptional()
    .describe("Only check the contexts of the type"),
});

export const typeSchema = z.object({
  name: z.string(),
  schema: jsonObject,
  revision: z.int().min(1).describe("How many different schemas were registered"),
  updatedAt: isoTime,
  updatedBy: z.string(),
});

export const typeListSchema = z.object({ types: z.array(typeSchema) });

const violation = z.object({ path: z.string(), message: z.string() });

export const typeResultSchema = z.object({
  type: typeSchema,
  report: z.object({
    checked: z.int().min(0).describe("Contexts of the type"),
    invalid: z.array(z.object({ id: z.string(), violations: z.array(violation) })),
  }),
});

export type TypeView = z.infer<typeof typeSchema>;
export type TypeList = z.infer<typeof typeListSchema>;
export type TypeResult = z.infer<typeof typeResultSchema>;
