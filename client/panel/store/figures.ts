/**
 * What the panel reads of the server's figures, sessions and alerts (`/v1/stats`, `/v1/sessions`, `/v1/alerts`): the members it
 * shows, and no others. Servers that have none of it answer NOT_FOUND.
 *
 * Not here: asking (health.ts, session-list.ts), what the words mean (docs/reference/rest.md).
 */
export interface SessionView {
  readonly id: string;
  readonly contextId: string;
  readonly actor: string;
  readonly protocol: string;
  readonly openedAt: string;
  readonly queueBytes: number;
  readonly lagMs: number;
  readonly framesIn: number;
  readonly bytesIn: number;
  readonly framesOut: number;
  readonly bytesOut: number;
}

export interface SessionPage {
  readonly sessions: readonly SessionView[];
  readonly next?: string;
}

export interface AlertView {
  readonly id: string;
  readonly name: string;
  readonly level: "info" | "warning" | "critical";
  readonly summary: string;
  readonly advice: string;
  readonly contextId?: string;
  readonly raisedAt: string;
  readonly clearedAt?: string;
}

export interface AlertList {
  readonly alerts: readonly AlertView[];
  /** Those that are over, the latest first. */
  readonly cleared: readonly AlertView[];
}

interface Latency {
  readonly p99Ms: number;
}

export interface StatsView {
  readonly at: string;
  readonly uptimeMs: number;
  readonly status: "ok" | "degraded" | "down";
  readonly contexts: { readonly inMemory: number; readonly memoryBytes: number };
  readonly sessions: { readonly open: number; readonly behind: number };
  /** Per second. */
  readonly rates: { readonly changes: number; readonly refusals: number; readonly framesOut: number };
  readonly latencies: Readonly<Record<"ack" | "commit" | "propagation", Latency>>;
  readonly log: {
    readonly available: boolean;
    readonly lagMs: number;
    readonly folderBytes?: number;
    readonly diskFreeBytes?: number;
  };
  readonly process: {
    readonly rssBytes: number;
    readonly heapUsedBytes: number;
    /** Of one core. */
    readonly cpuShare: number;
    readonly eventLoopDelayMsMax: number;
  };
}
