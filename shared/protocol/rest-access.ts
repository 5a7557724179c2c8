/**
 * REST: access lists and revocations as zod schemas.
 *
 * Not here: what follows from them (server/state/access), the words (shared/permission.ts).
 */
import { z } from "zod";
import { LIMITS } from "../limits.ts";
import { EVERYBODY, ROLES } from "../permission.ts";
import { actor, isoTime, message, pointer } from "./rest-fields.ts";

/** As parseActor takes it. */
export const actorName = actor.min(1).regex(/^[^\p{Cc}\p{Cs}]*$/u, "must have no control characters");
const tokenId = z.string().min(1).max(LIMITS.tokenIdCharsMax);

const grantSchema = z
  .strictObject({
    principal: actorName.describe(`An actor, or \`${EVERYBODY}\` for everybody who has proven who they are`),
    role: z.enum(ROLES).describe("Each may do what those before it may"),
    paths: z
      .array(pointer)
      .min(1)
      .max(LIMITS.grantPathsMax)
      .exactOptional()
      .describe("Of a writer: where it may write and lock, at these paths and below; everywhere unless given"),
  })
  .refine(({ role, paths }) => paths === undefined || role === "writer", {
    path: ["paths"],
    message: "goes with role writer: readers read, and admins write, everywhere",
  })
  .meta({ id: "Grant" });

const grantChangeSchema = z.strictObject({
  principal: actorName.describe(`An actor, or \`${EVERYBODY}\``),
  role: z.enum([...ROLES, "none"]).describe("none takes away what it had"),
  paths: grantSchema.shape.paths,
});

const grants = z.array(grantSchema).max(LIMITS.aclGrantsMax);

export const aclRequestSchema = z.strictObject({ grants });

export const shareRequestSchema = z.strictObject({
  grants: z
    .array(grantChangeSchema)
    .min(1)
    .max(LIMITS.aclGrantsMax)
    .describe("One for each principal, in place of all that it had; the others keep theirs"),
});

export const aclSchema = z.object({ grants: z.array(grantSchema) });

export const revocationRequestSchema = z
  .strictObject({
    tokenId: tokenId.exactOptional().describe("The token's `jti`: this token alone"),
    subject: actorName.exactOptional().describe("The token's `sub`: all tokens that this actor has now"),
    expiresAt: isoTime.exactOptional().describe("When the token ends by itself, so that this may be forgotten"),
    reason: message.min(1).exactOptional().describe("Why; kept with it"),
  })
  .refine(({ tokenId: id, subject }) => (id === undefined) !== (subject === undefined), {
    message: "says one of tokenId and subject",
  });

const revocationSchema = z.object({
  id: z.string(),
  tokenId: z.string().exactOptional(),
  subject: z.string().exactOptional(),
  revokedAt: isoTime,
  revokedBy: z.string(),
  reason: z.string().exactOptional(),
  expiresAt: isoTime.exactOptional(),
});

export const revocationResultSchema = z.object({ revocation: revocationSchema });
export const revocationListSchema = z.object({ revocations: z.array(revocationSchema) });

export type ShareBody = z.infer<typeof shareRequestSchema>;
export type AclBody = z.infer<typeof aclRequestSchema>;
export type AclView = z.infer<typeof aclSchema>;
export type RevocationBody = z.infer<typeof revocationRequestSchema>;
export type RevocationView = z.infer<typeof revocationSchema>;
export type RevocationResult = z.infer<typeof revocationResultSchema>;
export type RevocationList = z.infer<typeof revocationListSchema>;
