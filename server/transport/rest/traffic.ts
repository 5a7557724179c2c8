/**
 * The handlers of one live session: its traffic as a live feed, and its end.
 *
 * Not here: the list of sessions (monitoring.ts), how a feed is sent (event-feed.ts), what is told (sync/session-tap.ts).
 */
import { isoTime } from "../../../shared/iso-time.ts";
import type { MissedFramesView, SessionEndView, SessionFrameView } from "../../../shared/protocol/rest-traffic.ts";
import { noQuerySchema } from "../../../shared/protocol/rest.ts";
import type { SessionFrame, TrafficEvent } from "../../../shared/traffic.ts";
import { noContent } from "./call.ts";
import type { RestHandler } from "./call.ts";
import { eventFeed, eventStream, eventText } from "./event-feed.ts";
import type { FeedEvent } from "./event-feed.ts";
import { sessionView } from "./monitoring.ts";
import { parseQuery } from "./request.ts";

export const close: RestHandler = async ({ service }, { request, caller, param }) => {
  parseQuery(noQuerySchema, request.url);
  await service.server.monitor.closeSession(caller, param("sessionId"));
  return noContent();
};

export const traffic: RestHandler = async ({ service, clock, onFeedError }, { request, caller, param, hold, cut }) => {
  parseQuery(noQuerySchema, request.url);
  const release = hold();
  const stop = new AbortController();
  try {
    // from before the answer: whoever has its head misses nothing
    const followed = service.server.monitor.followSession(caller, param("sessionId"), { signal: stop.signal });
    const { stats, events } = await followed;
    const follow = (signal: AbortSignal): AsyncIterable<TrafficEvent> => {
      signal.addEventListener("abort", () => stop.abort(), { once: true });
      return events;
    };
    const beginsWith = eventText({ event: "session", data: sessionView(stats) }).trimEnd();
    return eventStream(eventFeed({ clock, beginsWith, follow, eventOf, onError: onFeedError, onEnd: release, cut }));
  } catch (error) {
    release();
    throw error;
  }
};

function eventOf(event: TrafficEvent): FeedEvent {
  if (event.kind === "frame") return { event: "frame", data: frameView(event.frame) };
  if (event.kind === "missed") return { event: "missed", data: { frames: event.frames } satisfies MissedFramesView };
  const { atMs, ...end } = event.end;
  return { event: "ended", data: { at: isoTime(atMs), ...end } satisfies SessionEndView };
}

function frameView({ atMs, ...frame }: SessionFrame): SessionFrameView {
  return { ...frame, at: isoTime(atMs) };
}
