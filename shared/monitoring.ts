/**
 * Monitoring: the words for health, alerts, figures and sessions, on every surface.
 *
 * Not here: how they are found (server/monitor), the wire shapes (protocol/rest-monitoring.ts).
 */
import type { Actor, ContextId } from "./ids.ts";

/** `degraded`: it works, and somebody should look. `down`: it cannot do its work. */
export const HEALTH_STATUSES = ["ok", "degraded", "down"] as const;
export type HealthStatus = (typeof HEALTH_STATUSES)[number];

/** What was looked at, and what is wrong with it if anything is. */
export interface HealthCheck {
  readonly name: string;
  readonly status: HealthStatus;
  readonly reason?: string;
}

export interface Health {
  /** The worst of the checks. */
  readonly status: HealthStatus;
  /** One sentence for each check that is not ok, the worst first. */
  readonly reasons: readonly string[];
  readonly checks: readonly HealthCheck[];
}

/** In order of weight. `info`: good to know. `warning`: look today. `critical`: look now. */
export const ALERT_LEVELS = ["info", "warning", "critical"] as const;
export type AlertLevel = (typeof ALERT_LEVELS)[number];

export interface Alert {
  /** Of this one time that the rule's alert was raised. */
  readonly id: string;
  /** The rule's name, such as `log-lag`. */
  readonly name: string;
  readonly level: AlertLevel;
  /** What is the matter, in a sentence. */
  readonly summary: string;
  /** What to do about it, in a sentence. */
  readonly advice: string;
  /** The latest measure, and the threshold of the level. */
  readonly value: number;
  readonly threshold: number;
  readonly unit: string;
  /** The context with the worst value, for rules that speak of contexts. */
  readonly contextId?: ContextId;
  /** Wall clock, milliseconds since 1970. */
  readonly raisedAtMs: number;
  readonly clearedAtMs?: number;
}

/** `changed`: its level is another one now. */
export type AlertEventKind = "raised" | "changed" | "cleared";

export interface AlertEvent {
  readonly kind: AlertEventKind;
  readonly atMs: number;
  readonly alert: Alert;
}

export const SESSION_PROTOCOLS = ["mcm.v1", "y-websocket"] as const;
export type SessionProtocol = (typeof SESSION_PROTOCOLS)[number];

export interface SessionStats {
  readonly id: string;
  /** Where there are several servers: the place among them of the one that it is at. */
  readonly node?: number;
  readonly contextId: ContextId;
  readonly actor: Actor;
  readonly protocol: SessionProtocol;
  readonly openedAtMs: number;
  /** Bytes that were handed over and that the receiver has not taken. */
  readonly queueBytes: number;
  /** For how long it has been behind; 0 when it is not. */
  readonly lagMs: number;
  readonly framesIn: number;
  readonly bytesIn: number;
  readonly framesOut: number;
  readonly bytesOut: number;
}

export interface SessionQuery {
  readonly contextId?: ContextId;
  readonly limit: number;
  /** Return sessions with ids after this one. */
  readonly after?: string;
}

/** Of the last half to one minute. */
export interface LatencyStats {
  readonly count: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

export interface ContextStats {
  readonly id: ContextId;
  /** The document, encoded. */
  readonly stateBytes: number;
  /** What it takes in memory, roughly. */
  readonly memoryBytes: number;
  /** With its history. */
  readonly diskBytes: number;
  readonly yjsClientIds: number;
  /** Of its Yjs structs, how many stand for deleted content, roughly. */
  readonly tombstones: number;
  readonly queuedWrites: number;
}

/** The database behind the log of several servers, as this one sees it. */
export interface EngineStats {
  readonly isReachable: boolean;
  /** This server's place among those of the database. */
  readonly node: number;
  /** It takes writes. False as well while nobody can say. */
  readonly isPrimary: boolean;
  readonly connections: {
    readonly open: number;
    readonly inUse: number;
    /** Requests that wait for one. */
    readonly waiting: number;
  };
  /** How often a connection that was lost was built again. */
  readonly reconnects: number;
  /** Absent while nobody can say. */
  readonly standbys?: StandbyStats;
}

export interface StandbyStats {
  /** Those that commits wait for, at least; 0 when they wait for none. */
  readonly needed: number;
  /** Those that may be waited for. */
  readonly named: number;
  /** Of those named; of all when none are. */
  readonly connected: number;
  /** What the furthest behind has not replayed; absent when it may not be known. */
  readonly lagBytes?: number;
}

export interface Stats {
  readonly atMs: number;
  readonly uptimeMs: number;
  readonly status: HealthStatus;
  readonly contexts: {
    readonly inMemory: number;
    readonly stateBytes: number;
    readonly memoryBytes: number;
    readonly diskBytes: number;
    readonly queuedWrites: number;
    /** The largest on disk, largest first. */
    readonly largest: readonly ContextStats[];
  };
  readonly sessions: {
    readonly open: number;
    readonly byProtocol: Readonly<Record<SessionProtocol, number>>;
    readonly behind: number;
    readonly queueBytes: number;
  };
  /** Per second, over the last minute. */
  readonly rates: {
    readonly operations: number;
    readonly changes: number;
    readonly refusals: number;
    readonly conflicts: number;
    readonly framesIn: number;
    readonly framesOut: number;
  };
  readonly latencies: Readonly<Record<"operation" | "ack" | "commit" | "propagation", LatencyStats>>;
  readonly log: {
    readonly available: boolean;
    readonly lagMs: number;
    readonly queueBytes: number;
    /** Of the data folder, and of the disk it is on; absent where nothing is kept on disk. */
    readonly folderBytes?: number;
    readonly diskFreeBytes?: number;
    readonly diskTotalBytes?: number;
    /** Absent where the data folder is the log's place. */
    readonly engine?: EngineStats;
  };
  readonly process: {
    readonly rssBytes: number;
    readonly heapUsedBytes: number;
    readonly heapLimitBytes: number;
    /** Of one core, over the last seconds. */
    readonly cpuShare: number;
    /** Share of the time in which the event loop had something to do. */
    readonly eventLoopBusyShare: number;
    /** The longest that something waited for the event loop within the last minute. */
    readonly eventLoopDelayMsMax: number;
  };
  readonly alerts: Readonly<Record<AlertLevel, number>>;
}
