/** The table of alerts: each rule at its thresholds and one step before, and cleared again. */
import { describe, expect, test } from "vitest";
import { AlertManager } from "../../../server/monitor/alert-manager.ts";
import { ALERT_RULES } from "../../../server/monitor/alerts/alert-rules.ts";
import { Samples } from "../../../server/monitor/samples.ts";
import type { Sample } from "../../../server/monitor/samples.ts";
import type { AlertEvent, StandbyStats } from "../../../shared/monitoring.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { contextOf, engineLog, sampleAt } from "../../support/vitals.ts";
import type { WebhookVitals } from "../../../server/monitor/vitals.ts";

const ROUND_MS = LIMITS.monitorSampleMs;
const MINUTE_MS = 60_000;
const HUNDRED = { freeBytes: 100, totalBytes: 100, folderBytes: 0, answerMs: 0 };

type Made = Parameters<typeof sampleAt>[1];

/** How a server is at which the rule's measure has the value. */
const WITH: Readonly<Record<string, (value: number) => Made>> = {
  "log-unavailable": (value) => ({
    sources: { log: () => ({ available: value === 1, queueBytes: 0, lagMs: 0 }) },
  }),
  "log-lag": (value) => ({ sources: { log: () => ({ available: true, queueBytes: 0, lagMs: value * 1000 }) } }),
  "log-queue": (value) => ({ sources: { log: () => ({ available: true, queueBytes: value, lagMs: 0 }) } }),
  "failed-writes": (value) => ({ counters: { failedCommits: value } }),
  "disk-space": (value) => ({ disk: { ...HUNDRED, freeBytes: value * 100 } }),
  "checkpoint-failures": (value) => ({ counters: { failedCheckpoints: value } }),
  "damaged-data": (value) => ({ counters: { damagedReads: value } }),
  "lock-starvation": (value) => ({ counters: { lockTimeouts: value } }),
  "engine-unreachable": (value) => ({ sources: engineLog({ isReachable: value === 1 }) }),
  "standby-missing": (value) => ({ sources: withStandbys({ needed: 1, named: 1 + value, connected: 1 }) }),
  "standbys-too-few": (value) => ({ sources: withStandbys({ needed: 1 + value, named: 9, connected: 1 }) }),
  "hints-lost": (value) => ({ counters: { hintsLost: value }, sources: engineLog() }),
  "client-ids": (value) => ({ sources: { contexts: () => [contextOf("plan", { yjsClientIds: value })] } }),
  "context-storage": (value) => ({ sources: { contexts: () => [contextOf("plan", { diskBytes: value })] } }),
  "slow-consumers": (value) => ({ counters: { slowEnds: value } }),
  "webhooks-failing": (value) => ({ sources: { webhooks: () => webhooksOf({ stopped: value }, 0) } }),
  "webhook-dead-letters": (value) => ({ sources: { webhooks: () => webhooksOf({}, value) } }),
  memory: (value) => ({ process: { heapUsedBytes: value, heapLimitBytes: 1, rssBytes: 0 } }),
  "event-loop": (value) => ({ process: { eventLoopDelayMsMax: value * 1000 } }),
};

const webhooksOf = (states: { readonly stopped?: number }, deadLetters: number): WebhookVitals => ({
  byState: { active: 1, retrying: 0, paused: 0, stopped: 0, ...states },
  behind: 0,
  deadLetters,
});

const withStandbys = (standbys: StandbyStats) => engineLog({ standbys });

/** Their measures are rates: drilled by themselves. */
const RATES = new Set(["conflict-rate", "append-latency"]);

class Drill {
  readonly events: AlertEvent[] = [];
  readonly #samples = new Samples();
  readonly #manager = new AlertManager({ rules: ALERT_RULES, onEvent: (event) => void this.events.push(event) });
  #nowMs = 0;

  constructor() {
    this.#samples.add(sampleAt(0));
  }

  /** Looks every five seconds for so long, at least once. */
  last(forMs: number, sampleOf: (atMs: number) => Sample): readonly string[] {
    const before = this.events.length;
    for (let passedMs = 0; passedMs <= forMs; passedMs += ROUND_MS) {
      this.#nowMs += ROUND_MS;
      this.#samples.add(sampleOf(this.#nowMs));
      this.#manager.evaluate(this.#samples, { atMs: this.#nowMs, monotonicMs: this.#nowMs });
    }
    return this.events.slice(before).map(({ kind, alert }) => `${kind} ${alert.name} ${alert.level}`);
  }
}

const step = (value: number): number => (Number.isInteger(value) ? 1 : 0.001);

