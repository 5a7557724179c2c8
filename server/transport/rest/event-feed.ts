/**
 * A live feed as server-sent events: what an iterable yields, a block each.
 *
 *     retry: 1000          reconnect after a second
 *     id: 6                what more the opening says
 *
 *     event: change
 *     id: 7
 *     data: {"version":7,…}
 *
 * Invariants (REST-18 … REST-21):
 *  1. The next item is fetched only when the client has taken the former one: no queue grows here.
 *  2. While nothing happens a comment is sent every heartbeat; a client that takes nothing for slowConsumerMsMax is cut.
 *  3. When either side ends, timer and source end: the source's signal is aborted exactly then.
 *
 * Not here: what is fed (changes.ts, events.ts).
 */
import { LIMITS } from "../../../shared/limits.ts";
import type { Clock } from "../../clock.ts";
import { problemOf } from "./problem.ts";

interface EventFeedOptions<Item> {
  readonly clock: Clock;
  /** Lines of the first block, each with its line end. */
  readonly opening?: string;
  readonly follow: (signal: AbortSignal) => AsyncIterable<Item>;
  /** An item's block, without the empty line that ends it. */
  readonly blockOf: (item: Item) => string;
  readonly onError: (error: unknown) => void;
  /** Told when the feed is over; perhaps several times. */
  readonly onEnd: () => void;
  /** Ends the connection of a client that takes nothing: what is queued for it can't be ended any other way. */
  readonly cut: () => void;
}

/** Proxies must pass events on at once: no buffering (X-Accel-Buffering, nginx), no transformation. */
export function eventStream<Item>(options: EventFeedOptions<Item>): Response {
  return new Response(eventFeed(options), {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
      vary: "accept",
    },
  });
}

function eventFeed<Item>({
  clock,
  opening = "",
  follow,
  blockOf,
  onError,
  onEnd,
  cut,
}: EventFeedOptions<Item>): ReadableStream<Uint8Array> {
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
      controller.enqueue(encoder.encode(`retry: 1000\n${opening}\n`));
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
        controller.enqueue(encoder.encode(`${blockOf(next.value)}\n\n`));
        return;
      }
      end();
      if (next.value !== undefined) {
        onError(next.value);
        controller.enqueue(encoder.encode(`event: problem\ndata: ${JSON.stringify(problemOf(next.value))}\n\n`));
      }
      controller.close();
    },

    cancel: end,
  });
}
