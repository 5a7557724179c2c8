/**
 * How much history a context keeps: is it time to drop some of its log, and how far.
 *
 * Invariants (RET):
 *  1. Nothing is dropped within the bounds of the policy; three quarters of each bound stay, so that dropping is rare.
 *  2. What is dropped is the oldest part of the log, whole: up to a position and everything before it.
 *
 * Not here: dropping it (server/storage/retention).
 */
import type { ContextHead } from "../../shared/context.ts";
import type { LogEntry, LogSize } from "../storage/change-log.ts";

/** Each bound by itself; one that is absent bounds nothing. */
export interface RetentionPolicy {
  readonly changesMax?: number;
  readonly ageMsMax?: number;
  /** Of the log, without checkpoints. */
  readonly bytesMax?: number;
}

export interface HistoryFacts {
  readonly head: Pick<ContextHead, "seq" | "version">;
  readonly size: LogSize;
  readonly nowMs: number;
  /** When the oldest entry that is there was written; absent when there is none, or it was not asked for. */
  readonly oldestAtMs?: number | undefined;
}

/** What must be gone when it is done. */
export interface ThinningGoal {
  readonly uptoVersion: number;
  readonly bytes: number;
  readonly beforeMs: number;
}

const SHARE_THAT_STAYS = 3 / 4;
const MS_PER_DAY = 24 * 60 * 60 * 1000;
/** What an entry takes in the log beside its update and paths, roughly. */
const ENTRY_BYTES = 24;

/** The settings of the server (docs/reference/config.md), where 0 means no bound. */
export interface RetentionSettings {
  readonly historyChanges: number;
  readonly historyDays: number;
  readonly historyBytes: number;
}

export function policyOf({ historyChanges, historyDays, historyBytes }: RetentionSettings): RetentionPolicy {
  return {
    ...(historyChanges > 0 ? { changesMax: historyChanges } : {}),
    ...(historyDays > 0 ? { ageMsMax: historyDays * MS_PER_DAY } : {}),
    ...(historyBytes > 0 ? { bytesMax: historyBytes } : {}),
  };
}

/** Undefined when nothing is due. */
export function thinningGoal(policy: RetentionPolicy, facts: HistoryFacts): ThinningGoal | undefined {
  const { changesMax = Infinity, ageMsMax = Infinity, bytesMax = Infinity } = policy;
  const { head, size, nowMs, oldestAtMs = Infinity } = facts;
  const changes = head.version - size.baseVersion;
  if (changes <= changesMax && size.logBytes <= bytesMax && nowMs - oldestAtMs <= ageMsMax) return undefined;
  return {
    uptoVersion: head.version - Math.ceil(changesMax * SHARE_THAT_STAYS),
    bytes: size.logBytes - Math.ceil(bytesMax * SHARE_THAT_STAYS),
    beforeMs: nowMs - ageMsMax * SHARE_THAT_STAYS,
  };
}

/** Goes through entries from the base on until the goal is reached. */
export class Thinning {
  readonly #goal: ThinningGoal;
  #bytes = 0;
  #seq: number;

  constructor(goal: ThinningGoal, baseSeq: number) {
    this.#goal = goal;
    this.#seq = baseSeq;
  }

  /** The last entry that goes. */
  get seq(): number {
    return this.#seq;
  }

  /** The next entries in order; true when one of them stays. */
  pass(entries: readonly LogEntry[]): boolean {
    for (const entry of entries) {
      if (this.#stays(entry)) return true;
      this.#bytes += bytesOf(entry);
      this.#seq = entry.seq;
    }
    return false;
  }

  #stays({ version, atMs }: LogEntry): boolean {
    const { uptoVersion, bytes, beforeMs } = this.#goal;
    return version > uptoVersion && this.#bytes >= bytes && atMs >= beforeMs;
  }
}

/** A guess is enough: what it misses goes the next time. */
function bytesOf({ update, paths }: LogEntry): number {
  return paths.reduce((sum, path) => sum + path.length, update.length + ENTRY_BYTES);
}
