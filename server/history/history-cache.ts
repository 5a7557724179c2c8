/**
 * Answers about the past that were given lately: it does not change, so they stay right.
 *
 * Invariants (HIST):
 *  1. No more than `historyCacheBytesMax` of them, none older than `historyCacheTtlMs`.
 *  2. Who asks for what is being worked out waits for that.
 *
 * Not here: what an answer depends on; the key must say all of it.
 */
import { LRUCache } from "lru-cache";
import type { Limits } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";
import type { Monitor } from "../monitor-port.ts";

/** Beside the text itself, roughly. */
const ANSWER_BYTES = 200;

/** @typeParam the parsed answer, which its readers share: nobody changes it. */
interface Answer {
  readonly value: unknown;
  readonly bytes: number;
}

export class HistoryCache {
  readonly #answers: LRUCache<string, Answer>;
  readonly #underWay = new Map<string, Promise<unknown>>();
  readonly #monitor: Pick<Monitor, "cacheRead">;

  constructor(
    clock: Clock,
    limits: Pick<Limits, "historyCacheBytesMax" | "historyCacheTtlMs">,
    monitor: Pick<Monitor, "cacheRead">,
  ) {
    this.#monitor = monitor;
    this.#answers = new LRUCache<string, Answer>({
      maxSize: limits.historyCacheBytesMax,
      sizeCalculation: ({ bytes }) => bytes,
      ttl: limits.historyCacheTtlMs,
      // 0: ask the clock each time instead of keeping the answer by a timer of its own.
      ttlResolution: 0,
      perf: { now: () => clock.monotonicMs() },
    });
  }

  /** The answer under the key; else the JSON text that `work` makes, parsed. */
  async get(key: string, work: () => Promise<string>): Promise<unknown> {
    const known = this.#answers.get(key);
    this.#monitor.cacheRead("answers", known !== undefined);
    if (known !== undefined) return known.value;
    const underWay = this.#underWay.get(key) ?? this.#workOut(key, work);
    return underWay;
  }

  async #workOut(key: string, work: () => Promise<string>): Promise<unknown> {
    const parsed = work().then((json): unknown => {
      const value: unknown = JSON.parse(json);
      // UTF-16 in memory, and objects weigh more than their text
      this.#answers.set(key, { value, bytes: ANSWER_BYTES + (key.length + json.length) * 2 });
      return value;
    });
    this.#underWay.set(key, parsed);
    try {
      return await parsed;
    } finally {
      this.#underWay.delete(key);
    }
  }
}
