/** What is scraped: text format, help, names, bounded labels. */
import { describe, expect, test } from "vitest";
import { NO_MONITOR } from "../../../server/monitor-port.ts";
import { takeCensus, topOf } from "../../../server/monitor/census.ts";
import { Counts } from "../../../server/monitor/metrics/counts.ts";
import { Families } from "../../../server/monitor/metrics/families.ts";
import { Latency } from "../../../server/monitor/metrics/latency.ts";
import { OTHER, Tally } from "../../../server/monitor/metrics/tally.ts";
import { MetricsCollector } from "../../../server/monitor/metrics-collector.ts";
import { NO_SOURCES } from "../../../server/monitor/vitals.ts";
import type { Sources } from "../../../server/monitor/vitals.ts";
import { parseActor, parseContextId } from "../../../shared/ids.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { metricsIn } from "../../support/metrics-text.ts";
import { FakeProcess, contextOf, engineLog, sampleAt, samplesOf, sessionOf } from "../../support/vitals.ts";

const PLAN = parseContextId("plan");
const session = { sessionId: "s", contextId: PLAN, actor: parseActor("ada"), protocol: "mcm.v1" } as const;

function collectorOf(sources: Partial<Sources> = {}, contextsMax = 2) {
  const clock = new ManualClock();
  const counts = new Counts(() => clock.monotonicMs());
  const disk = { freeBytes: 5, totalBytes: 10, folderBytes: 3, answerMs: 2 };
  const collector = new MetricsCollector({
    counts,
    samples: samplesOf(sampleAt(0, { disk })),
    watch: new FakeProcess(),
    census: () => takeCensus({ ...NO_SOURCES, ...sources }),
    contextsMax,
    startedAtS: 7,
  });
  return { clock, counts, collector, scrape: async () => metricsIn(await collector.text()) };
}

describe("the text", () => {
  test("[MON-1] every family says what it measures and what a bad value means, under a name of its own", async () => {
    const text = await collectorOf().collector.text();
    const helps = [...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name = "", help = ""]) => ({ name, help }));
    expect(helps.length).toBeGreaterThan(55);
    expect(new Set(helps.map(({ name }) => name)).size).toBe(helps.length);
    // two sentences at least
    expect(helps.filter(({ help }) => !/^[A-Z0-9].{10,}[.)] [A-Z0-9].{10,}\.$/.test(help))).toEqual([]);
    const typed = [...text.matchAll(/^# TYPE (\S+) (counter|gauge|histogram)$/gm)].map(([, name]) => name);
    expect(typed).toEqual(helps.map(({ name }) => name));
  });

  test("[MON-1] counters end in _total, durations are in seconds and sizes in bytes", async () => {
    const text = await collectorOf().collector.text();
    for (const [, name = "", type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
      expect([name, name.endsWith("_total")]).toEqual([name, type === "counter"]);
      expect(name).not.toMatch(/_ms\b|_ms_|millis|_kb|_mb/);
      if (type === "histogram") expect(name).toMatch(/_seconds$/);
    }
  });

  test("[MON-7] labels are escaped, what cannot be told is absent", async () => {
    const families = new Families();
    const latency = new Latency();
    latency.observe(2000);
    families.durations({ name: "d_seconds", what: "A.", bad: "B." }, () => [[{ path: 'a"b\\c\nd' }, latency]]);
    families.gauge({ name: "none", what: "A.", bad: "B." }, () => undefined);
    families.gauges({ name: "some", what: "A.", bad: "B." }, ["of"], () => [{ labels: { of: '"' }, value: 0 }]);
    const text = await families.text();
    expect(text).toContain(String.raw`d_seconds_bucket{path="a\"b\\c\nd",le="2.5"} 1`);
    expect(text).toContain(String.raw`d_seconds_sum{path="a\"b\\c\nd"} 2`);
    expect(text).toContain(String.raw`some{of="\""} 0`);
    expect(text).not.toMatch(/^none /m);
  });

  test("[MON-7] all of a scrape is of one moment", async () => {
    let looks = 0;
    const { collector } = collectorOf({ contexts: () => (looks++, [contextOf("a")]) });
    looks = 0;
    await collector.text();
    expect(looks).toBe(1);
  });
});

