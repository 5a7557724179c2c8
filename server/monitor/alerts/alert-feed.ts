/**
 * Alert events for whoever follows them live.
 *
 * Invariants (ALERT):
 *  1. A follower gets every event after it began, in order; one that falls EVENTS_MAX behind is ended, not given a gap.
 *  2. A follower that is not read holds a number and no queue.
 *
 * Not here: the form on the wire (transport/rest/event-feed.ts).
 */
import { ServiceError } from "../../../shared/errors.ts";
import type { AlertEvent } from "../../../shared/monitoring.ts";

/** Events that are kept for followers that are busy. */
const EVENTS_MAX = 256;

export class AlertFeed {
  readonly #events: AlertEvent[] = [];
  /** Events there ever were. */
  #count = 0;
  #isClosed = false;
  readonly #wake = new Set<() => void>();

  publish(event: AlertEvent): void {
    this.#events.push(event);
    this.#count++;
    if (this.#events.length > EVENTS_MAX) this.#events.shift();
    this.#wakeAll();
  }

  /** Ends all followers. */
  close(): void {
    this.#isClosed = true;
    this.#wakeAll();
  }

  /**
   * Events from now on, until `signal` aborts.
   * @throws {ServiceError} SHUTTING_DOWN, SLOW_CONSUMER
   */
  follow(signal: AbortSignal): AsyncGenerator<AlertEvent> {
    // from the call on, not from the first read on
    return this.#follow(signal, this.#count);
  }

  async *#follow(signal: AbortSignal, from: number): AsyncGenerator<AlertEvent> {
    for (let next = from; !signal.aborted;) {
      if (this.#isClosed) throw new ServiceError("SHUTTING_DOWN", "The server is stopping. Connect again in a moment.");
      const first = this.#count - this.#events.length;
      if (next < first) {
        throw new ServiceError("SLOW_CONSUMER", "Alerts were not read fast enough. Connect again for those there are.");
      }
      const event = this.#events[next - first];
      if (event === undefined) {
        await this.#woken(signal);
        continue;
      }
      next++;
      yield event;
    }
  }

  async #woken(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#wake.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#wake.add(wake);
      signal.addEventListener("abort", wake);
    });
  }

  #wakeAll(): void {
    for (const wake of this.#wake) wake();
  }
}
