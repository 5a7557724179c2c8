/**
 * Metrics of contexts in memory: the largest by name, the rest together.
 *
 * Invariant (MON): `contextsMax` names and one more, whatever number of contexts there is.
 */
import { topOf } from "../census.ts";
import type { ContextVitals } from "../vitals.ts";
import type { Described, Families } from "./families.ts";
import type { MetricParts } from "./metric-parts.ts";
import type { Point } from "./tally.ts";

/** No id of a context: those have no parentheses. */
const REST = "(rest)";

export function describeContexts(families: Families, parts: MetricParts): void {
  describeMemory(families, parts);
  describeLargest(families, parts);
  describeExtremes(families, parts);
}

function describeMemory(families: Families, { counts, census }: MetricParts): void {
  const totals = () => census().contextTotals;
  families.gauge(
    {
      name: "mcm_contexts_in_memory",
      what: "Contexts that are loaded.",
      bad: "One that only grows is clients that never leave; see mcm_context_memory_bytes for what they take.",
    },
    () => totals().inMemory,
  );
  families.count(
    {
      name: "mcm_context_loads_total",
      what: "Contexts that were loaded into memory.",
      bad: "A high rate is contexts that are opened again and again, or dropped for a failed write.",
    },
    () => counts.loads,
  );
  families.tally(
    {
      name: "mcm_context_unloads_total",
      what: "Contexts that left the memory, by reason (unused, compacted, or the code of what happened).",
      bad: "STORE_UNAVAILABLE is a failed write, INTERNAL a document that broke: their sessions had to start anew.",
    },
    counts.unloads,
  );
  families.gauge(
    {
      name: "mcm_write_queue",
      what: "Writes that wait for their context's turn.",
      bad: "Grows when the event loop cannot keep up with what comes in.",
    },
    () => totals().queuedWrites,
  );
  families.gauge(
    {
      name: "mcm_write_queue_oldest_seconds",
      what: "How long the oldest write of all has waited for its context's turn.",
      bad: "Above a second a context is held up: by a compaction, or by an event loop that is too busy.",
    },
    () => totals().longestQueuedMs.value / 1000,
  );
  families.gauge(
    {
      name: "mcm_yjs_structs",
      what: "Yjs structs of all documents in memory.",
      bad: "Each takes about half a kilobyte of memory; compacting a context gets rid of those of deleted content.",
    },
    () => totals().structs,
  );
}

function describeLargest(families: Families, { census, contextsMax }: MetricParts): void {
  const largest = (about: Described, valueOf: (context: ContextVitals) => number): void => {
    families.gauges(about, ["context"], () => {
      const { first, restSum } = topOf(census().contexts, contextsMax, valueOf);
      const named = first.map((context): Point => ({
        labels: { context: context.contextId },
        value: valueOf(context),
      }));
      return [...named, { labels: { context: REST }, value: restSum }];
    });
  };
  largest(
    {
      name: "mcm_context_disk_bytes",
      what: "What contexts in memory take on disk, with their history: the largest by name, the rest together.",
      bad: "At 100 MB a context refuses writes.",
    },
    ({ diskBytes }) => diskBytes,
  );
  largest(
    {
      name: "mcm_context_memory_bytes",
      what: "What contexts take in memory, roughly: the largest by name, the rest together.",
      bad: "Above 10 MB a context is larger than it should be: split it, or compact it.",
    },
    ({ memoryBytes }) => memoryBytes,
  );
  largest(
    {
      name: "mcm_context_yjs_client_ids",
      what: "Yjs client ids of documents: the most by name, the rest together.",
      bad: "Every update costs more with each of them; at 10000 new ones are refused. Compact the context.",
    },
    ({ yjsClientIds }) => yjsClientIds,
  );
  families.gauges(
    {
      name: "mcm_context_tombstones",
      what: "Yjs structs that stand for deleted content, roughly, of the contexts with the most structs.",
      bad: "When most of mcm_yjs_structs are tombstones, compacting the context makes it small again.",
    },
    ["context"],
    () =>
      topOf(census().contexts, contextsMax, ({ structs }) => structs).first.map((context): Point => ({
        labels: { context: context.contextId },
        value: context.tombstones(),
      })),
  );
}

function describeExtremes(families: Families, { census }: MetricParts): void {
  const totals = () => census().contextTotals;
  families.gauge(
    {
      name: "mcm_context_yjs_client_ids_max",
      what: "The most Yjs client ids of any context in memory.",
      bad: "From 2000 on its updates are slow; at 10000 new ones are refused. Compact the context.",
    },
    () => totals().mostClientIds.value,
  );
  families.gauge(
    {
      name: "mcm_context_disk_bytes_max",
      what: "The most that any context in memory takes on disk.",
      bad: "At 100 MB it refuses writes.",
    },
    () => totals().largestOnDisk.value,
  );
}
