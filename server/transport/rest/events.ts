/**
 * The handler of /v1/events: what happens to any context that the caller may read, as it happens.
 *
 * Invariants (EVENT):
 *  1. What a slow reader has not taken yet is told once for each context and kind; beyond a bound it is told `missed` instead.
 *
 * Not here: how a feed is sent (event-feed.ts), which events there are (ContextService.watch).
 */
import type { ServiceError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { noQuerySchema } from "../../../shared/protocol/rest.ts";
import type { EventView } from "../../../shared/protocol/rest-events.ts";
import type { ContextEvent, ContextWatcher } from "../../context-service.ts";
import type { RestHandler } from "./call.ts";
import { eventFeed, eventStream } from "./event-feed.ts";
import type { FeedEvent } from "./event-feed.ts";
import { parseQuery } from "./request.ts";

export const follow: RestHandler = async ({ service, clock, onFeedError }, { request, caller, cut, hold }) => {
  parseQuery(noQuerySchema, request.url);
  const pending = new PendingEvents();
  // from before the answer: whoever has its head misses nothing
  const unwatch = service.watch(caller, pending);
  const release = hold();
  const onEnd = (): void => {
    unwatch();
    release();
  };
  const feed = { clock, beginsWith: ":", follow: (signal: AbortSignal) => pendingEvents(pending, signal), eventOf };
  return eventStream(eventFeed({ ...feed, onError: onFeedError, onEnd, cut }));
};

function eventOf({ kind, ...facts }: EventView): FeedEvent {
  return { event: kind, data: facts };
}

/** @throws {ServiceError} what the watch ended with */
async function* pendingEvents(pending: PendingEvents, signal: AbortSignal): AsyncGenerator<EventView> {
  const stop = (): void => pending.wake();
  signal.addEventListener("abort", stop);
  try {
    while (!signal.aborted) {
      const event = pending.take();
      if (event === undefined) await pending.news();
      else yield event;
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

export class PendingEvents implements ContextWatcher {
  wake = (): void => undefined;
  readonly #events = new Map<string, EventView>();
  #error: ServiceError | undefined;

  tell(event: ContextEvent): void {
    const key = event.kind === "missed" ? event.kind : `${event.kind} ${event.id}`;
    // at its newest place: what was deleted and made again is told in that order
    this.#events.delete(key);
    this.#events.set(key, event);
    if (this.#events.size > LIMITS.pendingEventsMax) {
      this.#events.clear();
      this.#events.set("missed", { kind: "missed" });
    }
    this.wake();
  }

  ended(error: ServiceError): void {
    this.#error = error;
    this.wake();
  }

  take(): EventView | undefined {
    const [first] = this.#events;
    if (first !== undefined) this.#events.delete(first[0]);
    else if (this.#error !== undefined) throw this.#error;
    return first?.[1];
  }

  news(): Promise<void> {
    return new Promise((resolve) => (this.wake = resolve));
  }
}
