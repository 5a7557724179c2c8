/**
 * What a seed makes of the world: each run draws its own faults, its own pace and its own habits (swarm testing), because
 * runs that do a bit of everything all look alike.
 */
import type { Limits } from "../../shared/limits.ts";
import type { RetentionPolicy } from "../../server/state/retention.ts";
import { ERRANDS } from "./errands.ts";
import type { Errand } from "./errands.ts";
import type { AccessNature } from "./access/access-habits.ts";
import type { LockNature } from "./locks/lock-habits.ts";
import type { Random } from "./random.ts";
import type { LinkNature } from "./sim-link.ts";
import type { DiskNature } from "./sim-store.ts";

export interface Nature {
  readonly stockClients: number;
  readonly extendedClients: number;
  readonly callers: number;
  readonly contexts: number;
  /** Longest pause between two things that happen. */
  readonly paceMsMax: number;
  readonly link: LinkNature;
  readonly disk: DiskNature;
  readonly limits: Partial<Limits>;
  readonly checkpointMs: number;
  /** How long the recreation of a document takes. */
  readonly recreateMs: number;
  readonly retention: RetentionPolicy;
  /** Contexts keep to a schema. */
  readonly isTyped: boolean;
  /** What callers do beside reading and changing. */
  readonly errands: readonly Errand[];
  /** How often everybody goes home for the night, in a thousand operations: what is idle is unloaded. */
  readonly nights: number;
  /** How often each fault comes, in a thousand operations. */
  readonly faults: Readonly<Record<Fault, number>>;
  /** Absent when nobody locks anything. Drawn by itself (locks/lock-habits.ts). */
  readonly locks?: LockNature;
  /** Absent when everybody may do everything; and where there are no locks, as clients that are refused nothing know no other way. */
  readonly access?: AccessNature;
}

export const FAULTS = [
  "crash",
  "stop",
  "cut",
  "half-open",
  "stall",
  "leave",
  "reload",
  "disk full",
  "clock",
  "feed",
  "probe",
] as const;
export type Fault = (typeof FAULTS)[number];

const OFTEN: Readonly<Record<Fault, number>> = {
  crash: 20,
  stop: 10,
  cut: 40,
  "half-open": 15,
  stall: 15,
  leave: 20,
  reload: 10,
  "disk full": 8,
  clock: 10,
  feed: 20,
  probe: 30,
};

export function drawNature(random: Random): Nature {
  const sometimes = (percent: number, low: number, high: number): number =>
    random.percent(percent) ? random.between(low, high) : 0;
  const isSlowReader = random.percent(25);
  const link = {
    latencyMsMax: random.pick([1, 10, 80, 300]),
    bytesPerMs: isSlowReader ? random.between(1, 20) : 0,
    weight: isSlowReader ? random.pick([200, 2000]) : 1,
  };
  const disk = {
    batchMsMax: random.pick([0, 2, 20, 200]),
    viewMsMax: random.pick([0, 1, 20]),
    batchFailures: sometimes(40, 2, 30),
    viewFailures: sometimes(20, 2, 20),
  };
  const limits = {
    checkpointTailEntries: random.pick([3, 10, 40]),
    checkpointTailBytes: random.pick([500, 100_000]),
    commitEntriesMax: random.pick([1, 3, 5000]),
    cacheTtlMs: random.pick([1, 1000, 3_600_000]),
    ...(random.percent(20) ? { appendQueueBytesMax: random.pick([300, 2000]) } : {}),
  };
  const faults = { ...OFTEN };
  for (const fault of FAULTS) faults[fault] = random.percent(50) ? OFTEN[fault] : 0;
  return {
    stockClients: random.between(1, 3),
    extendedClients: random.between(1, 3),
    callers: random.between(1, 3),
    contexts: random.between(1, 2),
    paceMsMax: random.pick([4, 40, 400]),
    link,
    disk,
    limits,
    checkpointMs: random.pick([0, 5, 100]),
    recreateMs: random.pick([0, 5, 100]),
    retention: random.pick([{}, {}, { changesMax: 6 }, { changesMax: 25 }, { bytesMax: 1500 }, { ageMsMax: 20_000 }]),
    isTyped: random.percent(30),
    errands: ERRANDS.filter(() => random.percent(50)),
    nights: sometimes(40, 5, 15),
    faults: { ...faults, probe: OFTEN.probe },
  };
}
