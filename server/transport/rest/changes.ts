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
import { changesQuerySchema } from "../../../shared/protocol/rest.ts";
import { followStart } from "../follow-start.ts";
import { contextIdOf, json } from "./call.ts";
import type { Call, RestHandler, RestParts } from "./call.ts";
import { eventStream } from "./event-feed.ts";
import { parseQuery } from "./request.ts";
import { changeList, changeView } from "./views.ts";

export const changeHandlers = { list } satisfies Record<string, RestHandler>;

async function list({ service, ...parts }: RestParts, call: Call): Promise<Response> {
  const { request, caller } = call;
  const id = contextIdOf(call);
  const { order, path, actor: name, limit, ...from } = parseQuery(changesQuerySchema, request.url);
  const actor = name === undefined ? undefined : parseActor(name);
  if (path !== undefined) parsePath(path);
  const filter = { ...(path === undefined ? {} : { path }), ...(actor === undefined ? {} : { actor }) };
  if (request.method === "GET" && wantsEvents(request.headers)) {
    if (limit !== undefined || order !== undefined) {
      throw new ServiceError("INVALID_REQUEST", "A live feed has no end and one order: leave out limit and order.");
    }
    const since = await followStart(service, caller, { id, since: startOf(request.headers, from.since) });
    const follow = (signal: AbortSignal) => service.follow(caller, id, { since, signal, ...filter });
    return eventStream({
      clock: parts.clock,
      // also a client that saw no change yet can resume
      opening: `id: ${since}\n`,
      follow,
      blockOf: changeBlock,
      onError: parts.onFeedError,
      onEnd: call.hold(),
      cut: call.cut,
    });
  }
  const page = await service.changes(caller, id, {
    ...from,
    ...filter,
    newestFirst: order === "newest",
    limit: limit ?? LIMITS.listLimitDefault,
  });
  return json(changeList(page), { headers: { vary: "accept" } });
}

/** A reconnect sends the id, the version, as Last-Event-ID. */
function changeBlock(change: ChangeRecord): string {
  const view = changeView(change);
  return `event: change\nid: ${view.version}\ndata: ${JSON.stringify(view)}`;
}

function wantsEvents(headers: Headers): boolean {
  const types = (headers.get("accept") ?? "").split(",").map((range) => range.split(";")[0]?.trim().toLowerCase());
  return types.includes("text/event-stream");
}

/** The version a feed begins after: what the client saw last, else what it asks for. @throws {ServiceError} INVALID_REQUEST */
function startOf(headers: Headers, since: number | undefined): number | undefined {
  const lastEventId = headers.get("last-event-id");
  if (lastEventId !== null && !/^\d{1,15}$/.test(lastEventId)) {
    throw new ServiceError("INVALID_REQUEST", "The Last-Event-ID header must be a version, a whole number.");
  }
  return lastEventId === null ? since : Number(lastEventId);
}
