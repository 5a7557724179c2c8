/**
 * REST: refused writes as zod schemas.
 *
 * Not here: what the words mean (shared/refusal.ts).
 */
import { z } from "zod";
import { CHANGE_ORIGINS } from "../change.ts";
import { isoTime, silentNodes } from "./rest-fields.ts";

const refusalSchema = z.object({
  id: z.int().min(1).describe("No other has it. Grows at a node, and starts anew with it"),
  at: isoTime,
  actor: z.string(),
  origin: z.enum(CHANGE_ORIGINS).describe("Through which door"),
  code: z.string().describe("Of the error table"),
  rule: z.string().exactOptional().describe("What decided within the code"),
  paths: z.array(z.string()),
  by: z.string().exactOptional().describe("Who was in the way: holds the lock, or wrote before"),
});

export const refusalListSchema = z.object({ refusals: z.array(refusalSchema), silentNodes });

export type RefusalView = z.infer<typeof refusalSchema>;
export type RefusalList = z.infer<typeof refusalListSchema>;
