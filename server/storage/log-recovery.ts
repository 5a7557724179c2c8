/**
 * Brings a log back after a failed write: close, open, and again after a growing pause until it works.
 *
 * Invariants:
 *  1. Unavailable from begin() until an open() succeeded, whose last step is a synced write.
 *  2. One attempt at a time; pauses double from reopenDelayMsMin to reopenDelayMsMax.
 *
 * Not here: whom to tell (storage-manager.ts).
 */
import type { Limits } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";
import type { ChangeLog } from "./change-log.ts";

export interface LogRecoveryOptions {
  readonly log: ChangeLog;
  readonly clock: Clock;
  readonly limits: Pick<Limits, "reopenDelayMsMin" | "reopenDelayMsMax">;
  onRecovered(): void;
}

export class LogRecovery {
  readonly #options: LogRecoveryOptions;
  #available = false;
  #isStopped = false;
  #lastError: string | undefined;
  #failedAtMs: number | undefined;
  #attempt: Promise<void> = Promise.resolve();
  #cancelTimer: (() => void) | undefined;

  constructor(options: LogRecoveryOptions) {
    this.#options = options;
  }

  get available(): boolean {
    return this.#available;
  }

  get lastError(): string | undefined {
    return this.#lastError;
  }

  get failedAtMs(): number | undefined {
    return this.#failedAtMs;
  }

  /** The log was opened by its owner. */
  started(): void {
    this.#available = true;
  }

  begin(error: unknown): void {
    this.#available = false;
    this.#failedAtMs = this.#options.clock.nowMs();
    this.#lastError = reasonOf(error);
    this.#tryAfter(this.#options.limits.reopenDelayMsMin);
  }

  /** No attempt runs or follows after it resolves. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTimer?.();
    await this.#attempt;
  }

  #tryAfter(delayMs: number): void {
    if (this.#isStopped) return;
    this.#cancelTimer = this.#options.clock.setTimer(delayMs, () => {
      this.#attempt = this.#reopen(delayMs);
    });
  }

  async #reopen(delayMs: number): Promise<void> {
    const { log, limits } = this.#options;
    try {
      await log.close();
      await log.open();
    } catch (error) {
      this.#lastError = reasonOf(error);
      return this.#tryAfter(Math.min(delayMs * 2, limits.reopenDelayMsMax));
    }
    this.#available = true;
    this.#lastError = undefined;
    this.#failedAtMs = undefined;
    this.#options.onRecovered();
  }
}

/** The innermost message: the store's own words. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? reasonOf(error.cause) : error.message;
}
