/** Metrics of what is asked of the server: use cases, HTTP requests, locks, conflicts, the past. */
import type { Families } from "./families.ts";
import type { MetricParts } from "./metric-parts.ts";

export function describeUseCases(families: Families, parts: MetricParts): void {
  describeRequests(families, parts);
  describeLocks(families, parts);
}

function describeRequests(families: Families, { counts, census }: MetricParts): void {
  families.tally(
    {
      name: "mcm_operations_total",
      what: "Use cases that were answered, by name and outcome (ok, or the code of the refusal).",
      bad: "INTERNAL and STORE_UNAVAILABLE are the server's fault, other codes the callers'.",
    },
    counts.operations,
  );
  families.durations(
    {
      name: "mcm_operation_seconds",
      what: "Time from asking for a use case to its answer, which is durable.",
      bad: "Above 0.1 s something waits: compare with mcm_log_commit_seconds and mcm_event_loop_delay_max_seconds.",
    },
    function* () {
      for (const [operation, latency] of counts.operationTimes) yield [{ operation }, latency];
    },
  );
  families.tally(
    {
      name: "mcm_http_requests_total",
      what: "HTTP requests that were answered, by method, address pattern and status.",
      bad: "5xx is the server's fault; many 4xx are a client that does not understand an answer.",
    },
    counts.requests,
  );
  families.tally(
    {
      name: "mcm_conflicts_total",
      what: "Concurrent writes of which the merge kept one, by kind and policy.",
      bad: "Many mean that writers overwrite each other: let them take locks, or make texts of what several write.",
    },
    counts.conflicts,
  );
  families.gauge(
    {
      name: "mcm_history_queue",
      what: "Requests for the past that wait for a worker.",
      bad: "Grows when more is asked than one thread can fold; at 256 requests are refused with RATE_LIMITED.",
    },
    () => census().historyQueue,
  );
}

function describeLocks(families: Families, { counts }: MetricParts): void {
  families.tally(
    {
      name: "mcm_lock_requests_total",
      what: "Requests for locks by outcome: granted, refused at once, timeout after waiting, ended by the caller or the server.",
      bad: "Many that are refused or time out mean that locks are too large or held too long.",
    },
    counts.lockRequests,
  );
  families.durations(
    {
      name: "mcm_lock_request_seconds",
      what: "Time from asking for a lock to the answer, waiting included.",
      bad: "Above a second callers queue for the same paths.",
    },
    () => [[{}, counts.lockWaits]],
  );
  families.count(
    {
      name: "mcm_lock_timeouts_total",
      what: "Requests for locks that waited in vain.",
      bad: "Whoever asked did no work: lock smaller paths, for shorter times.",
    },
    () => counts.lockTimeouts,
  );
  families.gauge(
    {
      name: "mcm_lock_requests_waiting",
      what: "Requests for locks without an answer yet.",
      bad: "A number that stays means that holders do not release.",
    },
    () => counts.locksAsked,
  );
  families.gauge(
    {
      name: "mcm_lock_wait_oldest_seconds",
      what: "How long the oldest request for a lock has waited.",
      bad: "Near 60 s it will be refused.",
    },
    () => counts.oldestLockWaitMs / 1000,
  );
}
