/**
 * The deliveries to one target: which contexts wait to be told of, which are under way, and when what failed is tried again.
 *
 * A target that takes nothing is at fault itself: all deliveries wait for it. One that takes others is not: the delivery
 * that it refuses waits alone, and in the end becomes a dead letter.
 *
 * Invariants (HOOK):
 *  1. Of one context one delivery is under way at a time, the next one after it was taken or set aside.
 *  2. Contexts take turns; so many requests at most are under way, and one when the last one failed.
 *  3. While another server delivers, it sleeps: it knows nothing, and keeps nothing as delivered.
 *  4. So many contexts at most are known here. Of others it is known that there may be some (`isIncomplete`).
 *
 * Not here: what is told (outbox.ts), one attempt (delivery-sender.ts), finding who is behind (backlog-scan.ts).
 */
import type { ContextId } from "../../shared/ids.ts";
import type { Limits } from "../../shared/limits.ts";
import type { DeliveryFault, WebhookState } from "../../shared/webhook.ts";
import type { Clock } from "../clock.ts";
import type { AttemptFault, DeliverySender, Target } from "./delivery-sender.ts";
import type { Delivery, Outbox, Subscription } from "./outbox.ts";
import { retryPauseMs } from "./retry-pause.ts";
import type { StoredWebhook } from "./webhook-records.ts";

export interface LineLogger {
  info(message: string, fields: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields: Readonly<Record<string, unknown>>): void;
  error(message: string, fields: Readonly<Record<string, unknown>>): void;
}

export interface LineOptions {
  readonly outbox: Outbox;
  readonly sender: DeliverySender;
  readonly clock: Clock;
  readonly logger: LineLogger;
  readonly limits: Limits;
  /** It stopped by itself. */
  readonly onStopped: (fault: DeliveryFault) => void;
  /** There is room for contexts that are behind and not known here. */
  readonly onIncomplete: () => void;
}

export type Halt = NonNullable<StoredWebhook["halt"]>;

/** What a line begins with. */
interface LineState {
  readonly halt: Halt | undefined;
  readonly deadLetters: number;
  readonly isAsleep?: boolean;
}

/** A context whose delivery failed. */
interface Trouble {
  /** Attempts that failed, and those of them that were the delivery's own fault. */
  readonly failures: number;
  readonly ownFailures: number;
  /** The last one was. */
  readonly isOwn: boolean;
  /** The target took something else since: if it fails now, that is the delivery's own fault. */
  readonly isSuspect: boolean;
  /** Of the monotonic clock. */
  readonly dueMs: number;
}

const UNTROUBLED: Trouble = { failures: 0, ownFailures: 0, isOwn: false, isSuspect: false, dueMs: 0 };

type Outcome = "done" | "more" | "failed";

export class DeliveryLine {
  readonly #options: LineOptions;
  #webhook: Subscription & Target;
  #halt: Halt | undefined;
  readonly #ready = new Set<ContextId>();
  /** True when there is news since it began. */
  readonly #busy = new Map<ContextId, boolean>();
  readonly #waiting = new Set<ContextId>();
  /** Of contexts in one of the three above. */
  readonly #troubles = new Map<ContextId, Trouble>();
  readonly #underWay = new Set<Promise<void>>();
  #closed = new AbortController();
  #isAsleep: boolean;
  #isIncomplete = true;
  #failures = 0;
  /** Of the monotonic clock: no attempt before. */
  #notBeforeMs = 0;
  #lastDeliveryAtMs: number | undefined;
  #lastError: DeliveryFault | undefined;
  #deadLetters: number;
  #cancelTimer = (): void => {};

  constructor(
    webhook: Subscription & Target,
    { halt, deadLetters, isAsleep = false }: LineState,
    options: LineOptions,
  ) {
    this.#webhook = webhook;
    this.#halt = halt;
    this.#lastError = halt?.fault;
    this.#deadLetters = deadLetters;
    this.#isAsleep = isAsleep;
    this.#options = options;
  }

  get state(): WebhookState {
    return this.#halt?.state ?? (this.#failures > 0 ? "retrying" : "active");
  }

  /** Should those who are behind be looked for? */
  get isIncomplete(): boolean {
    return this.#isIncomplete && !this.#isResting && this.#size < this.#options.limits.webhookBacklogMax / 2;
  }

