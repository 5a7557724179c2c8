/** Durations: buckets for scrapes, quantiles for people. */
import { expect, test } from "vitest";
import { BOUNDS_MS, Latency, RecentLatency } from "../../../server/monitor/metrics/latency.ts";

const bucketsOf = (latency: Latency) =>
  new Map(Array.from(latency.cumulative(), ({ boundMs, count }) => [boundMs, count]));

test("[MON-5] a bucket holds what took up to its bound, the bound itself included, and the last one all", () => {
  const latency = new Latency();
  for (const bound of BOUNDS_MS) latency.observe(bound);
  latency.observe(BOUNDS_MS[0] + 0.001);
  latency.observe(1e9);
  const buckets = bucketsOf(latency);
  expect([buckets.get(0.5), buckets.get(1), buckets.get(60_000)]).toEqual([1, 3, BOUNDS_MS.length + 1]);
  expect([buckets.get(Infinity), latency.count]).toEqual([BOUNDS_MS.length + 2, BOUNDS_MS.length + 2]);
});

test("[MON-5] many alike count as many", () => {
  const latency = new Latency();
  latency.observe(3, 500);
  latency.observe(40);
  expect([latency.count, latency.sumMs, bucketsOf(latency).get(5), bucketsOf(latency).get(50)]).toEqual([
    501, 1540, 500, 501,
  ]);
});

test("[MON-5] a quantile is at most 4.5 % above what it stands for", () => {
  for (const exact of [0.002, 0.05, 0.9, 1, 7.3, 49.9, 50, 812, 30_000, 100_000]) {
    const recent = new RecentLatency();
    recent.observe(exact, 100);
    const { p50Ms, p99Ms } = recent.stats();
    expect(p50Ms).toBe(p99Ms);
    // a microsecond is the finest there is
    expect(p50Ms).toBeGreaterThanOrEqual(exact - 0.001);
    expect(p50Ms).toBeLessThanOrEqual(exact * 1.045 + 0.001);
  }
});

test("[MON-5] quantiles tell the few from the many", () => {
  const recent = new RecentLatency();
  recent.observe(1, 94);
  recent.observe(10, 4);
  recent.observe(100, 2);
  const { count, p50Ms, p95Ms, p99Ms } = recent.stats();
  expect(count).toBe(100);
  expect([Math.round(p50Ms), Math.round(p95Ms), Math.round(p99Ms)]).toEqual([1, 10, 101]);
});

test("[MON-5] what is older than two rotations does not count any more; nothing at all is 0", () => {
  const recent = new RecentLatency();
  recent.observe(500);
  recent.rotate();
  recent.observe(1);
  expect(recent.stats().count).toBe(2);
  recent.rotate();
  expect(recent.stats().count).toBe(1);
  recent.rotate();
  expect(recent.stats()).toEqual({ count: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0 });
});

test("[MON-5] durations beyond every bound, none, and those that a jumping clock makes negative are counted", () => {
  const latency = new Latency();
  const recent = new RecentLatency();
  for (const odd of [0, -5, 1e12]) {
    latency.observe(odd);
    recent.observe(odd);
  }
  expect([latency.count, recent.stats().count]).toEqual([3, 3]);
});
