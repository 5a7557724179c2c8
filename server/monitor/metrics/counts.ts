/**
 * What happened since the process started, in plain numbers.
 *
 * Invariants (MON):
 *  1. Exact: every call adds what it says, once.
 *  2. Bounded: labels come from closed sets or are counted together (tally.ts); what is under way is a set that empties.
 *
 * Not here: names, units and help (metrics-collector.ts), what is asked instead of counted (vitals.ts).
 */
import type { ContextId } from "../../../shared/ids.ts";
import type { SessionProtocol } from "../../../shared/monitoring.ts";
import type {
  CacheName,
  CommittedBatch,
  EndedSession,
  FoundConflict,
  LeftContext,
  LockOutcome,
  Monitor,
  OpenedSession,
  Operated,
  PropagatedFlush,
  RefusedWrite,
  Requested,
  SettledTurn,
  Traffic,
} from "../../monitor-port.ts";
import { EngineCounts } from "./engine-counts.ts";
import { Latency, RecentLatency } from "./latency.ts";
import { Tally } from "./tally.ts";

/** Durations, for scrapes and for people. */
class Timing {
  readonly all = new Latency();
  readonly recent = new RecentLatency();

  observe(durationMs: number, count = 1): void {
    this.all.observe(durationMs, count);
    this.recent.observe(durationMs, count);
  }
}

class Pool {
  readonly done = new Latency();
  readonly failed = new Latency();
  underWay = 0;
}

/** Of one protocol: what its sessions that have ended have sent and got. */
type EndedTraffic = { -readonly [Key in keyof Traffic]: number };

/** Contexts whose log was found damaged, remembered for the health report. */
const DAMAGED_MAX = 100;

export class Counts implements Monitor {
  readonly engine = new EngineCounts();
  readonly operations = new Tally(["operation", "outcome"]);
  readonly operationTimes = new Map<string, Latency>();
  readonly operationRecent = new RecentLatency();
  readonly requests = new Tally(["method", "route", "status"]);

  readonly writes = new Tally(["kind", "outcome"]);
  readonly refusals = new Tally(["kind", "code", "rule"]);
  readonly conflicts = new Tally(["kind", "policy"]);
  readonly acks = new Timing();
  changes = 0;

  readonly commits = new Timing();
  committedEntries = 0;
  committedBytes = 0;
  failedCommits = 0;
  checkpoints = 0;
  failedCheckpoints = 0;
  damagedReads = 0;
  readonly damagedContexts = new Set<ContextId>();
  readonly cacheReads = new Tally(["cache", "outcome"]);

  loads = 0;
  readonly unloads = new Tally(["reason"]);

  readonly sessionsOpened = new Tally(["protocol"]);
  readonly sessionsEnded = new Tally(["protocol", "code"]);
  readonly endedTraffic: Readonly<Record<SessionProtocol, EndedTraffic>> = {
    "mcm.v1": { framesIn: 0, bytesIn: 0, framesOut: 0, bytesOut: 0 },
    "y-websocket": { framesIn: 0, bytesIn: 0, framesOut: 0, bytesOut: 0 },
  };
  slowEnds = 0;
  behind = 0;
  caught = 0;
  readonly propagations = new Timing();

  readonly lockRequests = new Tally(["outcome"]);
  readonly lockWaits = new Latency();
  lockTimeouts = 0;
  /** When each request for a lock came that has no answer yet, oldest first. */
  readonly #lockAskedAtMs = new Set<{ readonly atMs: number }>();

  readonly pools = new Map<string, Pool>();
  readonly #nowMs: () => number;

  /** @param nowMs monotonic */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  operated({ operation, durationMs, code }: Operated): void {
    this.operations.add([operation, code ?? "ok"]);
    let times = this.operationTimes.get(operation);
    if (times === undefined) this.operationTimes.set(operation, (times = new Latency()));
    times.observe(durationMs);
    this.operationRecent.observe(durationMs);
  }

  requested({ method, route, status }: Requested): void {
    this.requests.add([method, route, String(status)]);
  }

