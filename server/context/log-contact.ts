/**
 * Whether this server hears from the log that others write too. One that does not may hold what is old, and shows it to nobody.
 *
 * Invariants (NODE):
 *  1. When the log has given no answer for `engineSilentMs`, sessions and feeds are ended with STORE_UNAVAILABLE and nothing
 *     new begins, until it answers.
 *  2. Time in which this process stood still does not count: it asked for nothing then.
 *
 * Not here: asking (follower.ts), opening the log again (storage/log-recovery.ts), what readiness says (monitor/health-checker.ts).
 */
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";
import type { Logger } from "../monitor/logger.ts";

const CHECK_MS = LIMITS.headsEveryMs;

interface LogContactOptions {
  readonly clock: Clock;
  readonly logger: Pick<Logger, "warn" | "info">;
  /** Ends all that shows somebody what this server holds. */
  readonly end: (error: ServiceError) => void;
}

export class LogContact {
  readonly #options: LogContactOptions;
  #silentMs = 0;
  #isLost = false;
  #cancelCheck: (() => void) | undefined;

  constructor(options: LogContactOptions) {
    this.#options = options;
  }

  start(): void {
    this.#cancelCheck = this.#options.clock.setTimer(CHECK_MS, () => {
      this.#check();
      this.start();
    });
  }

  stop(): void {
    this.#cancelCheck?.();
  }

  answered(): void {
    this.#silentMs = 0;
    if (!this.#isLost) return;
    this.#isLost = false;
    this.#options.logger.info("The log answers again: clients are served.");
  }

  /** @throws {ServiceError} STORE_UNAVAILABLE while it is lost */
  assertThere(): void {
    if (this.#isLost) throw cutOff();
  }

  #check(): void {
    this.#silentMs += CHECK_MS;
    if (this.#silentMs < LIMITS.engineSilentMs) return;
    if (!this.#isLost)
      this.#options.logger.warn("The log does not answer: all sessions and feeds are ended.", {
        silentMs: this.#silentMs,
      });
    this.#isLost = true;
    // again and again: one that was being opened is there by now
    this.#options.end(cutOff());
  }
}

function cutOff(): ServiceError {
  return new ServiceError(
    "STORE_UNAVAILABLE",
    "This server is cut off from its database, and what it knows may be old. Connect again: another one may serve you.",
  );
}
