/** Verdicts and tables: a ratio the wrong way round, or a failure left out, would be a lie in print. */
import { describe, expect, test } from "vitest";
import { limitVerdicts, peerVerdicts } from "../bench/bars.ts";
import { tasksOf } from "../bench/plan.ts";
import { BEGIN, END, reportOf, withReport } from "../bench/report.ts";
import type { Measurement, Results } from "../bench/results.ts";
import { SCENARIOS } from "../bench/scenarios.ts";
import { SERVERS } from "../bench/servers.ts";

const results = (...measurements: Measurement[]): Results => ({
  startedAt: "2026-11-22T00:00:00.000Z",
  commit: "abc1234",
  machine: "2 cores",
  isPinned: true,
  isQuick: false,
  runs: 3,
  measurements,
});

const of = (scenario: string, server: string, values: Record<string, number>, run = 0): Measurement => ({
  scenario,
  server,
  run,
  values,
});

describe("verdicts", () => {
  const saturated = (ours: number): Results =>
    results(
      of("saturation", "ours", { perCpuSecond: ours }),
      of("saturation", "relay", { perCpuSecond: 400 }),
      of("saturation", "hocuspocus", { perCpuSecond: 100 }),
      of("saturation", "y-websocket", { perCpuSecond: 200 }),
    );

  test("compare with the best of all others, and with the best Yjs server", () => {
    expect(peerVerdicts(saturated(2000))).toMatchObject([
      { ours: 2000, best: 400, bestServer: "relay", ratio: 5, isMet: false },
      { ours: 2000, best: 200, bestServer: "y-websocket", ratio: 10, isMet: true },
    ]);
    expect(peerVerdicts(saturated(4000))[0]?.isMet).toBe(true);
    expect(peerVerdicts(saturated(3999))[0]?.isMet).toBe(false);
  });

  test("turn a ratio round where less is better", () => {
    const load = results(of("cold-load", "ours", { firstMs: 50 }), of("cold-load", "y-websocket", { firstMs: 600 }));
    expect(peerVerdicts(load)).toMatchObject([{ ratio: 12, isMet: true }]);
  });

  test("no worse means no worse", () => {
    const p99 = (ours: number): Results =>
      results(of("fan-out", "ours", { p99Ms: ours }), of("fan-out", "relay", { p99Ms: 4 }));
    expect(peerVerdicts(p99(4))[0]?.isMet).toBe(true);
    expect(peerVerdicts(p99(4.1))[0]?.isMet).toBe(false);
  });

  test("use medians over the runs, without those that failed", () => {
    const runs = [1, 9, 3].map((p99Ms, run) => of("fan-out", "ours", { p99Ms }, run));
    const [verdict] = limitVerdicts(
      results(...runs, { scenario: "fan-out", server: "ours", run: 3, failed: "Stalled." }),
    );
    expect(verdict).toMatchObject({ ours: 3, below: 20, isMet: true });
  });

  test("are not given where there are no figures", () => {
    expect(peerVerdicts(results(of("saturation", "relay", { perCpuSecond: 1 })))).toEqual([]);
  });
});

describe("the report", () => {
  const report = reportOf(
    results(
      of("fan-out", "ours", { p50Ms: 1, p99Ms: 2 }),
      of("fan-out", "ours", { p50Ms: 3, p99Ms: 2 }, 1),
      of("fan-out", "relay", { p50Ms: 4, p99Ms: 1 }),
      { scenario: "fan-out", server: "hocuspocus", run: 0, failed: "It\nfell over." },
    ),
    SCENARIOS,
    SERVERS,
  );

  test("has medians, ranges, ratios, gaps and verdicts", () => {
    expect(report).toContain("| p50, ms | 2 (1 – 3) | 4 | – | 2× |");
    expect(report).toContain("| fan-out: p99 ms no worse | 2 | 1 (bare ws relay) | 0.5× | **no** |");
    expect(report).toContain("| live edit to others p99 (fan-out) | 2 ms | < 20 ms | yes |");
  });

  test("lists what failed, and leaves out what was not run", () => {
    expect(report).toContain("- fan-out, hocuspocus, run 1: It fell over.");
    expect(report).not.toContain("### Saturation");
  });

  test("goes between the markers of a page, again and again", () => {
    const page = `# Page\n\n${BEGIN}\nold\n${END}\nrest\n`;
    const once = withReport(page, report);
    expect(once).toContain("### Fan-out");
    expect(once).not.toContain("old");
    expect(withReport(once, report)).toBe(once);
    expect(() => withReport("# Page", report)).toThrow("needs the lines");
  });
});

describe("the plan", () => {
  test("lets the servers take turns, each run starting with another", () => {
    const [saturation] = SCENARIOS;
    const order = tasksOf(saturation === undefined ? [] : [saturation], SERVERS.slice(0, 3), 2).map(
      ({ server }) => server.id,
    );
    expect(order).toEqual(["ours", "relay", "hocuspocus", "relay", "hocuspocus", "ours"]);
  });

  test("asks of no server what it cannot do", () => {
    const pairs = tasksOf(SCENARIOS, SERVERS, 1).map(({ scenario, server }) => `${scenario.id} ${server.id}`);
    expect(pairs).not.toContain("cold-load relay");
    expect(pairs).not.toContain("late-join relay");
    expect(pairs).not.toContain("ack hocuspocus");
    expect(pairs).toContain("cold-load y-websocket");
    expect(pairs).toContain("ack ours");
  });
});
