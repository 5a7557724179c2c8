/**
 * Records of the whole server that other servers write: whoever holds them in memory is told to read them again.
 *
 * A stamp lies beside them for each collection, which every write of it replaces in the same step.
 *
 * Invariants (NODE):
 *  1. Stamps are read before what they stand for: what was read is as new as its stamp, or newer.
 *  2. A word to the others tells that there is news; without it the stamps are compared once a while.
 *  3. Where nobody else writes the data, this does nothing and writes nothing.
 *
 * Not here: what the records mean (each manager's own part).
 */
import type { ContextId } from "../../shared/ids.ts";
import type { Json } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";
import type { ChangeLog, Collection, RecordWrite } from "./change-log.ts";

type WatchedCollection = "types" | "revocations" | "webhooks";
const WATCHED: ReadonlySet<Collection> = new Set<WatchedCollection>(["types", "revocations", "webhooks"]);

interface RecordWatchOptions {
  readonly log: ChangeLog;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

export class RecordWatch {
  readonly #options: RecordWatchOptions;
  readonly #readers = new Map<Collection, () => Promise<void>>();
  readonly #known = new Map<string, Json | undefined>();
  #looking: Promise<void> | undefined;
  /** There is news since it began to look. */
  #isNews = false;
  #isStopped = false;
  #cancelTimer: (() => void) | undefined;

  constructor(options: RecordWatchOptions) {
    this.#options = options;
  }

  /** When the log is open. */
  start(): void {
    const { log } = this.#options;
    if (!log.isShared) return;
    log.peers?.hear("records", () => this.#lookNow());
    this.#lookLater();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTimer?.();
    await this.#looking;
  }

  /** `read` takes in what is stored, which may be what is known already. What it throws makes it be called again. */
  on(collection: WatchedCollection, read: () => Promise<void>): void {
    this.#readers.set(collection, read);
  }

  /** Writes the records. */
  async write(contextId: ContextId | undefined, writes: readonly RecordWrite[]): Promise<void> {
    const { log, clock } = this.#options;
    const touched = contextId === undefined && log.isShared ? watchedOf(writes) : [];
    const stamp = (key: Collection): RecordWrite => ({ collection: "stamps", key, value: { stamp: clock.newId() } });
    await log.writeRecords(contextId, touched.length === 0 ? writes : [...writes, ...touched.map(stamp)]);
    if (touched.length > 0) log.peers?.say("records", touched);
  }

  #lookLater(): void {
    this.#cancelTimer?.();
    if (this.#isStopped) return;
    this.#cancelTimer = this.#options.clock.setTimer(LIMITS.headsEveryMs, () => this.#lookNow());
  }

  #lookNow(): void {
    this.#isNews = true;
    if (this.#isStopped) return;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
      this.#lookLater();
    });
  }

  async #look(): Promise<void> {
    try {
      while (this.#isNews && !this.#isStopped) {
        this.#isNews = false;
        await this.#compare();
      }
    } catch (error) {
      this.#options.onError(error);
    }
  }

  async #compare(): Promise<void> {
    const stamps = await this.#options.log.listRecords(undefined, "stamps", { limit: WATCHED.size });
    for (const { key, value } of stamps) {
      const { stamp } = value;
      if (this.#known.get(key) === stamp) continue;
      for (const [collection, read] of this.#readers) if (collection === key) await read();
      this.#known.set(key, stamp);
    }
  }
}

function watchedOf(writes: readonly RecordWrite[]): readonly Collection[] {
  return [...new Set(writes.map(({ collection }) => collection))].filter((collection) => WATCHED.has(collection));
}
