/** How the log is, for whoever watches. It answers at once. */
import type { EngineStats } from "../../shared/monitoring.ts";

export interface StorageStatus {
  readonly available: boolean;
  /** Of the failure under way; absent when all is well. */
  readonly lastError?: string;
  readonly failedAtMs?: number;
  /** Bytes of appends that wait for the disk, and the age of the oldest. */
  readonly queueBytes: number;
  readonly lagMs: number;
  /** Of a log that other servers write too. */
  readonly engine?: EngineStats;
}

/** Since the start. */
export interface StorageFailures {
  /** How often a write failed. */
  readonly count: number;
  /** Why the last one did. */
  readonly reason: string;
}
