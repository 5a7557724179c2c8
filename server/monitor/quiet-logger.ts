/**
 * A Logger that does not let one message drown the others: after a burst it says how many more there were.
 *
 * Invariants (LOGGER):
 *  1. Of each message and level the first logBurstMax within logBurstMs are written as they are; the others are counted, and
 *     the number is written when the time is over. Nothing is left uncounted when it is flushed.
 *  2. Debug lines are not held back: who asks for them wants all.
 *
 * Messages are constant texts and facts are fields, so there are few messages; of more than MESSAGES_MAX none is counted.
 */
import { LIMITS } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";
import type { LogFields, Logger, LogLevel } from "./logger.ts";

interface Burst {
  readonly level: LogLevel;
  readonly message: string;
  written: number;
  more: number;
}

const MESSAGES_MAX = 500;

export class QuietLogger implements Logger {
  readonly #logger: Logger;
  readonly #clock: Pick<Clock, "setTimer">;
  readonly #bursts = new Map<string, Burst>();
  #cancelTimer: (() => void) | undefined;

  constructor(logger: Logger, clock: Pick<Clock, "setTimer">) {
    this.#logger = logger;
    this.#clock = clock;
  }

  debug(message: string, fields?: LogFields): void {
    this.#logger.debug(message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#log("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#log("warn", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#log("error", message, fields);
  }

  /** Writes what was counted; also when the server stops. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    for (const { level, message, more } of this.#bursts.values()) {
      if (more > 0) this.#logger[level](`${message} (${more} more)`, { more, withinMs: LIMITS.logBurstMs });
    }
    this.#bursts.clear();
  }

  #log(level: LogLevel, message: string, fields: LogFields | undefined): void {
    const burst = this.#burstOf(level, message);
    if (burst !== undefined && burst.written >= LIMITS.logBurstMax) {
      burst.more++;
      return;
    }
    if (burst !== undefined) burst.written++;
    this.#logger[level](message, fields);
  }

  #burstOf(level: LogLevel, message: string): Burst | undefined {
    const key = `${level} ${message}`;
    const known = this.#bursts.get(key);
    if (known !== undefined || this.#bursts.size >= MESSAGES_MAX) return known;
    const burst = { level, message, written: 0, more: 0 };
    this.#bursts.set(key, burst);
    this.#cancelTimer ??= this.#clock.setTimer(LIMITS.logBurstMs, () => this.flush());
    return burst;
  }
}
