/**
 * The handler of /v1/contexts/:id/changes: the list of changes, and the live feed.
 *
 * Not here: how a feed is sent (event-feed.ts).
 */
import type { ChangeRecord } from "../../../shared/change.ts";
import { ServiceError } from "../../../shared/errors.ts";
import { parseActor } from "../../../shared/ids.ts";
import type { ContextId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { parsePath } from "../../../shared/path.ts";
import { changeView } from "../../../shared/protocol/change-view.ts";
import { changesQuerySchema } from "../../../shared/protocol/rest.ts";
import type { ContextService } from "../../context-service.ts";
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
    const since = await feedStart(service, call, { id, since: from.since });
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

/**
 * The version a feed begins after: what the client saw last, else what it asks for, else the present one.
 * A version that the context has not reached is of another life of it: waiting would hide the changes until then.
 * @throws {ServiceError} CONTEXT_NOT_FOUND, INVALID_REQUEST, EPOCH_CHANGED; VERSION_NOT_FOUND when not all that follows is kept
 */
async function feedStart(
  service: ContextService,
  { request, caller }: Call,
  { id, since }: { readonly id: ContextId; readonly since: number | undefined },
): Promise<number> {
  const lastEventId = request.headers.get("last-event-id");
  if (lastEventId !== null && !/^\d{1,15}$/.test(lastEventId)) {
    throw new ServiceError("INVALID_REQUEST", "The Last-Event-ID header must be a version, a whole number.");
  }
  const { head } = await service.read(caller, id, { path: "", depth: 1 });
  const start = lastEventId === null ? (since ?? head.version) : Number(lastEventId);
  if (start <= head.version) {
    // refused now: a feed that began and ended again would be asked for again and again
    await service.changes(caller, id, { since: start, limit: 1 });
    return start;
  }
  throw new ServiceError(
    "EPOCH_CHANGED",
    `The context is at version ${head.version} and has no version ${start}: it was deleted and made again. Read it and follow from its version.`,
    { details: { currentVersion: head.version } },
  );
}