  settled({ counts, durationMs }: SettledTurn): void {
    const { updatesChanged, updatesUnchanged, jsonChanged, jsonUnchanged, policies } = counts;
    const answered = updatesChanged + updatesUnchanged + jsonChanged + jsonUnchanged;
    if (answered > 0) this.acks.observe(durationMs, answered);
    this.changes += updatesChanged + jsonChanged + policies;
    this.#wrote("update", "changed", updatesChanged);
    this.#wrote("update", "unchanged", updatesUnchanged);
    this.#wrote("json", "changed", jsonChanged);
    this.#wrote("json", "unchanged", jsonUnchanged);
    this.#wrote("policy", "changed", policies);
    this.#wrote("lock", "changed", counts.locks);
    this.#wrote("meta", "changed", counts.metas);
    this.#wrote("update", "void", counts.voids);
  }

  refused({ kind, code, rule = "" }: RefusedWrite): void {
    this.refusals.add([kind, code, rule]);
  }

  conflicted({ kind, policy }: FoundConflict): void {
    this.conflicts.add([kind, policy]);
  }

  committed({ entries, bytes, durationMs }: CommittedBatch): void {
    this.commits.observe(durationMs);
    this.committedEntries += entries;
    this.committedBytes += bytes;
  }

  commitFailed(): void {
    this.failedCommits++;
  }

  checkpointed(isMade: boolean): void {
    if (isMade) this.checkpoints++;
    else this.failedCheckpoints++;
  }

  damaged(contextId: ContextId | undefined): void {
    this.damagedReads++;
    if (contextId !== undefined && this.damagedContexts.size < DAMAGED_MAX) this.damagedContexts.add(contextId);
  }

  undamaged(contextId: ContextId): void {
    this.damagedContexts.delete(contextId);
  }

  cacheRead(cache: CacheName, isHit: boolean): void {
    this.cacheReads.add([cache, isHit ? "hit" : "miss"]);
  }

  contextLoaded(): void {
    this.loads++;
  }

  contextLeft({ reason }: LeftContext): void {
    this.unloads.add([reason]);
  }

  sessionOpened({ protocol }: OpenedSession): void {
    this.sessionsOpened.add([protocol]);
  }

  sessionEnded({ protocol, code, traffic }: EndedSession): void {
    this.sessionsEnded.add([protocol, code ?? ""]);
    if (code === "SLOW_CONSUMER") this.slowEnds++;
    const totals = this.endedTraffic[protocol];
    totals.framesIn += traffic.framesIn;
    totals.bytesIn += traffic.bytesIn;
    totals.framesOut += traffic.framesOut;
    totals.bytesOut += traffic.bytesOut;
  }

  fellBehind(): void {
    this.behind++;
  }

  caughtUp(): void {
    this.caught++;
  }

  propagated({ changes, durationMs }: PropagatedFlush): void {
    this.propagations.observe(durationMs, changes);
  }

  lockAsked(): (outcome: LockOutcome) => void {
    const asked = { atMs: this.#nowMs() };
    this.#lockAskedAtMs.add(asked);
    return (outcome) => {
      this.#lockAskedAtMs.delete(asked);
      this.lockRequests.add([outcome]);
      this.lockWaits.observe(this.#nowMs() - asked.atMs);
      if (outcome === "timeout") this.lockTimeouts++;
    };
  }

  get locksAsked(): number {
    return this.#lockAskedAtMs.size;
  }

  /** How long the oldest request for a lock has been without an answer. */
  get oldestLockWaitMs(): number {
    for (const { atMs } of this.#lockAskedAtMs) return this.#nowMs() - atMs;
    return 0;
  }

  working(name: string): (isDone: boolean) => void {
    let pool = this.pools.get(name);
    if (pool === undefined) this.pools.set(name, (pool = new Pool()));
    const own = pool;
    const startedAtMs = this.#nowMs();
    own.underWay++;
    return (isDone) => {
      own.underWay--;
      (isDone ? own.done : own.failed).observe(this.#nowMs() - startedAtMs);
    };
  }

  /** A part of a minute is over. */
  rotate(): void {
    for (const { recent } of [this.acks, this.commits, this.propagations]) recent.rotate();
    this.operationRecent.rotate();
  }

  #wrote(kind: string, outcome: string, count: number): void {
    if (count > 0) this.writes.add([kind, outcome], count);
  }
}
