/**
 * REST: the bodies of a context's past as zod schemas: diffs, blame, restoring, undoing, checkpoints, compaction.
 *
 * Not here: the list of changes (rest.ts), what the words mean (shared/history.ts).
 */
import { z } from "zod";
import { LIMITS } from "../limits.ts";
import { actor, isoTime, message, pointer, version, versionNumber } from "./rest-fields.ts";
import { jsonOpSchema } from "./rest.ts";

const changes = z.array(jsonOpSchema);
const dryRun = z.boolean().exactOptional().describe("Say what would be done, and do nothing");

export const diffQuerySchema = z.strictObject({
  from: versionNumber,
  to: versionNumber.exactOptional().describe("The present version unless given; may be before from"),
  path: pointer.exactOptional(),
});

export const diffSchema = z.object({
  from: version,
  to: version,
  path: z.string(),
  changes: changes.describe("JSON Patch that turns the one into the other"),
});

export const restoreRequestSchema = z.strictObject({
  version: version.describe("Make it what it was at this version, by a new change"),
  path: pointer.exactOptional().describe("Only the part at it"),
  dryRun,
  message: message.exactOptional(),
});

export const undoRequestSchema = z
  .strictObject({
    actor: actor.describe("Whose changes"),
    from: version.describe("Changes after this version"),
    to: version.exactOptional().describe("… up to this one; the present version unless given"),
    path: pointer.exactOptional().describe("Only what lies at or below it"),
    dryRun,
    message: message.exactOptional(),
  })
  .refine(({ from, to }) => to === undefined || to > from, { path: ["to"], message: "must be after from" });

const authorship = {
  version: version.exactOptional().describe("Absent: before the oldest change that the history keeps"),
  actor: z.string().exactOptional(),
  at: isoTime.exactOptional(),
  message: z.string().exactOptional(),
};

export const revertResultSchema = z.object({
  version: version.describe("With it in; unchanged when nothing was to be done, and for a dry run"),
  changes: changes.describe("What was done, or would be"),
  kept: z
    .array(
      z.object({
        path: z.string(),
        reason: z.enum(["changed-since", "not-json"]),
        by: z.object(authorship).exactOptional(),
      }),
    )
    .describe("Places that were left as they are, and why"),
  dryRun: z.boolean(),
});

export const blameQuerySchema = z.strictObject({ path: pointer.exactOptional() });

export const blameSchema = z.object({
  version,
  lines: z.array(
    z.object({
      path: z.string().describe("A value; for an element of an array the array, and `index` says which"),
      index: z.int().min(0).exactOptional(),
      start: z.int().min(0).exactOptional().describe("Of a run of a text: where it begins, in UTF-16 units"),
      text: z.string().exactOptional().describe("… and what it says"),
      ...authorship,
    }),
  ),
});

/** It stands in addresses, so it can't be "." or "..". */
export const checkpointNameSchema = z
  .string()
  .max(LIMITS.checkpointNameCharsMax)
  .regex(/^[\p{L}\p{N}][^\p{Cc}\p{Cs}]*$/u, "must begin with a letter or digit and have no control characters");

export const checkpointRequestSchema = z.strictObject({
  name: checkpointNameSchema,
  version: version.exactOptional().describe("The present version unless given"),
  message: message.exactOptional(),
});

export const checkpointSchema = z.object({
  name: z.string(),
  version,
  seq: z.int().min(0),
  actor: z.string(),
  at: isoTime,
  message: z.string().exactOptional(),
});

export const checkpointListSchema = z.object({ checkpoints: z.array(checkpointSchema) });

/** Nothing to say, but say it: a request without a body is one that any web page may send. */
export const compactRequestSchema = z.strictObject({});

export const compactResultSchema = z.object({
  version,
  epoch: z.int().min(1),
  bytesBefore: z.int().min(0),
  bytesAfter: z.int().min(0),
});

export type DiffView = z.infer<typeof diffSchema>;
export type RestoreBody = z.infer<typeof restoreRequestSchema>;
export type UndoBody = z.infer<typeof undoRequestSchema>;
export type RevertResult = z.infer<typeof revertResultSchema>;
export type BlameView = z.infer<typeof blameSchema>;
export type CheckpointBody = z.infer<typeof checkpointRequestSchema>;
export type CheckpointView = z.infer<typeof checkpointSchema>;
export type CheckpointList = z.infer<typeof checkpointListSchema>;
export type CompactResult = z.infer<typeof compactResultSchema>;
