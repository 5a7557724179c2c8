/**
 * The handler of /v1/contexts/:id/changes: the list of changes, and the live feed.
 *
 * Not here: how a feed is sent (event-feed.ts).
 */
import type { ChangeRecord } from "../../../shared/change.ts";
import { ServiceError } from "../../../shared/errors.ts";
import { parseActor } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { parsePath } from "../../../shared/path.ts";
import { changeView } from "../../../shared/protocol/change-view.ts";
import { changesQuerySchema } from "../../../shared/protocol/rest.ts";
import { followStart } from "../follow-start.ts";
import { contextIdOf, json } from "./call.ts";
import type { Call, RestHandler, RestParts } from "./call.ts";
import { eventFeed, eventStream, wantsEvents } from "./event-feed.ts";
import type { FeedEvent } from "./event-feed.ts";
import { parseQuery } from "./request.ts";
import { changeList } from "./views.ts";

export const changeHandlers = { list } satisfies Record<string, RestHandler>;

async function list({ service, ...parts }: RestParts, call: Call): Promise<Response> {
  const { request, caller } = call;
  const id = contextIdOf(call);
  const { order, path, actor: name, limit, ...from } = parseQuery(changesQuerySchema, request.url);
  const actor = name === undefined ? undefined : parseActor(name);
  if (path !== undefined) parsePath(path);
  const filter = { ...(path === undefined ? {} : { path }), ...(actor === undefined ? {} : { actor }) };
  if (wantsEvents(request)) {
    if (limit !== undefined || order !== undefined) {
      throw new ServiceError("INVALID_REQUEST", "A live feed has no end and one order: leave out limit and order.");
    }
    const since = await followStart(service, caller, { id, since: startOf(request.headers, from.since) });
    const follow = (signal: AbortSignal) => service.follow(caller, id, { since, signal, ...filter });
    const onEnd = call.hold();
    const feed = { clock: parts.clock, beginsWith: `id: ${since}`, follow, eventOf: changeEvent };
    return eventStream(eventFeed({ ...feed, onError: parts.onFeedError, onEnd, cut: call.cut }));
  }
  const page = await service.changes(caller, id, {
    ...from,
    ...filter,
    newestFirst: order === "newest",
    limit: limit ?? LIMITS.listLimitDefault,
  });
  return json(changeList(page), { headers: { vary: "accept" } });
}

function changeEvent(change: ChangeRecord): FeedEvent {
  const data = changeView(change);
  return { event: "change", id: data.version, data };
}

/** The version a feed begins after: what the client saw last, else what it asks for. @throws {ServiceError} INVALID_REQUEST */
function startOf(headers: Headers, since: number | undefined): number | undefined {
  const lastEventId = headers.get("last-event-id");
  if (lastEventId !== null && !/^\d{1,15}$/.test(lastEventId)) {
    throw new ServiceError("INVALID_REQUEST", "The Last-Event-ID header must be a version, a whole number.");
  }
  return lastEventId === null ? since : Number(lastEventId);
}
