/**
 * What the monitor asks instead of being told: how the parts are at this moment. The composition root gives the answers.
 *
 * Not here: finding out about the process itself (process-vitals.ts) and the disk (disk-probe.ts).
 */
import type { ContextId } from "../../shared/ids.ts";
import type { ContextStats, EngineStats, SessionStats } from "../../shared/monitoring.ts";
import type { WebhookState } from "../../shared/webhook.ts";

export interface LogVitals {
  readonly available: boolean;
  /** Of the failure under way. */
  readonly lastError?: string;
  readonly failedAtMs?: number;
  readonly queueBytes: number;
  /** Age of the oldest append that has no answer. */
  readonly lagMs: number;
  /** Of a log that other servers write too. */
  readonly engine?: EngineStats;
}

/** A context in memory. */
export interface ContextVitals extends Omit<ContextStats, "id" | "tombstones"> {
  readonly contextId: ContextId;
  /** Yjs structs of the document. */
  readonly structs: number;
  /** Counts those that stand for deleted content, from a sample when there are many. */
  readonly tombstones: () => number;
  /** How long the oldest write that waits for its turn has waited. */
  readonly queuedForMs: number;
  /** The document takes transactions and holds nothing that waits for missing content. */
  readonly isSound: boolean;
}

/** All webhooks together. */
export interface WebhookVitals {
  readonly byState: Readonly<Record<WebhookState, number>>;
  /** Contexts that are known to have changes that a target was not told of, counted for each webhook. */
  readonly behind: number;
  /** Deliveries that were given up. */
  readonly deadLetters: number;
}

export interface DiskVitals {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Of the data folder. */
  readonly folderBytes: number;
  /** How long the smallest request to the file system took, through libuv's threads. */
  readonly answerMs: number;
}

export interface ProcessVitals {
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  readonly heapLimitBytes: number;
  /** Outside of V8's heap: buffers. */
  readonly externalBytes: number;
  /** What the machine or the container has. */
  readonly memoryLimitBytes: number;
  /** Since the reading before. Shares of one core. */
  readonly cpuShare: number;
  readonly eventLoopBusyShare: number;
  /** Since the reading before that. */
  readonly eventLoopDelayMsMax: number;
}

/** The parts, as the monitor may ask them. All but `disk` answer at once. */
export interface Sources {
  readonly log: () => LogVitals;
  readonly contexts: () => Iterable<ContextVitals>;
  readonly sessions: () => Iterable<SessionStats>;
  /** Requests for the past that wait for a worker. */
  readonly historyQueue: () => number;
  readonly webhooks: () => WebhookVitals;
  readonly isStopping: () => boolean;
}

/** Until the parts are there: nothing is wrong, and there is nothing. */
export const NO_SOURCES: Sources = {
  log: () => ({ available: true, queueBytes: 0, lagMs: 0 }),
  contexts: () => [],
  sessions: () => [],
  historyQueue: () => 0,
  webhooks: () => ({ byState: { active: 0, retrying: 0, paused: 0, stopped: 0 }, behind: 0, deadLetters: 0 }),
  isStopping: () => false,
};
