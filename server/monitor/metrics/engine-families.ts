/** Metrics of the database that several servers write. Where the log lies in a folder, there are no such series. */
import type { StandbyStats } from "../../../shared/monitoring.ts";
import type { Families } from "./families.ts";
import type { MetricParts } from "./metric-parts.ts";
import type { Point } from "./tally.ts";

/** What is counted is told where there is a database, also when it is 0. */
function isThere({ census }: MetricParts): boolean {
  return census().log.engine !== undefined;
}

export function describeEngine(families: Families, parts: MetricParts): void {
  describeTurns(families, parts);
  describeHints(families, parts);
  describeConnections(families, parts);
  describeStandbys(families, parts);
}

function describeTurns(families: Families, parts: MetricParts): void {
  const { engine } = parts.counts;
  families.durations(
    {
      name: "mcm_engine_turn_seconds",
      what: "Time of a batch of turns at contexts, by phase: lock (until the contexts are ours and their news is read), decide, commit.",
      bad: "A long lock is other nodes at the same contexts or a far database, a long commit its disk or a standby, a long decide this node.",
    },
    () => (isThere(parts) ? Object.entries(engine.phases).map(([phase, latency]) => [{ phase }, latency]) : []),
  );
  families.count(
    {
      name: "mcm_engine_turn_contexts_total",
      what: "Contexts that had a turn in these batches.",
      bad: "Divided by mcm_engine_turn_seconds_count it is the size of a batch; one that grows is a database that is slower than the writers.",
    },
    () => (isThere(parts) ? engine.contexts : undefined),
  );
  families.count(
    {
      name: "mcm_engine_contended_turns_total",
      what: "Turns that met entries of other nodes which were not known here yet.",
      bad: "Many are contexts that several nodes write at once: each waits for the others. Send who writes together to one node.",
    },
    () => (isThere(parts) ? engine.contended : undefined),
  );
  families.counts(
    {
      name: "mcm_engine_failures_total",
      what: "Requests to the database that failed, by class of SQLSTATE, or what this side noticed: connection, timeout, restarted, standby, unreplicated.",
      bad: "55 and 40 are waits for a lock and are tried again; unreplicated is a commit that waited for no standby; others stop this node's writes for a moment.",
    },
    engine.failures.names,
    () => (isThere(parts) ? engine.failures.points() : []),
  );
}

function describeHints(families: Families, parts: MetricParts): void {
  const { engine } = parts.counts;
  families.counts(
    {
      name: "mcm_engine_hints_total",
      what: "Words between nodes that a context has news: sent, heard, and lost, which the comparison of heads found instead.",
      bad: "Lost ones are seen a second late. Many are a pooler between nodes and database that passes no notifications on, or connections that break.",
    },
    ["outcome"],
    () =>
      isThere(parts) ? Object.entries(engine.hints).map(([outcome, value]) => ({ labels: { outcome }, value })) : [],
  );
  families.count(
    {
      name: "mcm_engine_entries_followed_total",
      what: "Entries of other nodes that were taken into contexts in memory here.",
      bad: "One that stands still while other nodes write the same contexts is a node that is cut off.",
    },
    () => (isThere(parts) ? engine.entriesFollowed : undefined),
  );
  families.durations(
    {
      name: "mcm_engine_follow_seconds",
      what: "Time from the making of an entry at another node, by that node's clock, to its being taken in here.",
      bad: "Near 1 s hints are lost; more, or 0 throughout, are clocks that differ: let NTP set them.",
    },
    () => (isThere(parts) ? [[{}, engine.follows]] : []),
  );
}

function describeConnections(families: Families, { census }: MetricParts): void {
  const engine = () => census().log.engine;
  families.gauge(
    {
      name: "mcm_engine_reachable",
      what: "1 while the database answers a new connection, which is tried every few seconds.",
      bad: "At 0 this node refuses reads and writes, or soon will; /readyz says why.",
    },
    () => flagOf(engine()?.isReachable),
  );
  families.gauge(
    {
      name: "mcm_engine_primary",
      what: "1 while what answers is a primary, which takes writes.",
      bad: "0 is a standby, or nobody: the address must lead to the primary.",
    },
    () => flagOf(engine()?.isPrimary),
  );
  families.gauges(
    {
      name: "mcm_engine_connections",
      what: "Connections for reading and writing that are open, those of them in use, and requests that wait for one.",
      bad: "Waiting ones are reads that come faster than the database answers.",
    },
    ["state"],
    () => connectionPoints(engine()?.connections),
  );
  families.count(
    {
      name: "mcm_engine_reconnects_total",
      what: "Connections for writing and for hints that were lost and built again.",
      bad: "Without a restart of the database it is the network, a pooler or a proxy that ends idle connections.",
    },
    () => engine()?.reconnects,
  );
}

function describeStandbys(families: Families, { census }: MetricParts): void {
  const standbys = () => census().log.engine?.standbys;
  const amount = (name: string, what: string, bad: string, read: (standbys: StandbyStats) => number | undefined) =>
    families.gauge({ name: `mcm_engine_standbys_${name}`, what, bad }, () => {
      const known = standbys();
      return known === undefined ? undefined : read(known);
    });
  amount(
    "needed",
    "Standbys that every commit waits for, as synchronous_standby_names says.",
    "0 means that what is acknowledged dies with the machine of the database.",
    ({ needed }) => needed,
  );
  amount(
    "named",
    "Standbys that synchronous_standby_names names.",
    "As many as are needed leave none that may fail: name one more.",
    ({ named }) => named,
  );
  amount(
    "connected",
    "Of these, standbys that are connected; all that are when none are named.",
    "Below mcm_engine_standbys_needed every write waits, and is refused after some seconds.",
    ({ connected }) => connected,
  );
  families.gauge(
    {
      name: "mcm_engine_standby_lag_bytes",
      what: "Bytes that the standby furthest behind has not replayed; absent when the role may not know (grant it pg_read_all_stats).",
      bad: "One that grows is a standby that is too slow: a failover to it takes longer.",
    },
    () => standbys()?.lagBytes,
  );
}

function flagOf(is: boolean | undefined): number | undefined {
  return is === undefined ? undefined : Number(is);
}

function connectionPoints(connections: Readonly<Record<"open" | "inUse" | "waiting", number>> | undefined): Point[] {
  if (connections === undefined) return [];
  const { open, inUse, waiting } = connections;
  return Object.entries({ open, in_use: inUse, waiting }).map(([state, value]) => ({ labels: { state }, value }));
}
