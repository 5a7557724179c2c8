/**
 * REST: health, alerts, figures and sessions as zod schemas.
 *
 * Not here: what the words mean (shared/monitoring.ts).
 */
import { z } from "zod";
import { LIMITS } from "../limits.ts";
import { ALERT_LEVELS, HEALTH_STATUSES, SESSION_PROTOCOLS } from "../monitoring.ts";
import { isoTime, pageLimit, silentNodes } from "./rest-fields.ts";

const count = z.int().min(0);
const amount = z.number().min(0);

export const healthSchema = z.object({
  status: z.enum(HEALTH_STATUSES).describe("degraded: it works, and somebody should look; down: it cannot do its work"),
  reasons: z.array(z.string()).describe("What is wrong, the worst first"),
  checks: z
    .array(z.object({ name: z.string(), status: z.enum(HEALTH_STATUSES), reason: z.string().exactOptional() }))
    .exactOptional(),
});

export const alertSchema = z.object({
  id: z.string(),
  name: z.string(),
  level: z.enum(ALERT_LEVELS),
  summary: z.string(),
  advice: z.string().describe("What to do"),
  value: z.number(),
  threshold: z.number(),
  unit: z.string(),
  contextId: z.string().exactOptional().describe("The context with the worst value, for rules that speak of contexts"),
  raisedAt: isoTime,
  clearedAt: isoTime.exactOptional(),
});

export const alertListSchema = z.object({
  alerts: z.array(alertSchema).describe("Those there are now"),
  cleared: z.array(alertSchema).describe("Those that are over, the latest first"),
});

/** In the live feed, and what a webhook is sent. */
export const alertEventSchema = z.object({
  type: z.enum(["alert.raised", "alert.changed", "alert.cleared"]),
  at: isoTime,
  alert: alertSchema,
});

export const sessionsQuerySchema = z.strictObject({
  context: z.string().max(LIMITS.contextIdCharsMax).exactOptional().describe("Only those on this context"),
  limit: pageLimit.exactOptional(),
  cursor: z.string().max(64).exactOptional().describe("Id of the last session of the page before"),
});

export const sessionSchema = z.object({
  id: z.string(),
  node: count.exactOptional().describe("Of several nodes the one that it is at"),
  contextId: z.string(),
  actor: z.string(),
  protocol: z.enum(SESSION_PROTOCOLS),
  openedAt: isoTime,
  queueBytes: count.describe("Handed over and not taken by the receiver yet"),
  lagMs: amount.describe("How long the receiver has been behind; 0 when it is not"),
  framesIn: count,
  bytesIn: count,
  framesOut: count,
  bytesOut: count,
});

export const sessionListSchema = z.object({
  sessions: z.array(sessionSchema),
  next: z.string().exactOptional(),
  silentNodes,
});

const latencySchema = z.object({ count, p50Ms: amount, p95Ms: amount, p99Ms: amount });

const engineSchema = z.object({
  isReachable: z.boolean(),
  isPrimary: z.boolean(),
  node: count.describe("Which of the nodes answers"),
  connections: z.object({ open: count, inUse: count, waiting: count.describe("Requests that wait for one") }),
  reconnects: count,
  standbys: z
    .object({
      needed: count.describe("Those that commits wait for, at least"),
      named: count,
      connected: count,
      lagBytes: count.exactOptional().describe("What the furthest behind has not replayed"),
    })
    .exactOptional(),
});

export const statsSchema = z.object({
  at: isoTime,
  uptimeMs: amount,
  status: z.enum(HEALTH_STATUSES),
  contexts: z.object({
    inMemory: count,
    stateBytes: count.describe("Documents, encoded"),
    memoryBytes: count.describe("What they take in memory, roughly"),
    diskBytes: count.describe("Those in memory, with their history"),
    queuedWrites: count,
    largest: z.array(
      z.object({
        id: z.string(),
        stateBytes: count,
        memoryBytes: count,
        diskBytes: count,
        yjsClientIds: count,
        tombstones: count.describe("Yjs structs that stand for deleted content, roughly"),
        queuedWrites: count,
      }),
    ),
  }),
  sessions: z.object({
    open: count,
    byProtocol: z.record(z.enum(SESSION_PROTOCOLS), count),
    behind: count,
    queueBytes: count,
  }),
  rates: z
    .object({
      operations: amount,
      changes: amount,
      refusals: amount,
      conflicts: amount,
      framesIn: amount,
      framesOut: amount,
    })
    .describe("Per second, over the last minute"),
  latencies: z
    .record(z.enum(["operation", "ack", "commit", "propagation"]), latencySchema)
    .describe("Of the last half to one minute"),
  log: z.object({
    available: z.boolean(),
    lagMs: amount.describe("Age of the oldest change that waits for the disk"),
    queueBytes: count,
    folderBytes: count.exactOptional(),
    diskFreeBytes: count.exactOptional(),
    diskTotalBytes: count.exactOptional(),
    engine: engineSchema.exactOptional().describe("The database, where the log is in one"),
  }),
  process: z.object({
    rssBytes: count,
    heapUsedBytes: count,
    heapLimitBytes: count,
    cpuShare: amount.describe("Of one core, over the last seconds"),
    eventLoopBusyShare: amount,
    eventLoopDelayMsMax: amount.describe("Within the last minute"),
  }),
  alerts: z.record(z.enum(ALERT_LEVELS), count),
});

export type AlertView = z.infer<typeof alertSchema>;
export type AlertList = z.infer<typeof alertListSchema>;
export type AlertEventView = z.infer<typeof alertEventSchema>;
export type SessionView = z.infer<typeof sessionSchema>;
export type SessionList = z.infer<typeof sessionListSchema>;
export type StatsView = z.infer<typeof statsSchema>;
