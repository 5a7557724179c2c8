/** Samples, contexts and a process as the monitor sees them, all well unless a test says otherwise. */
import { parseActor, parseContextId } from "../../shared/ids.ts";
import type { EngineStats, SessionStats } from "../../shared/monitoring.ts";
import { takeCensus } from "../../server/monitor/census.ts";
import { Samples } from "../../server/monitor/samples.ts";
import type { CounterName, Sample } from "../../server/monitor/samples.ts";
import type { ProcessWatch } from "../../server/monitor/process-watch.ts";
import { NO_SOURCES } from "../../server/monitor/vitals.ts";
import type { ContextVitals, ProcessVitals, Sources } from "../../server/monitor/vitals.ts";

const MIB = 1024 * 1024;

const WELL: ProcessVitals = {
  rssBytes: 100 * MIB,
  heapUsedBytes: 50 * MIB,
  heapLimitBytes: 1000 * MIB,
  externalBytes: 5 * MIB,
  memoryLimitBytes: 1000 * MIB,
  cpuShare: 0.1,
  eventLoopBusyShare: 0.1,
  eventLoopDelayMsMax: 1,
};

const NO_COUNTS: Readonly<Record<CounterName, number>> = {
  operations: 0,
  changes: 0,
  refusals: 0,
  conflicts: 0,
  framesIn: 0,
  framesOut: 0,
  failedCommits: 0,
  failedCheckpoints: 0,
  damagedReads: 0,
  lockTimeouts: 0,
  slowEnds: 0,
  engineTurns: 0,
  engineTurnMs: 0,
  hintsLost: 0,
};

interface SampleParts {
  readonly counters?: Partial<Record<CounterName, number>>;
  readonly process?: Partial<ProcessVitals>;
  readonly disk?: Sample["disk"];
  readonly sources?: Partial<Sources>;
}

export function sampleAt(atMs: number, { counters, process: own, disk, sources }: SampleParts = {}): Sample {
  const census = takeCensus({ ...NO_SOURCES, ...sources });
  return {
    atMs,
    counters: { ...NO_COUNTS, ...counters },
    log: census.log,
    contexts: census.contextTotals,
    sessions: census.sessionTotals,
    webhooks: census.webhooks,
    process: { ...WELL, ...own },
    oldestLockWaitMs: 0,
    ...(disk === undefined ? {} : { disk }),
  };
}

/** A log in a database that is well, with a standby that follows. */
export function engineLog(engine: Partial<EngineStats> = {}): { readonly log: Sources["log"] } {
  const well: EngineStats = {
    isReachable: true,
    node: 0,
    isPrimary: true,
    connections: { open: 3, inUse: 1, waiting: 0 },
    reconnects: 0,
    standbys: { needed: 1, named: 1, connected: 1, lagBytes: 0 },
  };
  return { log: () => ({ available: true, queueBytes: 0, lagMs: 0, engine: { ...well, ...engine } }) };
}

export function samplesOf(...samples: readonly Sample[]): Samples {
  const all = new Samples();
  for (const sample of samples) all.add(sample);
  return all;
}

export function contextOf(id: string, vitals: Partial<ContextVitals> = {}): ContextVitals {
  return {
    contextId: parseContextId(id),
    stateBytes: 1000,
    memoryBytes: 5000,
    diskBytes: 2000,
    yjsClientIds: 3,
    structs: 10,
    tombstones: () => 4,
    queuedWrites: 0,
    queuedForMs: 0,
    isSound: true,
    ...vitals,
  };
}

export function sessionOf(id: string, stats: Partial<SessionStats> = {}): SessionStats {
  return {
    id,
    contextId: parseContextId("plan"),
    actor: parseActor("ada"),
    protocol: "mcm.v1",
    openedAtMs: 0,
    queueBytes: 0,
    lagMs: 0,
    framesIn: 0,
    bytesIn: 0,
    framesOut: 0,
    bytesOut: 0,
    ...stats,
  };
}

/** A process that is as a test says. */
export class FakeProcess implements ProcessWatch {
  vitals: ProcessVitals = WELL;
  start(): void {}
  stop(): void {}
  take(): ProcessVitals {
    return this.vitals;
  }
  collections() {
    return [{ kind: "minor", count: 2, totalMs: 3 }];
  }
  resources(): ReadonlyMap<string, number> {
    return new Map([["Timeout", 1]]);
  }
  cpuMs(): number {
    return 1500;
  }
  loop() {
    return { turns: 10, events: 20, waited: 5 };
  }
}
