/**
 * The table of alerts: what is measured, from which value on it matters, for how long, and what to do.
 *
 * deploy/prometheus/rules.yml and docs/operations.md hold the same table; a test compares them.
 *
 * Invariants (ALERT):
 *  1. A rule reads samples and nothing else; `series` says the same to Prometheus, in the same unit.
 *  2. A level is left at a value that is better than the one at which it is reached: nothing flaps at the threshold.
 *
 * Not here: when an alert is raised and cleared (alert-manager.ts), other thresholds than these (alert-overrides.ts).
 */
import type { ContextId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { AlertLevel, StandbyStats } from "../../../shared/monitoring.ts";
import type { Worst } from "../census.ts";
import type { Sample, Samples } from "../samples.ts";

export interface Threshold {
  readonly level: AlertLevel;
  /** Reached at this value, if it stays there for so long. */
  readonly at: number;
  readonly forMs: number;
  /** Left when the value is here or better for the rule's `clearForMs`. */
  readonly clearAt: number;
}

/** A measure, and the context it is of if it is of one. */
export interface Reading {
  readonly value: number;
  readonly contextId?: ContextId;
}

export interface AlertRule {
  readonly name: string;
  readonly summary: string;
  readonly advice: string;
  readonly unit: "" | "s" | "bytes" | "ratio" | "per minute";
  /** Which side of a threshold is bad. */
  readonly badWhen: "high" | "low";
  /** The lightest first. */
  readonly thresholds: readonly Threshold[];
  readonly clearForMs: number;
  /** Undefined when there is nothing to measure. */
  readonly read: (samples: Samples, latest: Sample) => Reading | undefined;
  /** The measure in PromQL. */
  readonly series: string;
}

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const MIB = 1024 * 1024;

const of = (value: number): Reading => ({ value });
const ofWorst = ({ value, contextId }: Worst): Reading => ({
  value,
  ...(contextId === undefined ? {} : { contextId }),
});

function ofStandbys({ engine }: Sample["log"], read: (standbys: StandbyStats) => number): Reading | undefined {
  return engine?.standbys === undefined ? undefined : of(Math.max(0, read(engine.standbys)));
}

/** Of what V8 may use, or of what the process may: whichever is nearer to its end. */
export function memoryUsedRatio({ process: it }: Pick<Sample, "process">): number {
  return Math.max(it.heapUsedBytes / it.heapLimitBytes, it.rssBytes / it.memoryLimitBytes);
}

/** The longest that anything waited for the event loop within the last minute: a scrape must not miss it. */
export function eventLoopDelayMsMax(samples: Samples): number {
  return samples.max((sample) => sample.process.eventLoopDelayMsMax, MINUTE_MS);
}

const LOG_RULES: readonly AlertRule[] = [
  {
    name: "log-unavailable",
    summary: "The log cannot be written: every write is refused.",
    advice:
      "Look at the last error in /readyz. Free disk space or repair the disk; the server reopens the log by itself.",
    unit: "",
    badWhen: "low",
    thresholds: [{ level: "critical", at: 0, forMs: 0, clearAt: 1 }],
    clearForMs: 10 * SECOND_MS,
    read: (_samples, { log }) => of(log.available ? 1 : 0),
    series: "mcm_log_writable",
  },
  {
    name: "log-lag",
    summary: "Changes wait long for the disk: nobody sees them before they are durable.",
    advice:
      "Compare mcm_log_commit_seconds with the disk's own figures. Give the data folder a faster disk, or its own.",
    unit: "s",
    badWhen: "high",
    thresholds: [
      { level: "warning", at: 1, forMs: 10 * SECOND_MS, clearAt: 0.5 },
      { level: "critical", at: 10, forMs: 0, clearAt: 2 },
    ],
    clearForMs: 30 * SECOND_MS,
    read: (_samples, { log }) => of(log.lagMs / 1000),
    series: "mcm_log_lag_seconds",
  },
  {
    name: "log-queue",
    summary: "Much waits for the disk: when the queue is full, writes are refused.",
    advice: "The disk is slower than the writers. Slow them down, or give the data folder a faster disk.",
    unit: "bytes",
    badWhen: "high",
    thresholds: [
      {
        level: "warning",
        at: LIMITS.appendQueueBytesMax / 2,
        forMs: 10 * SECOND_MS,
        clearAt: LIMITS.appendQueueBytesMax / 4,
      },
      { level: "critical", at: LIMITS.appendQueueBytesMax * 0.9, forMs: 0, clearAt: LIMITS.appendQueueBytesMax / 2 },
    ],
    clearForMs: 30 * SECOND_MS,
    read: (_samples, { log }) => of(log.queueBytes),
    series: "mcm_log_queue_bytes",
  },
  {
    name: "failed-writes",
    summary: "Batches of changes could not be written; their writers were told to try again.",
    advice: "Look for “A write failed” in the log. A full disk and a failing one look alike here: check both.",
    unit: "",
    badWhen: "high",
    thresholds: [
      { level: "warning", at: 1, forMs: 0, clearAt: 0 },
      { level: "critical", at: 5, forMs: 0, clearAt: 2 },
    ],
    clearForMs: 0,
    read: (samples) => of(samples.increase("failedCommits", 5 * MINUTE_MS)),
    series: "increase(mcm_log_commits_failed_total[5m])",
  },
  {
    name: "disk-space",
    summary: "The disk under the data folder is nearly full.",
    advice: "Make room, keep less history (--history-bytes), or delete contexts. LevelDB needs room to compact.",
    unit: "ratio",
    badWhen: "low",
    thresholds: [
      { level: "warning", at: 0.1, forMs: 10 * SECOND_MS, clearAt: 0.12 },
      { level: "critical", at: 0.03, forMs: 0, clearAt: 0.05 },
    ],
    clearForMs: 30 * SECOND_MS,
    read: (_samples, { disk }) => (disk === undefined ? undefined : of(disk.freeBytes / disk.totalBytes)),
    series: "mcm_disk_free_bytes / mcm_disk_total_bytes",
  },
  {
    name: "checkpoint-failures",
    summary: "Checkpoints cannot be made: contexts take longer to load, and old history is not dropped.",
    advice: "Look for “A checkpoint could not be made” in the log; it names the context and the error.",
    unit: "",
    badWhen: "high",
    thresholds: [
      { level: "warning", at: 1, forMs: 0, clearAt: 0 },
      { level: "critical", at: 10, forMs: 0, clearAt: 3 },
    ],
    clearForMs: 0,
    read: (samples) => of(samples.increase("failedCheckpoints", 15 * MINUTE_MS)),
    series: "increase(mcm_checkpoints_failed_total[15m])",
  },
  {
    name: "damaged-data",
    summary: "Records of the log are not what was written.",
    advice: "/readyz names the contexts. Stop the server, check the disk, and restore them from a backup.",
    unit: "",
    badWhen: "high",
    thresholds: [{ level: "critical", at: 1, forMs: 0, clearAt: 0 }],
    clearForMs: 0,
    read: (samples) => of(samples.increase("damagedReads", 15 * MINUTE_MS)),
    series: "increase(mcm_log_damaged_reads_total[15m])",
  },
];

/** Nothing to measure where the log lies in a folder. */
const ENGINE_RULES: readonly AlertRule[] = [
  {
    name: "engine-unreachable",
    summary: "The database does not answer: this node serves nobody until it does.",
    advice: "Look at the database, and at the network to it. The node comes back by itself when it answers.",
    unit: "",
    badWhen: "low",
    thresholds: [{ level: "critical", at: 0, forMs: 10 * SECOND_MS, clearAt: 1 }],
    clearForMs: 10 * SECOND_MS,
    read: (_samples, { log: { engine } }) => (engine === undefined ? undefined : of(engine.isReachable ? 1 : 0)),
    series: "mcm_engine_reachable",
  },
  {
    name: "append-latency",
    summary: "Writes take long in the database: their writers wait, and so do all who follow them.",
    advice:
      "Look at mcm_engine_turn_seconds by phase. A long commit is the database's disk or a standby, a long lock other nodes at the same contexts.",
    unit: "s",
    badWhen: "high",
    thresholds: [
      { level: "warning", at: 0.1, forMs: 30 * SECOND_MS, clearAt: 0.05 },
      { level: "critical", at: 1, forMs: 10 * SECOND_MS, clearAt: 0.5 },
    ],
    clearForMs: 30 * SECOND_MS,
    read: (samples, { log: { engine } }) => {
      const turns = samples.increase("engineTurns", MINUTE_MS);
      return engine === undefined || turns === 0
        ? undefined
        : of(samples.increase("engineTurnMs", MINUTE_MS) / turns / 1000);
    },
    series:
      'sum without (phase) (rate(mcm_engine_turn_seconds_sum[1m])) / ignoring (phase) rate(mcm_engine_turn_seconds_count{phase="commit"}[1m])',
  },
  {
    name: "standby-missing",
    summary: "A standby that commits may wait for is gone: when the others go too, every write waits.",
    advice: "Look at pg_stat_replication on the primary, and start the standby that is not there.",
    unit: "",
    badWhen: "high",
    thresholds: [{ level: "warning", at: 1, forMs: 30 * SECOND_MS, clearAt: 0 }],
    clearForMs: 10 * SECOND_MS,
    read: (_samples, { log }) => ofStandbys(log, ({ named, connected }) => named - connected),
    series: "mcm_engine_standbys_named - mcm_engine_standbys_connected",
  },
  {
    name: "standbys-too-few",
    summary: "Commits wait for standbys that are not there: no write is acknowledged.",
    advice:
      "Start a standby that synchronous_standby_names names. To give up what it promises, and write without, take its name out.",
    unit: "",
    badWhen: "high",
    thresholds: [{ level: "critical", at: 1, forMs: 5 * SECOND_MS, clearAt: 0 }],
    clearForMs: 10 * SECOND_MS,
    read: (_samples, { log }) => ofStandbys(log, ({ needed, connected }) => needed - connected),
    series: "mcm_engine_standbys_needed - mcm_engine_standbys_connected",
  },
  {
    name: "hints-lost",
    summary: "Nodes do not hear of each other's changes at once: their clients see them up to a second later.",
    advice:
      "Let nodes reach the database directly, not through a pooler in transaction mode. Look at mcm_engine_reconnects_total and the database's load.",
    unit: "",
    badWhen: "high",
    thresholds: [{ level: "warning", at: 20, forMs: 0, clearAt: 5 }],
    clearForMs: 0,
    read: (samples, { log: { engine } }) =>
      engine === undefined ? undefined : of(samples.increase("hintsLost", 5 * MINUTE_MS)),
    series: 'increase(mcm_engine_hints_total{outcome="lost"}[5m])',
  },
];

const CONTEXT_RULES: readonly AlertRule[] = [
  {
    name: "lock-starvation",
    summary: "Many who wait for locks do not get them in time.",
    advice: "Look at who holds what (GET …/locks). Lock smaller paths, for shorter times.",
    unit: "",
    badWhen: "high",
    thresholds: [
      { level: "warning", at: 10, forMs: 0, clearAt: 2 },
      { level: "critical", at: 200, forMs: 0, clearAt: 50 },
    ],
    clearForMs: 0,
    read: (samples) => of(samples.increase("lockTimeouts", 5 * MINUTE_MS)),
    series: "increase(mcm_lock_timeouts_total[5m])",
  },
  {
    name: "conflict-rate",
    summary: "Writers often overwrite each other: the merge keeps one of two concurrent writes.",
    advice: "Look at GET …/conflicts. Let writers take locks or say ifVersion, or make texts of what several write.",
    unit: "per minute",
    badWhen: "high",
    thresholds: [
      { level: "info", at: 30, forMs: MINUTE_MS, clearAt: 15 },
      { level: "warning", at: 300, forMs: MINUTE_MS, clearAt: 150 },
    ],
    clearForMs: MINUTE_MS,
    read: (samples) => of(samples.perSecond("conflicts", 5 * MINUTE_MS) * 60),
    series: "sum(rate(mcm_conflicts_total[5m])) * 60",
  },
  {
    name: "client-ids",
    summary: "A context has many Yjs client ids: every update of it costs more with each of them.",
    advice: "Compact the context (mcm compact), and let clients use the SDK, which uses ids again.",
    unit: "",
    badWhen: "high",
    thresholds: [
      { level: "warning", at: 2000, forMs: 0, clearAt: 1500 },
      { level: "critical", at: LIMITS.clientIdsMax * 0.8, forMs: 0, clearAt: LIMITS.clientIdsMax * 0.6 },
    ],
    clearForMs: MINUTE_MS,
    read: (_samples, { contexts }) => ofWorst(contexts.mostClientIds),
    series: "mcm_context_yjs_client_ids_max",
  },
  {
    name: "context-storage",
    summary: "A context comes close to what one may take on disk; at the limit its writes are refused.",
    advice: "Forget named checkpoints of it, keep less history, or split it into several contexts.",
    unit: "bytes",
    badWhen: "high",
    thresholds: [
      {
        level: "warning",
        at: LIMITS.contextStorageBytesWarn,
        forMs: 0,
        clearAt: LIMITS.contextStorageBytesWarn - 5 * MIB,
      },
      {
        level: "critical",
        at: LIMITS.contextStorageBytesMax * 0.95,
        forMs: 0,
        clearAt: LIMITS.contextStorageBytesMax * 0.9,
      },
    ],
    clearForMs: MINUTE_MS,
    read: (_samples, { contexts }) => ofWorst(contexts.largestOnDisk),
    series: "mcm_context_disk_bytes_max",
  },
  {
    name: "slow-consumers",
    summary: "Sessions are ended because their clients do not read what they are sent.",
    advice:
      "Look at GET /v1/sessions for queueBytes and lag. The clients or the network between are too slow for what they follow.",
    unit: "",
    badWhen: "high",
    thresholds: [
      { level: "info", at: 5, forMs: 0, clearAt: 1 },
      { level: "warning", at: 50, forMs: 0, clearAt: 20 },
    ],
    clearForMs: 0,
    read: (samples) => of(samples.increase("slowEnds", 5 * MINUTE_MS)),
    series: "increase(mcm_sessions_slow_ended_total[5m])",
  },
];

const WEBHOOK_RULES: readonly AlertRule[] = [
  {
    name: "webhooks-failing",
    summary: "Targets of webhooks take nothing; what happens is told to them later.",
    advice:
      "Look at lastError in GET /v1/webhooks. Mend the target; one that stopped is resumed with mcm webhook resume.",
    unit: "",
    badWhen: "high",
    thresholds: [{ level: "warning", at: 1, forMs: 5 * MINUTE_MS, clearAt: 0 }],
    clearForMs: 0,
    read: (_samples, { webhooks: { byState } }) => of(byState.retrying + byState.stopped),
    series: 'sum(mcm_webhooks{state=~"retrying|stopped"})',
  },
  {
    name: "webhook-dead-letters",
    summary: "Targets of webhooks refused deliveries until they were given up.",
    advice:
      "Look at oldestDeadLetters in GET /v1/webhooks/:id, mend the target, and send them again: mcm webhook redeliver.",
    unit: "",
    badWhen: "high",
    thresholds: [{ level: "warning", at: 1, forMs: 0, clearAt: 0 }],
    clearForMs: 0,
    read: (_samples, { webhooks }) => of(webhooks.deadLetters),
    series: "mcm_webhook_dead_letters",
  },
];

const PROCESS_RULES: readonly AlertRule[] = [
  {
    name: "memory",
    summary: "The process comes close to the memory it may use; beyond it, it is killed.",
    advice:
      "Look at GET /v1/stats for the largest contexts. Give it more memory (--max-old-space-size, or the container's).",
    unit: "ratio",
    badWhen: "high",
    thresholds: [
      { level: "warning", at: 0.85, forMs: 30 * SECOND_MS, clearAt: 0.75 },
      { level: "critical", at: 0.95, forMs: 10 * SECOND_MS, clearAt: 0.88 },
    ],
    clearForMs: 30 * SECOND_MS,
    read: (_samples, latest) => of(memoryUsedRatio(latest)),
    series: "mcm_memory_used_ratio",
  },
  {
    name: "event-loop",
    summary: "Something held the event loop: meanwhile nobody was served.",
    advice:
      "Look for “slow operation” in the log at that time. Very large contexts and a machine without a free core are usual causes.",
    unit: "s",
    badWhen: "high",
    thresholds: [
      { level: "warning", at: 0.25, forMs: 0, clearAt: 0.2 },
      { level: "critical", at: 2, forMs: 0, clearAt: 1 },
    ],
    clearForMs: 0,
    read: (samples) => of(eventLoopDelayMsMax(samples) / 1000),
    series: "mcm_event_loop_delay_max_seconds",
  },
];

export const ALERT_RULES: readonly AlertRule[] = [
  ...LOG_RULES,
  ...ENGINE_RULES,
  ...CONTEXT_RULES,
  ...WEBHOOK_RULES,
  ...PROCESS_RULES,
];
