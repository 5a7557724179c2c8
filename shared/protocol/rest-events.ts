/**
 * REST: the events of /v1/events. An event says that there is something to see, not what.
 */
import { z } from "zod";
import { CONTEXT_EVENTS } from "../context.ts";

export const eventSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.enum(CONTEXT_EVENTS), id: z.string() }),
  /** More happened than could be told: look at everything that matters. */
  z.object({ kind: z.literal("missed") }),
]);

export type EventView = z.infer<typeof eventSchema>;
