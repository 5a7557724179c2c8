/**
 * The process itself: memory, CPU, event loop, garbage collection, and what libuv holds.
 *
 * Invariants (MON):
 *  1. A reading covers the time since the reading before, so one reader alone takes them (sampler.ts).
 *  2. Watching costs two timers of libuv every 20 ms and one call for each garbage collection.
 *  3. No block of the event loop is missed: a histogram of delays forgets the block under way when it is emptied, so there
 *     are two, emptied in turn when the other one has begun to count. A delay is told by one reading or by some more.
 */
import { totalmem } from "node:os";
import { monitorEventLoopDelay, performance, PerformanceObserver } from "node:perf_hooks";
import type { EventLoopUtilization, IntervalHistogram, PerformanceEntry } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import type { ProcessVitals } from "./vitals.ts";

/** The delay is measured by a timer; a shorter one finds shorter blocks and wakes the process more often. */
const RESOLUTION_MS = 20;
const NS_PER_MS = 1e6;
const US_PER_MS = 1000;

/** Port: gives the readings. */
export interface ProcessWatch {
  start(): void;
  stop(): void;
  /** @param nowMs monotonic */
  take(nowMs: number): ProcessVitals;
  /** Since the start: garbage collections by kind, and the time they took. */
  collections(): Iterable<{ readonly kind: string; readonly count: number; readonly totalMs: number }>;
  /** Open sockets, files, timers and requests by kind. */
  resources(): ReadonlyMap<string, number>;
  /** Of all threads since the start. */
  cpuMs(): number;
  /** Since the start: turns of the event loop, events it handled, and events that waited when it asked for them. */
  loop(): { readonly turns: number; readonly events: number; readonly waited: number };
}

/** V8's kinds, by the numbers in which Node tells them. */
const KINDS: Readonly<Record<number, string>> = { 1: "minor", 4: "major", 8: "incremental", 16: "weak" };

export class OwnProcess implements ProcessWatch {
  /** The one that was emptied longer ago comes first. */
  #delays: readonly [IntervalHistogram, IntervalHistogram] = [newHistogram(), newHistogram()];
  readonly #collections = new Map<string, { count: number; totalMs: number }>();
  readonly #observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) this.#collected(entry);
  });
  #utilization: EventLoopUtilization = performance.eventLoopUtilization();
  #cpuMs = this.cpuMs();
  #readAtMs = 0;

  start(): void {
    for (const delays of this.#delays) delays.enable();
    this.#observer.observe({ entryTypes: ["gc"] });
  }

  stop(): void {
    for (const delays of this.#delays) delays.disable();
    this.#observer.disconnect();
  }

  take(nowMs: number): ProcessVitals {
    const memory = process.memoryUsage();
    const utilization = performance.eventLoopUtilization();
    const cpuMs = this.cpuMs();
    const passedMs = nowMs - this.#readAtMs;
    const vitals = {
      rssBytes: memory.rss,
      heapUsedBytes: memory.heapUsed,
      heapLimitBytes: getHeapStatistics().heap_size_limit,
      externalBytes: memory.external,
      memoryLimitBytes: memoryLimitBytes(),
      cpuShare: this.#readAtMs === 0 || passedMs <= 0 ? 0 : (cpuMs - this.#cpuMs) / passedMs,
      eventLoopBusyShare: performance.eventLoopUtilization(utilization, this.#utilization).utilization,
      eventLoopDelayMsMax: Math.max(...this.#delays.map(delayMsOf)),
    };
    const [older, newer] = this.#delays;
    if (newer.count > 0) {
      older.reset();
      this.#delays = [newer, older];
    }
    this.#utilization = utilization;
    this.#cpuMs = cpuMs;
    this.#readAtMs = nowMs;
    return vitals;
  }

  *collections(): Iterable<{ readonly kind: string; readonly count: number; readonly totalMs: number }> {
    for (const [kind, totals] of this.#collections) yield { kind, ...totals };
  }

  resources(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    return counts;
  }

  cpuMs(): number {
    const { user, system } = process.cpuUsage();
    return (user + system) / US_PER_MS;
  }

  loop(): { readonly turns: number; readonly events: number; readonly waited: number } {
    const { loopCount, events, eventsWaiting } = performance.nodeTiming.uvMetricsInfo;
    return { turns: loopCount, events, waited: eventsWaiting };
  }

  #collected(entry: PerformanceEntry): void {
    const kind = KINDS[kindOf(entry)] ?? "other";
    const known = this.#collections.get(kind);
    this.#collections.set(kind, {
      count: (known?.count ?? 0) + 1,
      totalMs: (known?.totalMs ?? 0) + entry.duration,
    });
  }
}

function newHistogram(): IntervalHistogram {
  return monitorEventLoopDelay({ resolution: RESOLUTION_MS });
}

/** What its timer was late, not the timer's period. */
function delayMsOf({ max }: IntervalHistogram): number {
  return Math.max(0, max / NS_PER_MS - RESOLUTION_MS);
}

/** Node's types know nothing of what a collection's entry says. */
function kindOf(entry: object): number {
  const detail: unknown = "detail" in entry ? entry.detail : undefined;
  return typeof detail === "object" && detail !== null && "kind" in detail ? Number(detail.kind) : 0;
}

function memoryLimitBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}
