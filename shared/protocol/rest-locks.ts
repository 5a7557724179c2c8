/**
 * REST and requests of mcm.v1: the bodies of locks as zod schemas.
 *
 * Not here: what the words mean (shared/lock.ts).
 */
import { z } from "zod";
import { LIMITS } from "../limits.ts";
import { LOCK_MODES } from "../lock.ts";
import { isoTime, pointer } from "./rest-fields.ts";

const ttlMs = z.int().min(LIMITS.lockTtlMsMin).max(LIMITS.lockTtlMsMax);

export const lockRequestSchema = z.strictObject({
  lockId: z.uuid().exactOptional().describe("Made by the client, to ask again without taking it twice"),
  paths: z.array(pointer).min(1).max(LIMITS.lockPathsMax).describe("All of them or none; they need not exist"),
  mode: z.enum(LOCK_MODES).exactOptional().describe("exclusive (default): only the holder writes; shared: nobody does"),
  ttlMs: ttlMs.exactOptional().describe("How long it lasts unless it is renewed"),
  waitMs: z.int().min(0).max(LIMITS.lockWaitMsMax).exactOptional().describe("How long to wait for it"),
  purpose: z.string().min(1).max(LIMITS.lockPurposeCharsMax).exactOptional().describe("Why; others see it"),
});

export const renewRequestSchema = z.strictObject({ ttlMs: ttlMs.exactOptional() });

export const releaseQuerySchema = z.strictObject({
  force: z.enum(["true", "false"]).exactOptional().describe("true: also somebody else's; for admins of the context"),
});

export const lockSchema = z.object({
  lockId: z.string(),
  paths: z.array(z.string()),
  mode: z.enum(LOCK_MODES),
  holder: z.string(),
  purpose: z.string().exactOptional(),
  fencingToken: z.int().min(1).describe("Shown with a write, as Lock-Token; grows with every lock of the context"),
  ttlMs: z.int(),
  expiresAt: isoTime,
});

export const lockWaiterSchema = z.object({
  lockId: z.string().describe("Of the lock that is waited for"),
  paths: z.array(z.string()),
  mode: z.enum(LOCK_MODES),
  actor: z.string(),
  sessionId: z.string().exactOptional().describe("Of the live session that asked"),
  purpose: z.string().exactOptional(),
  since: isoTime,
  until: isoTime.describe("When it gives up"),
  position: z.int().min(1).describe("1 is next at these paths: one more than those in its way who asked earlier"),
});

export const lockListSchema = z.object({ locks: z.array(lockSchema), waiting: z.array(lockWaiterSchema) });

export const heldLockListSchema = z.object({ locks: z.array(lockSchema.extend({ contextId: z.string() })) });

export type HeldLockView = z.infer<typeof heldLockListSchema>["locks"][number];
export type HeldLockList = z.infer<typeof heldLockListSchema>;
export type LockBody = z.infer<typeof lockRequestSchema>;
export type LockView = z.infer<typeof lockSchema>;
export type LockWaiterView = z.infer<typeof lockWaiterSchema>;
export type LockList = z.infer<typeof lockListSchema>;
