/** Metrics of the process: memory, CPU, event loop, garbage collection, worker threads, libuv. */
import { eventLoopDelayMsMax, memoryUsedRatio } from "../alerts/alert-rules.ts";
import type { Families } from "./families.ts";
import type { MetricParts } from "./metric-parts.ts";

export function describeProcess(families: Families, parts: MetricParts): void {
  describeMemory(families, parts);
  describeCpu(families, parts);
  describeLoop(families, parts);
  describeCollections(families, parts);
  describeThreads(families, parts);
}

function describeMemory(families: Families, { samples, startedAtS }: MetricParts): void {
  const vitals = () => samples.latest?.process;
  families.gauge(
    {
      name: "process_resident_memory_bytes",
      what: "Memory of the process.",
      bad: "Near what the machine or the container has, the process is killed.",
    },
    () => vitals()?.rssBytes,
  );
  families.gauge(
    {
      name: "mcm_heap_used_bytes",
      what: "V8's heap, garbage included.",
      bad: "Near mcm_heap_limit_bytes the process collects garbage all the time and then ends.",
    },
    () => vitals()?.heapUsedBytes,
  );
  families.gauge(
    {
      name: "mcm_heap_limit_bytes",
      what: "What V8's heap may grow to (--max-old-space-size).",
      bad: "Too small for the contexts in memory if mcm_memory_used_ratio is high.",
    },
    () => vitals()?.heapLimitBytes,
  );
  families.gauge(
    {
      name: "mcm_external_memory_bytes",
      what: "Buffers outside of V8's heap.",
      bad: "Grows with what waits for sockets and the disk, and with the cache.",
    },
    () => vitals()?.externalBytes,
  );
  families.gauge(
    {
      name: "mcm_memory_used_ratio",
      what: "Of the heap's limit or of the machine's memory, whichever is nearer to its end, the share that is used.",
      bad: "Above 0.95 the process may be killed any moment.",
    },
    () => (samples.latest === undefined ? undefined : memoryUsedRatio(samples.latest)),
  );
  families.gauge(
    {
      name: "process_start_time_seconds",
      what: "When the process started, in seconds since 1970.",
      bad: "One that changes without a release is a process that was killed.",
    },
    () => startedAtS,
  );
}

function describeCpu(families: Families, { samples, watch }: MetricParts): void {
  const vitals = () => samples.latest?.process;
  families.count(
    {
      name: "process_cpu_seconds_total",
      what: "CPU time of all threads.",
      bad: "A rate of 1 and more is a core that is used up.",
    },
    () => watch.cpuMs() / 1000,
  );
  families.gauge(
    {
      name: "mcm_event_loop_busy_ratio",
      what: "Share of the last seconds in which the event loop had something to do.",
      bad: "Near 1 everything waits for everything: the server needs a faster core, or less work.",
    },
    () => vitals()?.eventLoopBusyShare,
  );
  families.gauge(
    {
      name: "mcm_event_loop_delay_max_seconds",
      what: "The longest that anything waited for the event loop within the last minute.",
      bad: "Above 0.05 s one piece of work held up everybody; look for slow operations in the log.",
    },
    () => eventLoopDelayMsMax(samples) / 1000,
  );
}

function describeLoop(families: Families, { watch }: MetricParts): void {
  families.count(
    {
      name: "mcm_event_loop_turns_total",
      what: "Turns of libuv's event loop.",
      bad: "A rate that falls while mcm_event_loop_busy_ratio rises is turns that take long.",
    },
    () => watch.loop().turns,
  );
  families.count(
    {
      name: "mcm_event_loop_events_total",
      what: "Events of sockets, timers and files that libuv's event loop handled.",
      bad: "A rate far above that of frames and requests is timers or sockets that spin.",
    },
    () => watch.loop().events,
  );
  families.count(
    {
      name: "mcm_event_loop_events_waited_total",
      what: "Events that were waiting already when the event loop asked for them.",
      bad: "Near mcm_event_loop_events_total the loop is always late.",
    },
    () => watch.loop().waited,
  );
}

function describeCollections(families: Families, { watch }: MetricParts): void {
  families.counts(
    {
      name: "mcm_gc_total",
      what: "Garbage collections by kind.",
      bad: "Many major ones mean that the heap is nearly full.",
    },
    ["kind"],
    () => Array.from(watch.collections(), ({ kind, count }) => ({ labels: { kind }, value: count })),
  );
  families.counts(
    {
      name: "mcm_gc_seconds_total",
      what: "Time that garbage collections took.",
      bad: "A rate above 0.05 is the event loop held for a twentieth of the time.",
    },
    ["kind"],
    () => Array.from(watch.collections(), ({ kind, totalMs }) => ({ labels: { kind }, value: totalMs / 1000 })),
  );
}

function describeThreads(families: Families, { counts, watch }: MetricParts): void {
  families.gauges(
    {
      name: "mcm_worker_tasks",
      what: "Tasks that worker threads have or that wait for them, by pool.",
      bad: "One that only grows is a thread that cannot keep up; live sync does not wait for it.",
    },
    ["pool"],
    () => Array.from(counts.pools, ([pool, { underWay }]) => ({ labels: { pool }, value: underWay })),
  );
  families.durations(
    {
      name: "mcm_worker_task_seconds",
      what: "Time of tasks of worker threads, waiting included, by pool and outcome.",
      bad: "Failed ones are threads that died or documents that cannot be folded; the server's log has the errors.",
    },
    function* () {
      for (const [pool, { done, failed }] of counts.pools) {
        yield [{ pool, outcome: "done" }, done];
        yield [{ pool, outcome: "failed" }, failed];
      }
    },
  );
  families.gauges(
    {
      name: "mcm_resources",
      what: "What libuv holds open, by kind: sockets, timers, requests to the file system.",
      bad: "A kind that only grows is a leak.",
    },
    ["kind"],
    () => Array.from(watch.resources(), ([kind, value]) => ({ labels: { kind }, value })),
  );
}
