/**
 * The health report: what works, what works badly, and what does not.
 *
 * Invariants (HEALTH):
 *  1. `down` only when the server cannot do its work: it is stopping, or its log cannot be written. Everything else that is
 *     wrong makes it `degraded`: taking a server out of service that still works would make things worse.
 *  2. Each check that is not ok says why in a sentence. What is read is in memory: nothing waits.
 *
 * Not here: alerts, which look at time (alert-manager.ts).
 */
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { EngineStats, Health, HealthCheck, HealthStatus } from "../../shared/monitoring.ts";
import { eventLoopDelayMsMax, memoryUsedRatio } from "./alerts/alert-rules.ts";
import { totalsOfContexts } from "./census.ts";
import type { Samples } from "./samples.ts";
import type { Sources } from "./vitals.ts";

/** Later than this is late for who waits for an ack. */
const LAG_MS = 1000;
const QUEUED_MS = 5000;
const DISK_FREE_RATIO = 0.05;
const MEMORY_USED_RATIO = 0.95;
const EVENT_LOOP_MS = 1000;

interface HealthSources {
  readonly sources: Sources;
  /** What takes time to find out was found out for the latest sample. */
  readonly samples: Samples;
  readonly damagedContexts: ReadonlySet<ContextId>;
}

type Finding = readonly [status: Exclude<HealthStatus, "ok">, reason: string] | undefined;

export function checkHealth({ sources, samples, damagedContexts }: HealthSources): Health {
  const log = sources.log();
  const findings: Readonly<Record<string, Finding>> = {
    server: sources.isStopping() ? ["down", "The server is stopping."] : undefined,
    log: logFinding(log),
    ...(log.engine === undefined ? {} : { engine: engineFinding(log.engine) }),
    disk: diskFinding(samples),
    memory: memoryFinding(samples),
    eventLoop: eventLoopFinding(samples),
    contexts: contextsFinding(sources),
    data: damageFinding(damagedContexts),
  };
  const checks = Object.entries(findings).map(([name, finding]): HealthCheck =>
    finding === undefined ? { name, status: "ok" } : { name, status: finding[0], reason: finding[1] },
  );
  const bad = [
    ...checks.filter(({ status }) => status === "down"),
    ...checks.filter(({ status }) => status === "degraded"),
  ];
  return { status: bad[0]?.status ?? "ok", reasons: bad.flatMap(({ reason }) => reason ?? []), checks };
}

function logFinding({ available, lastError, lagMs, queueBytes }: ReturnType<Sources["log"]>): Finding {
  if (!available) return ["down", `The log cannot be written: ${lastError ?? "not open yet"}`];
  if (lagMs >= LAG_MS) return ["degraded", `Changes wait ${seconds(lagMs)} s for the disk.`];
  if (queueBytes < LIMITS.appendQueueBytesMax / 2) return undefined;
  return [
    "degraded",
    `${mebibytes(queueBytes)} MB of changes wait for the disk; at ${mebibytes(LIMITS.appendQueueBytesMax)} MB writes are refused.`,
  ];
}

/** That the log cannot be written says the log itself; this says why, and what may come to that. */
function engineFinding({ isReachable, isPrimary, standbys }: EngineStats): Finding {
  if (!isReachable) return ["degraded", "The database does not answer a new connection."];
  if (!isPrimary) return ["degraded", "The database that answers is a standby, which takes no writes."];
  if (standbys === undefined || standbys.connected >= standbys.needed) return undefined;
  const { needed, connected } = standbys;
  return ["degraded", `Commits wait: they need ${needed} of the standbys, and ${connected} are connected.`];
}

function diskFinding({ latest }: Samples): Finding {
  if (latest?.disk === undefined) return undefined;
  const { freeBytes, totalBytes } = latest.disk;
  if (freeBytes >= totalBytes * DISK_FREE_RATIO) return undefined;
  return ["degraded", `The disk under the data folder is nearly full: ${mebibytes(freeBytes)} MB are left.`];
}

function memoryFinding({ latest }: Samples): Finding {
  const ratio = latest === undefined ? 0 : memoryUsedRatio(latest);
  return ratio < MEMORY_USED_RATIO ? undefined : ["degraded", `${Math.round(ratio * 100)} % of the memory is used.`];
}

function eventLoopFinding(samples: Samples): Finding {
  const delayMs = eventLoopDelayMsMax(samples);
  if (delayMs < EVENT_LOOP_MS) return undefined;
  return ["degraded", `The event loop was held for ${seconds(delayMs)} s within the last minute.`];
}

function contextsFinding(sources: Sources): Finding {
  const { unsound, unsoundCount, longestQueuedMs } = totalsOfContexts(sources.contexts());
  if (unsoundCount > 0) return ["degraded", `The documents of ${named(unsound, unsoundCount)} are not sound.`];
  const { value, contextId } = longestQueuedMs;
  if (value < QUEUED_MS) return undefined;
  return ["degraded", `Writes to ${contextId} have waited ${seconds(value)} s for their turn.`];
}

function damageFinding(damaged: ReadonlySet<ContextId>): Finding {
  if (damaged.size === 0) return undefined;
  return ["degraded", `The log of ${named([...damaged].slice(0, 5), damaged.size)} cannot be read: it is damaged.`];
}

function named(first: readonly ContextId[], count: number): string {
  const more = count - first.length;
  return more > 0 ? `${first.join(", ")} and ${more} more` : first.join(", ");
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / (1024 * 1024));
}
