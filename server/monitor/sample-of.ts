/** Puts a sample together from what was counted and what a census found. */
import type { Census } from "./census.ts";
import type { Counts } from "./metrics/counts.ts";
import type { Sample } from "./samples.ts";
import type { DiskVitals, ProcessVitals } from "./vitals.ts";

interface Readings {
  readonly atMs: number;
  readonly counts: Counts;
  readonly census: Census;
  readonly process: ProcessVitals;
  readonly disk: DiskVitals | undefined;
}

export function sampleOf({ atMs, counts, census, process, disk }: Readings): Sample {
  return {
    atMs,
    counters: {
      operations: counts.operations.total,
      changes: counts.changes,
      refusals: counts.refusals.total,
      conflicts: counts.conflicts.total,
      framesIn: framesOf(counts, census, "framesIn"),
      framesOut: framesOf(counts, census, "framesOut"),
      failedCommits: counts.failedCommits,
      failedCheckpoints: counts.failedCheckpoints,
      damagedReads: counts.damagedReads,
      lockTimeouts: counts.lockTimeouts,
      slowEnds: counts.slowEnds,
      engineTurns: counts.engine.turns,
      engineTurnMs: counts.engine.turnMs,
      hintsLost: counts.engine.hints.lost,
    },
    log: census.log,
    contexts: census.contextTotals,
    sessions: census.sessionTotals,
    webhooks: census.webhooks,
    process,
    ...(disk === undefined ? {} : { disk }),
    oldestLockWaitMs: counts.oldestLockWaitMs,
  };
}

/** Of sessions that have ended, and of those that are open. */
function framesOf(counts: Counts, { sessions }: Census, key: "framesIn" | "framesOut"): number {
  const ended = Object.values(counts.endedTraffic).reduce((sum, traffic) => sum + traffic[key], 0);
  return sessions.reduce((sum, session) => sum + session[key], ended);
}
