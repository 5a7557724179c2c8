/**
 * The handlers of metrics, figures, alerts and sessions.
 *
 * Not here: health, which needs no identity (app.ts); finding any of it out (the facade's `monitor`).
 */
import { isoTime } from "../../../shared/iso-time.ts";
import { parseContextId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { AlertEvent, SessionStats, Stats } from "../../../shared/monitoring.ts";
import { alertEventView, alertView } from "../../../shared/protocol/alert-view.ts";
import { sessionsQuerySchema } from "../../../shared/protocol/rest-monitoring.ts";
import type { AlertList, SessionList, SessionView, StatsView } from "../../../shared/protocol/rest-monitoring.ts";
import { noQuerySchema } from "../../../shared/protocol/rest.ts";
import type { Alerts } from "../../context-service.ts";
import { json } from "./call.ts";
import type { Call, RestHandler, RestParts } from "./call.ts";
import { eventFeed, eventStream, eventText, wantsEvents } from "./event-feed.ts";
import type { FeedEvent } from "./event-feed.ts";
import { parseQuery } from "./request.ts";

export const monitoringHandlers = { metrics, stats, alerts, sessions } satisfies Record<string, RestHandler>;

async function metrics({ service }: RestParts, { request, caller }: Call): Promise<Response> {
  parseQuery(noQuerySchema, request.url);
  const { contentType, text } = await service.server.monitor.metrics(caller);
  return new Response(text, { headers: { "content-type": contentType, "cache-control": "no-store" } });
}

async function stats({ service }: RestParts, { request, caller }: Call): Promise<Response> {
  parseQuery(noQuerySchema, request.url);
  return json(statsView(await service.server.monitor.stats(caller)));
}

async function alerts({ service, clock, onFeedError }: RestParts, call: Call): Promise<Response> {
  const { request, caller, cut } = call;
  const { monitor } = service.server;
  parseQuery(noQuerySchema, request.url);
  if (!wantsEvents(request)) return json(alertList(await monitor.alerts(caller)), { headers: { vary: "accept" } });
  // followed before it is listed: what is raised in between is told twice, not never
  const stop = new AbortController();
  const events = await monitor.followAlerts(caller, { signal: stop.signal });
  const follow = (signal: AbortSignal): AsyncIterable<AlertEvent> => {
    signal.addEventListener("abort", () => stop.abort());
    return events;
  };
  const beginsWith = eventText({ event: "alerts", data: alertList(await monitor.alerts(caller)) }).trimEnd();
  const onEnd = call.hold();
  return eventStream(eventFeed({ clock, beginsWith, follow, eventOf: alertEvent, onError: onFeedError, onEnd, cut }));
}

async function sessions({ service }: RestParts, { request, caller }: Call): Promise<Response> {
  const { context, limit = LIMITS.listLimitDefault, cursor } = parseQuery(sessionsQuerySchema, request.url);
  const { items, next, silent } = await service.server.monitor.sessions(caller, {
    limit,
    ...(context === undefined ? {} : { contextId: parseContextId(context) }),
    ...(cursor === undefined ? {} : { after: cursor }),
  });
  const list: SessionList = {
    sessions: items.map(sessionView),
    ...(next === undefined ? {} : { next }),
    ...(silent === undefined ? {} : { silentNodes: silent }),
  };
  return json(list);
}

function alertList({ active, cleared }: Alerts): AlertList {
  return { alerts: active.map(alertView), cleared: cleared.map(alertView) };
}

function alertEvent(event: AlertEvent): FeedEvent {
  return { event: "alert", data: alertEventView(event) };
}

export function sessionView({ openedAtMs, ...rest }: SessionStats): SessionView {
  return { ...rest, openedAt: isoTime(openedAtMs) };
}

function statsView({ atMs, contexts, ...rest }: Stats): StatsView {
  return { at: isoTime(atMs), ...rest, contexts: { ...contexts, largest: [...contexts.largest] } };
}
