/**
 * A live feed as server-sent events.
 *
 *     retry: 1000          reconnect after a second
 *     id: 6                what the feed begins with: so a client that saw no change yet can resume, too
 *
 *     event: change
 *     id: 7                a reconnect sends it as Last-Event-ID
 *     data: {"version":7,…}
 *
 * Invariants (REST-18 … REST-21):
 *  1. The next item is fetched only when the client has taken the former one: no queue grows here.
 *  2. While nothing happens a comment is sent every heartbeat; a client that takes nothing for slowConsumerMsMax is cut.
 *  3. When either side ends, timer and source end: the source's signal is aborted exactly then.
 *
 * Not here: where items come from (ContextService, MonitorService.followAlerts).
 */
import { LIMITS } from "../../../shared/limits.ts";
import type { Clock } from "../../clock.ts";
import { problemOf } from "./problem.ts";

interface EventFeedOptions<Item> {
  readonly clock: Clock;
  /** Fields of the first block, such as `id: 6`. */
  readonly beginsWith: string;
  readonly follow: (signal: AbortSignal) => AsyncIterable<Item>;
  readonly eventOf: (item: Item) => FeedEvent;
  readonly onError: (error: unknown) => void;
  /** Told when the feed is over; perhaps several times. */
  readonly onEnd: () => void;
  /** Ends the connection of a client that takes nothing: what is queued for it can't be ended any other way. */
  readonly cut: () => void;
}

/** One event; `data` goes as JSON. */
export interface FeedEvent {
  readonly event: string;
  readonly id?: number;
  readonly data: unknown;
}

export function eventText({ event, id, data }: FeedEvent): string {
  return `event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n`;
}

/** Proxies must pass events on at once: no buffering (X-Accel-Buffering, nginx), no transformation. */
export function eventStream(body: ReadableStream<Uint8Array>): Response {
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
      vary: "accept",
    },
  });
}

export function wantsEvents({ method, headers }: Request): boolean {
  const types = (headers.get("accept") ?? "").split(",").map((range) => range.split(";")[0]?.trim().toLowerCase());
  return method === "GET" && types.includes("text/event-stream");
}

export function eventFeed<Item>(options: EventFeedOptions<Item>): ReadableStream<Uint8Array> {
  const { clock, beginsWith, follow, eventOf, onError, onEnd, cut } = options;
  const ended = new AbortController();
  const items = follow(ended.signal)[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  let cancelTimer = (): void => {};
  let silentSinceMs = clock.monotonicMs();

  const end = (): void => {
    cancelTimer();
    ended.abort();
    onEnd();
    // A generator that waits at its yield sees no signal; one that waits for an item is ended by the signal first.
    void items.return?.().catch(onError);
  };

  return new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encoder.encode(`retry: 1000\n${beginsWith}\n\n`));
      const beat = (): void => {
        const isTaking = (controller.desiredSize ?? 0) > 0;
        if (isTaking) {
          silentSinceMs = clock.monotonicMs();
          controller.enqueue(encoder.encode(":\n\n"));
        } else if (clock.monotonicMs() - silentSinceMs >= LIMITS.slowConsumerMsMax) {
          end();
          cut();
          return;
        }
        cancelTimer = clock.setTimer(LIMITS.eventStreamHeartbeatMs, beat);
      };
      cancelTimer = clock.setTimer(LIMITS.eventStreamHeartbeatMs, beat);
    },

    async pull(controller) {
      silentSinceMs = clock.monotonicMs();
      const next = await items.next().catch((error: unknown) => ({ done: true as const, value: error }));
      if (ended.signal.aborted) return;
      if (next.done !== true) {
        controller.enqueue(encoder.encode(`${eventText(eventOf(next.value))}\n`));
        return;
      }
      end();
      if (next.value !== undefined) {
        onError(next.value);
        controller.enqueue(encoder.encode(`${eventText({ event: "problem", data: problemOf(next.value) })}\n`));
      }
      controller.close();
    },

    cancel: end,
  });
}