  status() {
    const { clock } = this.#options;
    const isPausing = this.#halt === undefined && this.#failures > 0;
    return {
      state: this.state,
      failures: this.#failures,
      ...(isPausing ? { nextAttemptAtMs: this.#wallTime(this.#notBeforeMs, clock) } : {}),
      ...(this.#lastDeliveryAtMs === undefined ? {} : { lastDeliveryAtMs: this.#lastDeliveryAtMs }),
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      behind: this.#size,
      deadLetters: this.#deadLetters,
    };
  }

  /** Some of the contexts that are behind, and what is known of their next deliveries. */
  behind(limit: number): { contextId: ContextId; failures: number; nextAttemptAtMs?: number }[] {
    const ids = [...this.#busy.keys(), ...this.#ready, ...this.#waiting].slice(0, limit);
    return ids.map((contextId) => {
      const { failures, dueMs } = this.#troubles.get(contextId) ?? UNTROUBLED;
      const isWaiting = this.#waiting.has(contextId);
      return {
        contextId,
        failures,
        ...(isWaiting ? { nextAttemptAtMs: this.#wallTime(dueMs, this.#options.clock) } : {}),
      };
    });
  }

  /** Something is to be told of this context, or may be. */
  wake(id: ContextId): void {
    if (this.#busy.has(id)) return void this.#busy.set(id, true);
    if (this.#ready.has(id) || this.#waiting.has(id)) return;
    if (this.#isResting || this.#size >= this.#options.limits.webhookBacklogMax) {
      this.#isIncomplete = true;
      return;
    }
    this.#ready.add(id);
    this.#start();
  }

  /** Whoever is behind is being looked for. */
  scanning(): void {
    this.#isIncomplete = false;
  }

  /** There may be contexts behind that nobody said so of. */
  missed(): void {
    this.#isIncomplete = true;
  }

  retarget(target: Target): void {
    this.#webhook = { ...this.#webhook, ...target };
  }

  halt(halt: Halt): void {
    this.#halt = halt;
    this.#forget();
  }

  /** Another server delivers. Resolves when nothing is under way here. */
  async sleep(): Promise<void> {
    this.#isAsleep = true;
    this.#closed.abort();
    this.#forget();
    this.#failures = 0;
    this.#notBeforeMs = 0;
    await Promise.allSettled(this.#underWay);
  }

  /** This server delivers, from what is stored. */
  rouse(): void {
    if (!this.#isAsleep) return;
    this.#isAsleep = false;
    this.#closed = new AbortController();
  }

  /** Goes on at once, whatever failed before. */
  resume(): void {
    this.#halt = undefined;
    this.#failures = 0;
    this.#notBeforeMs = 0;
    this.#isIncomplete = true;
    for (const id of this.#waiting) this.#ready.add(id);
    this.#waiting.clear();
    this.#troubles.clear();
    this.#start();
  }

  letterGone(): void {
    this.#deadLetters -= 1;
  }

  /** So many are stored. */
  lettersAre(count: number): void {
    this.#deadLetters = count;
  }

  /** Ends requests under way; what they were to deliver is tried again after the next start. */
  async close(): Promise<void> {
    this.#closed.abort();
    this.#cancelTimer();
    await Promise.allSettled(this.#underWay);
  }

  get #size(): number {
    return this.#ready.size + this.#busy.size + this.#waiting.size;
  }

  get #isResting(): boolean {
    return this.#halt !== undefined || this.#isAsleep;
  }

  #forget(): void {
    this.#cancelTimer();
    this.#isIncomplete = true;
    this.#ready.clear();
    this.#waiting.clear();
    this.#troubles.clear();
  }

  #start(): void {
    if (this.#isResting || this.#closed.signal.aborted) return;
    const requestsMax = this.#failures > 0 ? 1 : this.#options.limits.webhookRequestsMax;
    if (this.#options.clock.monotonicMs() >= this.#notBeforeMs) {
      for (const id of this.#ready) {
        if (this.#busy.size >= requestsMax) break;
        this.#ready.delete(id);
        this.#busy.set(id, false);
        const running = this.#run(id).finally(() => this.#underWay.delete(running));
        this.#underWay.add(running);
      }
    }
    if (this.isIncomplete) this.#options.onIncomplete();
  }

  async #run(id: ContextId): Promise<void> {
    const outcome = await this.#step(id).catch((error: unknown): Outcome => this.#unreadable(id, error));
    const hasNews = this.#busy.get(id) === true;
    this.#busy.delete(id);
    if (outcome === "failed") {
      if (!this.#isResting) this.#waiting.add(id);
      this.#arm();
    } else if (outcome === "more" || hasNews) {
      this.#ready.add(id);
    }
    if (this.#isResting) this.#ready.clear();
    this.#start();
  }

  async #step(id: ContextId): Promise<Outcome> {
    const webhook = this.#webhook;
    const { outbox, sender } = this.#options;
    const { delivery, hasMore } = await outbox.next(webhook, id);
    if (delivery !== undefined) {
      const { deliveryId } = delivery.span;
      const attempt = { deliveryId, body: delivery.body, signal: this.#closed.signal };
      const fault = await sender.attempt(webhook, attempt);
      // whoever delivers now begins where this began
      if (this.#isAsleep) return "done";
      if (fault !== undefined) return this.#failed(delivery, fault);
      await outbox.delivered(webhook.id, delivery);
      this.#succeeded(id);
    }
    this.#troubles.delete(id);
    return hasMore ? "more" : "done";
  }

  #succeeded(id: ContextId): void {
    const { clock, logger } = this.#options;
    this.#lastDeliveryAtMs = clock.nowMs();
    if (this.#failures === 0) return;
    logger.info("A webhook's target takes deliveries again.", { webhookId: this.#webhook.id, contextId: id });
    this.#failures = 0;
    this.#notBeforeMs = 0;
    for (const [other, trouble] of this.#troubles) {
      // those that failed with the target are tried at once
      const afresh = trouble.isOwn ? {} : { failures: trouble.ownFailures, dueMs: 0 };
      this.#troubles.set(other, { ...trouble, ...afresh, isSuspect: true });
    }
    this.#arm();
  }

  async #failed(delivery: Delivery, fault: AttemptFault): Promise<Outcome> {
    if (this.#closed.signal.aborted) return "done";
    const { contextId } = delivery;
    const { clock } = this.#options;
    const trouble = this.#troubles.get(contextId) ?? UNTROUBLED;
    const told = { atMs: clock.nowMs(), contextId, message: fault.message };
    this.#lastError = told;
    const isOwn = !fault.isOfPace && (trouble.isSuspect || fault.isOfDelivery);
    const failures = trouble.failures + 1;
    const ownFailures = trouble.ownFailures + (isOwn ? 1 : 0);
    if (ownFailures >= this.#options.limits.webhookAttemptsMax) return this.#setAside(delivery, { failures, told });
    const dueMs = clock.monotonicMs() + this.#pauseMs(failures, fault);
    this.#troubles.set(contextId, { ...trouble, failures, ownFailures, isOwn, dueMs });
    if (!isOwn) this.#targetFailed(fault, told);
    return "failed";
  }

  #targetFailed(fault: AttemptFault, told: DeliveryFault): void {
    const { clock, logger } = this.#options;
    if (this.#failures === 0) {
      const { contextId, message: reason } = told;
      const webhookId = this.#webhook.id;
      logger.warn("A webhook's target does not take deliveries; they are tried again.", {
        webhookId,
        contextId,
        reason,
      });
      // what it takes or does not take from here on says nothing of single deliveries
      for (const [id, trouble] of this.#troubles) this.#troubles.set(id, { ...trouble, isSuspect: false });
    }
    this.#failures += 1;
    this.#notBeforeMs = clock.monotonicMs() + this.#pauseMs(this.#failures, fault);
    if (fault.isFinal || this.#failures >= this.#options.limits.webhookFailuresMax) this.#stop(told);
  }

  async #setAside(
    delivery: Delivery,
    { failures, told }: { readonly failures: number; readonly told: DeliveryFault },
  ): Promise<Outcome> {
    const { outbox, logger } = this.#options;
    const { contextId, span } = delivery;
    await outbox.setAside(this.#webhook.id, delivery, { attempts: failures, error: told.message, atMs: told.atMs });
    this.#troubles.delete(contextId);
    this.#deadLetters += 1;
    logger.warn("A webhook's delivery was given up and is a dead letter now.", {
      webhookId: this.#webhook.id,
      contextId,
      deliveryId: span.deliveryId,
      fromVersion: span.afterVersion + 1,
      toVersion: span.toVersion,
      reason: told.message,
    });
    if (this.#deadLetters >= this.#options.limits.webhookDeadLettersMax) this.#stop(told);
    return "more";
  }

  #stop(fault: DeliveryFault): void {
    this.#options.logger.error("A webhook stopped: it failed for too long. It goes on when somebody resumes it.", {
      webhookId: this.#webhook.id,
      reason: fault.message,
    });
    this.halt({ state: "stopped", fault });
    this.#options.onStopped(fault);
  }

  /** What is to be told could not be read, or that it was told not be written: no fault of the target. */
  #unreadable(id: ContextId, error: unknown): Outcome {
    const { clock, logger } = this.#options;
    if (this.#closed.signal.aborted) return "done";
    logger.warn("A webhook has no access to what it is to tell; it tries again.", {
      webhookId: this.#webhook.id,
      contextId: id,
      error,
    });
    const trouble = this.#troubles.get(id) ?? UNTROUBLED;
    this.#troubles.set(id, { ...trouble, dueMs: clock.monotonicMs() + this.#options.limits.reopenDelayMsMax });
    return "failed";
  }

  #pauseMs(failures: number, { retryAfterMs }: AttemptFault): number {
    const random = this.#options.clock.randomUint32() / 2 ** 32;
    return Math.max(retryPauseMs(failures, random), Math.min(retryAfterMs, this.#options.limits.webhookRetryMsMax));
  }

  /** Sets the timer for what is due next. */
  #arm(): void {
    this.#cancelTimer();
    if (this.#isResting || this.#closed.signal.aborted) return;
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    let nextMs = this.#notBeforeMs > nowMs ? this.#notBeforeMs : Infinity;
    for (const id of this.#waiting) {
      const { dueMs } = this.#troubles.get(id) ?? UNTROUBLED;
      if (dueMs <= nowMs) {
        this.#waiting.delete(id);
        this.#ready.add(id);
      } else if (dueMs < nextMs) nextMs = dueMs;
    }
    if (nextMs === Infinity) return;
    this.#cancelTimer = clock.setTimer(nextMs - nowMs, () => {
      this.#arm();
      this.#start();
    });
  }

  #wallTime(monotonicMs: number, clock: Clock): number {
    return Math.round(clock.nowMs() + Math.max(0, monotonicMs - clock.monotonicMs()));
  }
}