describe("what is counted", () => {
  test("[MON-9] locks by how they ended, and how long the oldest has waited", async () => {
    const { clock, counts, scrape } = collectorOf();
    const first = counts.lockAsked();
    clock.advance(3000);
    const second = counts.lockAsked();
    clock.advance(1000);
    expect([counts.locksAsked, counts.oldestLockWaitMs]).toEqual([2, 4000]);
    first("timeout");
    expect([counts.locksAsked, counts.oldestLockWaitMs]).toEqual([1, 1000]);
    second("granted");
    counts.lockAsked()("refused");
    const found = await scrape();
    expect(found.get('mcm_lock_requests_total{outcome="timeout"}')).toBe(1);
    expect(found.get('mcm_lock_requests_total{outcome="granted"}')).toBe(1);
    expect(found.get("mcm_lock_timeouts_total")).toBe(1);
    expect(found.get("mcm_lock_request_seconds_sum")).toBe(5);
    expect(found.get("mcm_lock_requests_waiting")).toBe(0);
  });

  test("[HOOK-24] webhooks by state, what waits for them, and what was given up", async () => {
    const byState = { active: 4, retrying: 2, paused: 1, stopped: 3 };
    const { scrape } = collectorOf({ webhooks: () => ({ byState, behind: 12, deadLetters: 5 }) });
    const series = await scrape();
    for (const [state, count] of Object.entries(byState))
      expect(series.get(`mcm_webhooks{state="${state}"}`)).toBe(count);
    expect(series.get("mcm_webhook_contexts_behind")).toBe(12);
    expect(series.get("mcm_webhook_dead_letters")).toBe(5);
  });

  test("[MON-9] work of threads by pool and outcome, and what is under way", async () => {
    const { clock, counts, scrape } = collectorOf();
    const done = counts.working("checkpoints");
    const failed = counts.working("checkpoints");
    counts.working("history");
    clock.advance(2000);
    done(true);
    failed(false);
    const found = await scrape();
    expect(found.get('mcm_worker_tasks{pool="checkpoints"}')).toBe(0);
    expect(found.get('mcm_worker_tasks{pool="history"}')).toBe(1);
    expect(found.get('mcm_worker_task_seconds_count{pool="checkpoints",outcome="done"}')).toBe(1);
    expect(found.get('mcm_worker_task_seconds_sum{pool="checkpoints",outcome="failed"}')).toBe(2);
  });

  test("[MON-3] traffic of sessions that ended and of those that are open is one sum", async () => {
    const open = [sessionOf("a", { framesIn: 5, bytesOut: 7 })];
    const { counts, scrape } = collectorOf({ sessions: () => open });
    expect((await scrape()).get('mcm_frames_in_total{protocol="mcm.v1"}')).toBe(5);
    const traffic = { framesIn: 5, bytesIn: 0, framesOut: 0, bytesOut: 7 };
    open.length = 0;
    counts.sessionEnded({ ...session, durationMs: 1, traffic });
    const found = await scrape();
    expect(found.get('mcm_frames_in_total{protocol="mcm.v1"}')).toBe(5);
    expect(found.get('mcm_frame_bytes_out_total{protocol="mcm.v1"}')).toBe(7);
    expect(found.get('mcm_sessions_ended_total{protocol="mcm.v1",code=""}')).toBe(1);
  });

  test("[MON-9] damage is remembered by context until it can be read or is gone", () => {
    const { counts } = collectorOf();
    const other = parseContextId("other");
    counts.damaged(PLAN);
    counts.damaged(PLAN);
    counts.damaged(other);
    counts.damaged(undefined);
    expect([counts.damagedReads, [...counts.damagedContexts]]).toEqual([4, ["plan", "other"]]);
    counts.undamaged(PLAN);
    counts.undamaged(other);
    expect(counts.damagedContexts.size).toBe(0);
    for (let n = 0; n < 150; n++) counts.damaged(parseContextId(`c${n}`));
    expect(counts.damagedContexts.size).toBe(100);
  });

  test("[MON-11] a database has its series, of one value each; a log in a folder has none of them", async () => {
    const told = (counts: Counts): void => {
      counts.engine.turned({ contexts: 3, contended: 1, lockMs: 4, decideMs: 1, commitMs: 20 });
      counts.engine.failed("57");
      counts.engine.hinted("lost", 2);
      counts.engine.followed(5, 30);
    };
    const folder = collectorOf();
    told(folder.counts);
    expect([...(await folder.scrape()).keys()].filter((name) => name.startsWith("mcm_engine_"))).toEqual([]);
    const standbys = { needed: 1, named: 2, connected: 1 };
    const { counts, scrape } = collectorOf(engineLog({ standbys, reconnects: 4, isPrimary: false }));
    told(counts);
    const found = await scrape();
    const values = Object.fromEntries(
      [...found].filter(([name]) => name.startsWith("mcm_engine_") && !name.includes("_bucket")),
    );
    expect(values).toEqual({
      'mcm_engine_turn_seconds_sum{phase="lock"}': 0.004,
      'mcm_engine_turn_seconds_count{phase="lock"}': 1,
      'mcm_engine_turn_seconds_sum{phase="decide"}': 0.001,
      'mcm_engine_turn_seconds_count{phase="decide"}': 1,
      'mcm_engine_turn_seconds_sum{phase="commit"}': 0.02,
      'mcm_engine_turn_seconds_count{phase="commit"}': 1,
      mcm_engine_turn_contexts_total: 3,
      mcm_engine_contended_turns_total: 1,
      'mcm_engine_failures_total{kind="57"}': 1,
      'mcm_engine_hints_total{outcome="sent"}': 0,
      'mcm_engine_hints_total{outcome="heard"}': 0,
      'mcm_engine_hints_total{outcome="lost"}': 2,
      mcm_engine_entries_followed_total: 5,
      mcm_engine_follow_seconds_sum: 0.03,
      mcm_engine_follow_seconds_count: 1,
      mcm_engine_reachable: 1,
      mcm_engine_primary: 0,
      'mcm_engine_connections{state="open"}': 3,
      'mcm_engine_connections{state="in_use"}': 1,
      'mcm_engine_connections{state="waiting"}': 0,
      mcm_engine_reconnects_total: 4,
      mcm_engine_standbys_needed: 1,
      mcm_engine_standbys_named: 2,
      mcm_engine_standbys_connected: 1,
    });
  });

  test("who watches nothing is told nothing", () => {
    expect(() => {
      NO_MONITOR.lockAsked()("granted");
      NO_MONITOR.working("x")(true);
      NO_MONITOR.commitFailed();
      NO_MONITOR.engine.failed("57");
    }).not.toThrow();
  });
});

