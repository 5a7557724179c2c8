/** The figures for people: what a census, the last samples and the latencies say. */
import type { AlertLevel, ContextStats, HealthStatus, Stats } from "../../shared/monitoring.ts";
import { topOf } from "./census.ts";
import type { Census } from "./census.ts";
import type { Counts } from "./metrics/counts.ts";
import { eventLoopDelayMsMax } from "./alerts/alert-rules.ts";
import type { CounterName, Samples } from "./samples.ts";
import type { ContextVitals } from "./vitals.ts";

interface Findings {
  readonly atMs: number;
  readonly uptimeMs: number;
  readonly status: HealthStatus;
  readonly census: Census;
  readonly samples: Samples;
  readonly counts: Counts;
  readonly alerts: Readonly<Record<AlertLevel, number>>;
}

/** Contexts that are told by name. */
const LARGEST = 10;
const MINUTE_MS = 60_000;

export function statsOf({ census, samples, counts, ...rest }: Findings): Stats {
  const { log, contexts, contextTotals, sessionTotals } = census;
  const { inMemory, stateBytes, memoryBytes, diskBytes, queuedWrites } = contextTotals;
  const { open, byProtocol, behind, queueBytes } = sessionTotals;
  const largest = topOf(contexts, LARGEST, (context) => context.diskBytes).first.map(contextStats);
  const rate = (counter: CounterName): number => rounded(samples.perSecond(counter, MINUTE_MS));
  return {
    ...rest,
    contexts: { inMemory, stateBytes, memoryBytes, diskBytes, queuedWrites, largest },
    sessions: { open, byProtocol, behind, queueBytes },
    rates: {
      operations: rate("operations"),
      changes: rate("changes"),
      refusals: rate("refusals"),
      conflicts: rate("conflicts"),
      framesIn: rate("framesIn"),
      framesOut: rate("framesOut"),
    },
    latencies: {
      operation: counts.operationRecent.stats(),
      ack: counts.acks.recent.stats(),
      commit: counts.commits.recent.stats(),
      propagation: counts.propagations.recent.stats(),
    },
    log: {
      available: log.available,
      lagMs: rounded(log.lagMs),
      queueBytes: log.queueBytes,
      ...diskStats(samples),
      ...(log.engine === undefined ? {} : { engine: log.engine }),
    },
    process: processStats(samples),
  };
}

function contextStats(context: ContextVitals): ContextStats {
  const { contextId: id, stateBytes, memoryBytes, diskBytes, yjsClientIds, queuedWrites } = context;
  const tombstones = context.tombstones();
  return { id, stateBytes, memoryBytes, diskBytes, yjsClientIds, tombstones, queuedWrites };
}

function diskStats({ latest }: Samples): Partial<Stats["log"]> {
  if (latest?.disk === undefined) return {};
  const { folderBytes, freeBytes, totalBytes } = latest.disk;
  return { folderBytes, diskFreeBytes: freeBytes, diskTotalBytes: totalBytes };
}

function processStats(samples: Samples): Stats["process"] {
  const { latest } = samples;
  return {
    rssBytes: latest?.process.rssBytes ?? 0,
    heapUsedBytes: latest?.process.heapUsedBytes ?? 0,
    heapLimitBytes: latest?.process.heapLimitBytes ?? 0,
    cpuShare: rounded(latest?.process.cpuShare ?? 0),
    eventLoopBusyShare: rounded(latest?.process.eventLoopBusyShare ?? 0),
    eventLoopDelayMsMax: rounded(eventLoopDelayMsMax(samples)),
  };
}

/** Three digits behind the point: more would be noise. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
