/**
 * Sends alert events to an address, signed as in Standard Webhooks (webhook-id, webhook-timestamp, webhook-signature).
 *
 * Invariants (ALERT):
 *  1. In order, one request at a time; an event is sent again, after a growing pause, until the target answers 2xx or the
 *     event is older than alertAgeMsMax.
 *  2. No more than alertQueueMax events wait; the oldest give way, and the next request says how many did.
 *  3. A retry has the id of the first try, so that a receiver can tell them apart from news.
 *
 * Not here: what is told (alert-manager.ts).
 */
import type { KeyObject } from "node:crypto";
import { LIMITS } from "../../../shared/limits.ts";
import type { AlertEvent } from "../../../shared/monitoring.ts";
import { alertEventView } from "../../../shared/protocol/alert-view.ts";
import type { Clock } from "../../clock.ts";
import type { Post } from "../../outbound/http-post.ts";
import { signatureHeaders } from "../../outbound/signature.ts";
import type { Logger } from "../logger.ts";

export interface AlertWebhookOptions {
  readonly url: string;
  readonly key: KeyObject;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly deliver?: Post;
}

interface Waiting {
  readonly id: string;
  readonly event: AlertEvent;
  readonly queuedAtMs: number;
}

export class AlertWebhook {
  readonly #options: AlertWebhookOptions;
  readonly #deliver: Post;
  readonly #queue: Waiting[] = [];
  #dropped = 0;
  #failures = 0;
  #isBusy = false;
  #isStopped = false;
  #cancel: () => void = () => undefined;

  constructor(options: AlertWebhookOptions) {
    this.#options = options;
    this.#deliver = options.deliver ?? post;
  }

  get queued(): number {
    return this.#queue.length;
  }

  send(event: AlertEvent): void {
    if (this.#isStopped) return;
    const { clock } = this.#options;
    this.#queue.push({ id: clock.newId(), event, queuedAtMs: clock.monotonicMs() });
    // the first one may be on its way
    if (this.#queue.length > LIMITS.alertQueueMax) this.#drop(1);
    if (!this.#isBusy) void this.#run();
  }

  /** What waits is given up. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel();
    this.#queue.length = 0;
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    for (let next = this.#queue[0]; next !== undefined && !this.#isStopped; next = this.#queue[0]) {
      const failure = await this.#try(next);
      if (failure === undefined) this.#sent(next);
      else await this.#failed(next, failure);
    }
    this.#isBusy = false;
  }

  /** What went wrong, if anything did. */
  async #try(waiting: Waiting): Promise<string | undefined> {
    const { url, clock } = this.#options;
    const body = JSON.stringify({ ...alertEventView(waiting.event), dropped: this.#dropped });
    const stop = new AbortController();
    const cancelTimer = clock.setTimer(LIMITS.alertRequestMsMax, () => stop.abort());
    this.#cancel = () => stop.abort();
    try {
      const { status } = await this.#deliver({
        url,
        headers: this.#headers(waiting.id, body),
        body,
        signal: stop.signal,
      });
      return status >= 200 && status < 300 ? undefined : `it answered ${status}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      cancelTimer();
    }
  }

  #headers(id: string, body: string): Readonly<Record<string, string>> {
    const { clock, key } = this.#options;
    return { "content-type": "application/json", ...signatureHeaders({ id, atMs: clock.nowMs(), body }, key) };
  }

  #sent(sent: Waiting): void {
    if (this.#failures > 0) this.#options.logger.info("the alert webhook answers again", { failures: this.#failures });
    this.#failures = 0;
    this.#dropped = 0;
    if (this.#queue[0] === sent) this.#queue.shift();
  }

  async #failed(failed: Waiting, reason: string): Promise<void> {
    const { clock, logger } = this.#options;
    this.#failures++;
    logger.warn("an alert could not be delivered", { reason, tries: this.#failures, queued: this.#queue.length });
    const isOld = clock.monotonicMs() - failed.queuedAtMs >= LIMITS.alertAgeMsMax;
    if (isOld && this.#queue[0] === failed) this.#drop(0);
    await new Promise<void>((resolve) => {
      const cancelTimer = clock.setTimer(this.#pauseMs(), resolve);
      this.#cancel = () => {
        cancelTimer();
        resolve();
      };
    });
  }

  /** Doubles with each failure; up to a quarter is cut at random, so that many servers do not come at once. */
  #pauseMs(): number {
    const { alertRetryMsMin, alertRetryMsMax } = LIMITS;
    const pauseMs = Math.min(alertRetryMsMax, alertRetryMsMin * 2 ** Math.min(this.#failures - 1, 30));
    return pauseMs * (1 - (this.#options.clock.randomUint32() / 2 ** 32) * 0.25);
  }

  #drop(at: number): void {
    const [event] = this.#queue.splice(at, 1);
    this.#dropped++;
    this.#options.logger.error("an alert was not delivered", {
      alert: event?.event.alert.name,
      kind: event?.event.kind,
    });
  }
}

const post: Post = async ({ url, headers, body, signal }) => {
  const response = await fetch(url, { method: "POST", headers, body, signal, redirect: "error" });
  await response.body?.cancel();
  return { status: response.status };
};
