/**
 * REST: the audit log as zod schemas.
 *
 * Not here: what the words mean (shared/audit.ts).
 */
import { z } from "zod";
import { AUDIT_ACTIONS, AUDIT_OUTCOMES } from "../audit.ts";
import type { AuditAction } from "../audit.ts";
import { CHANGE_ORIGINS } from "../change.ts";
import { LIMITS } from "../limits.ts";
import { actor, isoTime, jsonObject, pageLimit } from "./rest-fields.ts";

const ACTIONS = Object.keys(AUDIT_ACTIONS).filter((name): name is AuditAction => Object.hasOwn(AUDIT_ACTIONS, name));

export const auditQuerySchema = z.strictObject({
  since: isoTime.exactOptional().describe("Entries of this time and later"),
  until: isoTime.exactOptional().describe("Entries of this time and earlier"),
  actor: actor.exactOptional(),
  action: z.enum(ACTIONS).exactOptional(),
  context: z.string().max(LIMITS.contextIdCharsMax).exactOptional(),
  outcome: z.enum(AUDIT_OUTCOMES).exactOptional(),
  limit: pageLimit.exactOptional(),
  cursor: z
    .string()
    .regex(/^[0-9a-f]{12}-[0-9a-f]{8}-[0-9a-f]{8}$/, "must be the next of a former page")
    .exactOptional(),
});

export const auditEntrySchema = z.object({
  id: z.string(),
  at: isoTime,
  action: z.string().describe("One of the reference page, or of another release"),
  outcome: z.enum(AUDIT_OUTCOMES),
  actor: z.string().exactOptional().describe("As far as it was verified"),
  code: z.string().exactOptional().describe("Why it was denied"),
  context: z.string().exactOptional(),
  paths: z.array(z.string()).exactOptional(),
  rule: z.string().exactOptional().describe("What decided"),
  address: z.string().exactOptional().describe("Of the network"),
  origin: z.enum(CHANGE_ORIGINS).exactOptional().describe("Through which door"),
  requestId: z.string().exactOptional().describe("Under which the server's log has it"),
  sessionId: z.string().exactOptional(),
  detail: jsonObject.exactOptional(),
  count: z.int().min(2).exactOptional().describe("How many alike it stands for"),
  lastAt: isoTime.exactOptional().describe("When the last of them was"),
});

export const auditListSchema = z.object({ entries: z.array(auditEntrySchema), next: z.string().exactOptional() });

export type AuditEntryView = z.infer<typeof auditEntrySchema>;
export type AuditList = z.infer<typeof auditListSchema>;
