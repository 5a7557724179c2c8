/**
 * The live feed of a context's changes as server-sent events.
 *
 *     retry: 1000          reconnect after a second
 *     id: 6                where the feed begins: also a client that saw no change yet can resume
 *
 *     event: change
 *     id: 7                the version; a reconnect sends it as Last-Event-ID
 *     data: {"version":7,…}
 *
 * Invariants (REST-18 … REST-21):
 *  1. The next change is fetched only when the client has taken the former one: no queue grows here.
 *  2. While nothing happens a comment is sent every heartbeat; a client that takes nothing for slowConsumerMsMax is cut.
 *  3. When either side ends, timer and source end: the source's signal is aborted exactly then.
 *
 * Not here: where changes come from (ContextService.follow).
 */
import type { ChangeRecord } from "../../../shared/change.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { changeView } from "../../../shared/protocol/change-view.ts";
import type { Clock } from "../../clock.ts";
import { problemOf } from "./problem.ts";

interface EventFeedOptions {
  readonly clock: Clock;
  readonly since: number;
  readonly follow: (signal: AbortSignal) => AsyncIterable<ChangeRecord>;
  readonly onError: (error: unknown) => void;
  /** Told when the feed is over; perhaps several times. */
  readonly onEnd: () => void;
  /** Ends the connection of a client that takes nothing: what is queued for it can't be ended any other way. */
  readonly cut: () => void;
}

export function eventFeed({ clock, since, follow, onError, onEnd, cut }: EventFeedOptions): ReadableStream<Uint8Array> {
  const ended = new AbortController();
  const changes = follow(ended.signal)[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  let cancelTimer = (): void => {};
  let silentSinceMs = clock.monotonicMs();

  const end = (): void => {
    cancelTimer();
    ended.abort();
    onEnd();
    // A generator that waits at its yield sees no signal; one that waits for a change is ended by the signal first.
    void changes.return?.().catch(onError);
  };

  return new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encoder.encode(`retry: 1000\nid: ${since}\n\n`));
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
      const next = await changes.next().catch((error: unknown) => ({ done: true as const, value: error }));
      if (ended.signal.aborted) return;
      if (next.done !== true) {
        const view = changeView(next.value);
        controller.enqueue(encoder.encode(`event: change\nid: ${view.version}\ndata: ${JSON.stringify(view)}\n\n`));
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
