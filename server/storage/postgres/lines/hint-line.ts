/**
 * How nodes learn at once that another one appended: a word on a channel of the database, after the commit.
 *
 * Invariants:
 *  1. It is lossy: whoever needs all compares heads once a while. Nothing here fails a write.
 *  2. While a message is under way the next ones gather (the first goes at once): a busy node sends few.
 *  3. A message brings what was appended along when that is little in all. Where much gathers, in one context or in many, it
 *     is read at once as well: then the positions are enough, and a busy node says no more than that.
 *  4. Not within the transactions that append: that would make all commits of the database wait for each other
 *     (docs/decisions/0014).
 *
 * Not here: what is done with a hint (server/context/follower.ts), the connection (notice-line.ts).
 */
import type { ContextId } from "../../../../shared/ids.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import { NO_MONITOR } from "../../../monitor-port.ts";
import type { EngineMonitor } from "../../../monitor-port.ts";
import type { Hint } from "../../change-log.ts";
import { hintOf, wordOf, type Told } from "./hint-word.ts";
import { NOTICE_BYTES_MAX } from "./notice-line.ts";
import type { Line } from "./notice-line.ts";

const CHANNEL = "mcm_hints";

type HintsLine = Pick<Line, "isUp" | "hear" | "onLost" | "onLeaving" | "open" | "leave" | "close" | "say">;
type Listener = (hint: Hint) => void;

export class HintLine {
  readonly #line: HintsLine;
  readonly #monitor: Pick<EngineMonitor, "hinted">;
  readonly #listeners = new Set<Listener>();
  /** What is to be told: of each context the newest position. */
  readonly #waiting = new Map<ContextId, Told>();
  #sending: Promise<void> | undefined;

  constructor(line: HintsLine, monitor: Pick<EngineMonitor, "hinted"> = NO_MONITOR.engine) {
    this.#line = line;
    this.#monitor = monitor;
    line.hear(CHANNEL, (message) => this.#heard(message));
    line.onLost(() => this.#waiting.clear());
    line.onLeaving(async () => this.#sending);
  }

  onHint(listener: Listener): void {
    this.#listeners.add(listener);
  }

  /** Resolves when it listens. */
  async open(): Promise<void> {
    await this.#line.open();
  }

  /** When all is told. */
  leave(): Promise<void> {
    return this.#line.leave();
  }

  close(): void {
    this.#line.close();
  }

  tell({ contextId, seq, run }: Told): void {
    if (!this.#line.isUp) return;
    const isAlone = !this.#waiting.has(contextId) && (run?.item[1].length ?? 0) <= LIMITS.hintRunBytesMax;
    this.#waiting.set(contextId, { contextId, seq, ...(isAlone && run !== undefined ? { run } : {}) });
    this.#sending ??= this.#send();
  }

  async #send(): Promise<void> {
    try {
      while (this.#waiting.size > 0) {
        const message = this.#message();
        await this.#line.say(CHANNEL, message);
        this.#monitor.hinted("sent", message.split(" ").length);
      }
    } catch {
      // the line was lost, and what waited with it
    } finally {
      this.#sending = undefined;
    }
  }

  #message(): string {
    let message = "";
    const isLittle = runBytesOf(this.#waiting.values()) <= LIMITS.hintRunBytesMax;
    for (const [id, { contextId, seq, run }] of this.#waiting) {
      const told = isLittle && run !== undefined ? { contextId, seq, run } : { contextId, seq };
      const word = `${message === "" ? "" : " "}${wordOf(told)}`;
      if (message.length + word.length > NOTICE_BYTES_MAX) break;
      message += word;
      this.#waiting.delete(id);
    }
    return message;
  }

  #heard(message: string): void {
    const words = message.split(" ");
    this.#monitor.hinted("heard", words.length);
    for (const word of words) {
      const hint = hintOf(word);
      for (const listener of this.#listeners) listener(hint);
    }
  }
}

function runBytesOf(told: Iterable<Told>): number {
  let bytes = 0;
  for (const { run } of told) bytes += run?.item[1].length ?? 0;
  return bytes;
}
