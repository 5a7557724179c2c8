/**
 * REST: the bodies of conflicts as zod schemas.
 *
 * Not here: what the words mean (shared/conflict.ts).
 */
import { z } from "zod";
import { CONFLICT_KINDS, CONFLICT_POLICIES, CONFLICT_STATUSES } from "../conflict.ts";
import { LIMITS } from "../limits.ts";
import { isoTime, jsonValue, message, pageLimit, pointer, version } from "./rest-fields.ts";
import { jsonOpSchema } from "./rest.ts";

export const conflictIdSchema = z.string().regex(/^\d{1,15}\.\d{1,6}$/, 'must be the id of a conflict, such as "17.0"');

export const conflictsQuerySchema = z.strictObject({
  status: z.enum(CONFLICT_STATUSES).exactOptional(),
  path: pointer.exactOptional().describe("Conflicts at, above or below it"),
  limit: pageLimit.exactOptional(),
  cursor: conflictIdSchema.exactOptional(),
});

const side = z.object({
  actor: z
    .string()
    .exactOptional()
    .describe("Absent, like the version, when it is older than what the server remembers"),
  version: version.exactOptional(),
  value: jsonValue.exactOptional().describe("Absent for a deletion"),
});

export const conflictSchema = z.object({
  id: z.string(),
  path: z.string(),
  isNested: z.literal(true).exactOptional().describe("The place is inside an element of the array at the path"),
  kind: z.enum(CONFLICT_KINDS),
  policy: z.enum(CONFLICT_POLICIES),
  winner: side.describe("What the merge kept, before any policy"),
  loser: side,
  status: z.enum(CONFLICT_STATUSES),
  at: isoTime,
  version: version.describe("The version at which it was found"),
  resolution: z.object({ version, actor: z.string(), at: isoTime }).exactOptional(),
});

export const conflictListSchema = z.object({ conflicts: z.array(conflictSchema), next: z.string().exactOptional() });

export const resolveRequestSchema = z
  .strictObject({
    take: z.enum(["winner", "loser"]).exactOptional().describe("Write the value of this side"),
    changes: z
      .array(jsonOpSchema)
      .max(LIMITS.opsMax)
      .exactOptional()
      .describe("Or write this; none at all lets the present content stand"),
    message: message.exactOptional(),
  })
  .refine(({ take, changes }) => (take === undefined) !== (changes === undefined), {
    path: ["take"],
    message: "must be there, or else changes; not both",
  });

export const resolveResultSchema = z.object({ version, conflict: conflictSchema });

export type ConflictView = z.infer<typeof conflictSchema>;
export type ConflictList = z.infer<typeof conflictListSchema>;
export type ResolveBody = z.infer<typeof resolveRequestSchema>;
export type ResolveResult = z.infer<typeof resolveResultSchema>;
