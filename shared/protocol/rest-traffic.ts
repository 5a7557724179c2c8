/**
 * REST: the events of a session's traffic as zod schemas.
 *
 * Not here: what the words mean (shared/traffic.ts), the session itself (rest-monitoring.ts).
 */
import { z } from "zod";
import { FRAME_DIRECTIONS, FRAME_NAMES } from "../traffic.ts";
import { isoTime, jsonObject } from "./rest-fields.ts";
import { sessionSchema } from "./rest-monitoring.ts";

/** The event `frame`. */
export const sessionFrameSchema = z.object({
  direction: z.enum(FRAME_DIRECTIONS),
  at: isoTime,
  type: z.enum(FRAME_NAMES),
  bytes: z.int().min(0),
  facts: jsonObject,
});

/** The event `missed`. */
export const missedFramesSchema = z.object({ frames: z.int().min(1) });

/** The event `ended`. */
export const sessionEndSchema = z.object({
  at: isoTime,
  by: z.enum(["server", "client"]),
  closeCode: z.int().exactOptional(),
  reason: z.string().exactOptional(),
});

/** Those, and first of all the session. */
export const trafficSchema = z.union([sessionSchema, sessionFrameSchema, missedFramesSchema, sessionEndSchema]);

export type SessionFrameView = z.infer<typeof sessionFrameSchema>;
export type MissedFramesView = z.infer<typeof missedFramesSchema>;
export type SessionEndView = z.infer<typeof sessionEndSchema>;