describe("the table", () => {
  test("every rule is drilled", () => {
    expect(Object.keys(WITH).toSorted()).toEqual(
      ALERT_RULES.map(({ name }) => name)
        .filter((name) => !RATES.has(name))
        .toSorted(),
    );
  });

  const levels = ALERT_RULES.flatMap((rule) =>
    RATES.has(rule.name) ? [] : rule.thresholds.map((threshold) => ({ rule, threshold })),
  );
  test.each(levels.map(({ rule, threshold }) => [rule.name, threshold.level, { rule, threshold }] as const))(
    "[ALERT-4] %s is %s from its threshold on, not before, and is over afterwards",
    (name, level, { rule, threshold }) => {
      const worse = rule.badWhen === "high" ? 1 : -1;
      const made = WITH[name];
      const at = (value: number) => (atMs: number) => sampleAt(atMs, made?.(value));
      const drill = new Drill();
      const before = drill.last(threshold.forMs, at(threshold.at - worse * step(threshold.at)));
      expect(before.filter((event) => event.endsWith(level))).toEqual([]);
      const reached = drill.last(threshold.forMs, at(threshold.at));
      expect(reached.at(-1)).toMatch(new RegExp(`^(raised|changed) ${name} ${level}$`));
      // counters stay where they are, and are old news after their window
      const isCounter = made?.(0)?.counters !== undefined;
      const good = isCounter ? threshold.at : rule.badWhen === "high" ? 0 : 1;
      expect(drill.last(20 * MINUTE_MS, at(good)).at(-1)).toMatch(new RegExp(`^cleared ${name} `));
    },
  );

  test("[ALERT-4] conflicts are counted by the minute, over five minutes", () => {
    const rate = (perMinute: number) => (atMs: number) =>
      sampleAt(atMs, { counters: { conflicts: (perMinute * atMs) / MINUTE_MS } });
    expect(new Drill().last(10 * MINUTE_MS, rate(29))).toEqual([]);
    const drill = new Drill();
    expect(drill.last(10 * MINUTE_MS, rate(31))).toEqual(["raised conflict-rate info"]);
    expect(new Drill().last(10 * MINUTE_MS, rate(301)).at(-1)).toBe("raised conflict-rate warning");
  });

  test("[ALERT-4] the time of turns is that of the last minute, on average; without turns there is none", () => {
    const turning = (turnMs: number) => (atMs: number) =>
      sampleAt(atMs, {
        counters: { engineTurns: atMs / 10, engineTurnMs: (atMs / 10) * turnMs },
        sources: engineLog(),
      });
    expect(new Drill().last(10 * MINUTE_MS, turning(99))).toEqual([]);
    const drill = new Drill();
    expect(drill.last(MINUTE_MS, turning(101))).toEqual(["raised append-latency warning"]);
    expect(new Drill().last(MINUTE_MS, turning(1001)).at(-1)).toBe("raised append-latency critical");
    const stopped = drill.last(3 * MINUTE_MS, (atMs) =>
      sampleAt(atMs, { counters: { engineTurns: 6500, engineTurnMs: 656_500 }, sources: engineLog() }),
    );
    expect(stopped).toEqual(["cleared append-latency warning"]);
  });

  test("[ALERT-4] a log in a folder has no database to be alarmed about", () => {
    const counters = { engineTurns: 10, engineTurnMs: 1e6, hintsLost: 1000 };
    expect(new Drill().last(10 * MINUTE_MS, (atMs) => sampleAt(atMs, { counters }))).toEqual([]);
  });

  test("[ALERT-4] the event loop's longest delay counts for a minute: no scrape misses it", () => {
    const drill = new Drill();
    expect(drill.last(0, (atMs) => sampleAt(atMs, { process: { eventLoopDelayMsMax: 3000 } }))).toEqual([
      "raised event-loop critical",
    ]);
    expect(drill.last(50_000, (atMs) => sampleAt(atMs))).toEqual([]);
    expect(drill.last(0, (atMs) => sampleAt(atMs))).toEqual(["cleared event-loop critical"]);
  });

  test("[ALERT-4] memory is whichever is nearer to its end: V8's heap, or the process in its container", () => {
    const container = { rssBytes: 96, memoryLimitBytes: 100 };
    expect(new Drill().last(MINUTE_MS, (atMs) => sampleAt(atMs, { process: container })).at(-1)).toMatch(
      /memory critical/,
    );
  });

  test("[ALERT-4] where nothing is kept on disk, there is no disk to fill", () => {
    expect(new Drill().last(MINUTE_MS, (atMs) => sampleAt(atMs))).toEqual([]);
  });

  test("[ALERT-1] every level is left at a better value than it is reached at, and levels grow", () => {
    for (const { name, badWhen, thresholds } of ALERT_RULES) {
      const worse = badWhen === "high" ? 1 : -1;
      for (const { at, clearAt } of thresholds) expect([name, (at - clearAt) * worse > 0]).toEqual([name, true]);
      const ats = thresholds.map(({ at }) => at * worse);
      expect([name, ats]).toEqual([name, ats.toSorted((a, b) => a - b)]);
    }
  });
});
