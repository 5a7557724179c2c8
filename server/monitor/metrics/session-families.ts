/** Metrics of sessions: who is connected, what goes to and fro, who does not keep up. */
import { SESSION_PROTOCOLS } from "../../../shared/monitoring.ts";
import type { SessionProtocol } from "../../../shared/monitoring.ts";
import type { Traffic } from "../../monitor-port.ts";
import type { Described, Families } from "./families.ts";
import type { MetricParts } from "./metric-parts.ts";

export function describeSessions(families: Families, parts: MetricParts): void {
  describeOpen(families, parts);
  describeQueues(families, parts);
  describeTraffic(families, parts);
  describePropagation(families, parts);
}

function describeOpen(families: Families, { counts, census }: MetricParts): void {
  const totals = () => census().sessionTotals;
  families.gauges(
    {
      name: "mcm_sessions",
      what: "Open sessions by protocol.",
      bad: "At 20000 connections no more are taken.",
    },
    ["protocol"],
    () => {
      const { byProtocol } = totals();
      return SESSION_PROTOCOLS.map((protocol) => ({ labels: { protocol }, value: byProtocol[protocol] }));
    },
  );
  families.tally(
    {
      name: "mcm_sessions_opened_total",
      what: "Sessions that were opened, by protocol.",
      bad: "A rate far above that of people and agents who come is clients that reconnect in a loop.",
    },
    counts.sessionsOpened,
  );
  families.tally(
    {
      name: "mcm_sessions_ended_total",
      what: "Sessions that ended, by protocol and by why the server ended them (empty: the client left).",
      bad: "MALFORMED_* are broken clients, STORE_UNAVAILABLE the disk, SLOW_CONSUMER clients that do not read.",
    },
    counts.sessionsEnded,
  );
}

function describeQueues(families: Families, { counts, census }: MetricParts): void {
  const totals = () => census().sessionTotals;
  families.count(
    {
      name: "mcm_sessions_slow_ended_total",
      what: "Sessions that were ended because their clients did not read.",
      bad: "Their clients or the network between are too slow for the contexts that they follow.",
    },
    () => counts.slowEnds,
  );
  families.gauge(
    {
      name: "mcm_sessions_behind",
      what: "Sessions that are sent nothing more until they have read what they were sent.",
      bad: "Those who stay behind for 30 s are ended.",
    },
    () => totals().behind,
  );
  families.count(
    {
      name: "mcm_sessions_fell_behind_total",
      what: "How often a session fell behind.",
      bad: "A high rate is a slow network, or contexts with more traffic than their followers can take.",
    },
    () => counts.behind,
  );
  families.count(
    {
      name: "mcm_sessions_resynced_total",
      what: "How often a session that was behind got what it had missed.",
      bad: "Far below mcm_sessions_fell_behind_total: they are ended instead.",
    },
    () => counts.caught,
  );
  families.gauge(
    {
      name: "mcm_session_queue_bytes",
      what: "Bytes that were handed to sockets and not taken by their receivers.",
      bad: "It is memory of the server, at most 4 MB for each session.",
    },
    () => totals().queueBytes,
  );
  families.gauge(
    {
      name: "mcm_session_queue_bytes_max",
      what: "The most that waits for any one receiver.",
      bad: "At 4 MB the session is behind.",
    },
    () => totals().queueBytesMax,
  );
}

/** Of sessions that have ended, and of those that are open. */
function describeTraffic(families: Families, { counts, census }: MetricParts): void {
  const sum = (about: Described, key: keyof Traffic): void => {
    families.counts(about, ["protocol"], () => {
      const totals: Record<SessionProtocol, number> = {
        "mcm.v1": counts.endedTraffic["mcm.v1"][key],
        "y-websocket": counts.endedTraffic["y-websocket"][key],
      };
      for (const session of census().sessions) totals[session.protocol] += session[key];
      return SESSION_PROTOCOLS.map((protocol) => ({ labels: { protocol }, value: totals[protocol] }));
    });
  };
  sum(
    {
      name: "mcm_frames_in_total",
      what: "Messages that sessions received, by protocol.",
      bad: "A jump without more sessions is a client that sends in a loop.",
    },
    "framesIn",
  );
  sum(
    {
      name: "mcm_frame_bytes_in_total",
      what: "Bytes of messages that sessions received.",
      bad: "Large against the number of messages: clients send whole documents instead of edits.",
    },
    "bytesIn",
  );
  sum(
    {
      name: "mcm_frames_out_total",
      what: "Messages that were handed to the sockets of sessions.",
      bad: "It grows with changes times followers; nearly all CPU goes there.",
    },
    "framesOut",
  );
  sum(
    {
      name: "mcm_frame_bytes_out_total",
      what: "Bytes of messages that were handed to the sockets of sessions.",
      bad: "Near what the network can take, followers fall behind.",
    },
    "bytesOut",
  );
}

function describePropagation(families: Families, { counts }: MetricParts): void {
  families.durations(
    {
      name: "mcm_propagation_seconds",
      what: "Time from the queueing of a write to its handing to the sockets of all who follow the context.",
      bad: "Above 0.02 s others see changes late: the disk or the event loop holds them up.",
    },
    () => [[{}, counts.propagations.all]],
  );
}