describe("bounds", () => {
  test("[MON-4] the largest contexts by name, the rest together; names follow the sizes", async () => {
    const contexts = [
      contextOf("small", { diskBytes: 1 }),
      contextOf("large", { diskBytes: 100 }),
      contextOf("middle", { diskBytes: 10 }),
      contextOf("tiny", { diskBytes: 0.5 }),
    ];
    const { scrape } = collectorOf({ contexts: () => contexts });
    const found = await scrape();
    const series = [...found].filter(([name]) => name.startsWith("mcm_context_disk_bytes{"));
    expect(series).toEqual([
      ['mcm_context_disk_bytes{context="large"}', 100],
      ['mcm_context_disk_bytes{context="middle"}', 10],
      ['mcm_context_disk_bytes{context="(rest)"}', 1.5],
    ]);
    expect([...found].filter(([name]) => name.startsWith("mcm_context_tombstones"))).toHaveLength(2);
    expect(found.get("mcm_context_disk_bytes_max")).toBe(100);
    expect(found.get("mcm_contexts_in_memory")).toBe(4);
  });

  test("[MON-4] with 0 no context is told by name", async () => {
    const { collector } = collectorOf({ contexts: () => [contextOf("secret-plan")] }, 0);
    expect(await collector.text()).not.toContain("secret-plan");
  });

  test("[MON-4] the first few are found without sorting all", () => {
    const contexts = Array.from({ length: 1000 }, (_, n) => contextOf(`c${n}`, { diskBytes: (n * 7919) % 1000 }));
    const { first, restSum } = topOf(contexts, 3, ({ diskBytes }) => diskBytes);
    expect([first.map(({ diskBytes }) => diskBytes), restSum]).toEqual([[999, 998, 997], 499_500 - 2994]);
  });

  test("[MON-4] label sets are bounded: what comes beyond is counted together", () => {
    const tally = new Tally(["a", "b"]);
    for (let n = 0; n < 3000; n++) tally.add([String(n), "x"], 2);
    const points = [...tally.points()];
    expect(points).toHaveLength(2001);
    expect(points.find(({ labels }) => labels["a"] === OTHER)).toEqual({ labels: { a: OTHER, b: OTHER }, value: 2000 });
    expect([tally.total, points.reduce((sum, { value }) => sum + value, 0)]).toEqual([6000, 6000]);
  });
});
