/**
 * The fields that inputs and outputs of tools are made of.
 *
 * Invariants (MCP):
 *  1. Words are snake_case, times ISO 8601 in UTC, locks by their token, and the document's JSON is `data`.
 *  2. Inputs are flat: which members an operation needs is checked after the schema, so that no schema has alternatives.
 *
 * Not here: which tool has which (tools/).
 */
import { z } from "zod";
import { CHANGE_ORIGINS } from "../../../shared/change.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { ROLES } from "../../../shared/permission.ts";

/** Any JSON value: no recursive schema, some hosts follow no references. */
export const anyJson = z.unknown();
export const id = z.string().min(1).describe('Context id, e.g. "release-plan"');
export const path = z.string().max(LIMITS.pathCharsMax).describe('JSON Pointer, e.g. "/tasks/t1/title"; "" is all');
export const part = path.default("");
export const version = z.int().min(0);
export const lockToken = z.string().describe("lock_token of a lock that you hold; several with commas between");
export const message = z.string().max(LIMITS.messageCharsMax).describe("Why; shown in the history");

export const role = z.enum(ROLES);

export const summary = z.object({
  id: z.string(),
  uri: z.string(),
  name: z.string().optional(),
  description: z.string().optional(),
  type: z.string().optional(),
  tags: z.array(z.string()),
  version,
  updated_at: z.string(),
  your_role: role.optional(),
});

export const lock = z.object({
  path: z.string().optional(),
  paths: z.array(z.string()).optional().describe("Instead of path, when there are several"),
  mode: z.literal("shared").optional().describe("Nobody writes there"),
  holder: z.string(),
  purpose: z.string().optional(),
  expires_at: z.string(),
  fencing: z.int(),
  lock_token: z.string().optional().describe("Of your own locks"),
});

export const change = z.object({
  version,
  at: z.string(),
  by: z.string(),
  via: z.enum(CHANGE_ORIGINS),
  message: z.string().optional(),
  paths: z.array(z.string()),
});

export const patch = z
  .array(z.object({ op: z.string(), path: z.string(), from: z.string().optional(), value: anyJson.optional() }))
  .describe("RFC 6902");
