/**
 * Those who look on at contexts that are not in memory here, while other servers write them: feeds, and watchers of events.
 *
 * Invariants (NODE):
 *  1. Feeds read the log: they are only woken. Whose right to read ended by a new list is told so.
 *  2. A hint may be lost: the logs that feeds here are made of are compared once a while.
 *  3. What nobody here looks at is not read.
 *
 * Not here: contexts in memory (follower.ts), that a context was made or deleted (context-events.ts).
 */
import type { ContextEventKind, ContextMeta } from "../../shared/context.ts";
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ChangeLog, LogEntry } from "../storage/change-log.ts";
import type { AccessWatch } from "./access-watch.ts";

export interface OnlookersOptions {
  readonly storage: Pick<ChangeLog, "summary" | "read" | "heads">;
  readonly sync: {
    wake(id: ContextId): void;
    watched(): Iterable<ContextId>;
  };
  readonly events: {
    readonly isWatched: boolean;
    emit(meta: ContextMeta, kind: ContextEventKind): void;
  };
  readonly readers: Pick<AccessWatch, "isWatched" | "changed">;
}

/** What an entry is told as. */
const EVENT_OF: Readonly<Record<LogEntry["kind"], ContextEventKind | undefined>> = {
  change: "changed",
  epoch: "changed",
  lock: "locks",
  meta: "access",
  void: undefined,
};

/** Contexts of which it is remembered how far their events were told. */
const TOLD_MAX = 10_000;

export class Onlookers {
  readonly #options: OnlookersOptions;
  readonly #told = new Map<ContextId, number>();
  /** Of the contexts that feeds are made of, when they were looked at. */
  #heads: ReadonlyMap<ContextId, number> = new Map();

  constructor(options: OnlookersOptions) {
    this.#options = options;
  }

  /** An entry at this position, or a later one, is new. */
  hinted(id: ContextId, seq: number): void {
    const { sync, events, readers } = this.#options;
    sync.wake(id);
    // that the log cannot be read is noticed by everybody else too
    if (events.isWatched || readers.isWatched(id)) this.#tell(id, seq).catch(() => undefined);
  }

  /** @throws {ServiceError} STORE_UNAVAILABLE */
  async look(isInMemory: (id: ContextId) => boolean): Promise<void> {
    const { storage, sync } = this.#options;
    const ids = [...sync.watched()].filter((id) => !isInMemory(id));
    const heads = ids.length === 0 ? new Map<ContextId, number>() : await storage.heads(ids);
    const before = this.#heads;
    this.#heads = heads;
    for (const id of ids) {
      const seq = heads.get(id);
      if (seq === undefined) sync.wake(id);
      else if (before.get(id) !== seq) this.hinted(id, seq);
    }
  }

  async #tell(id: ContextId, hintedSeq: number): Promise<void> {
    const { storage, events, readers } = this.#options;
    const now = await storage.summary(id);
    if (now === undefined) return void this.#told.delete(id);
    readers.changed(now.meta);
    const { seq } = now.head;
    const since = this.#told.get(id) ?? Math.max(0, hintedSeq - 1);
    if (this.#told.size >= TOLD_MAX) this.#told.clear();
    this.#told.set(id, seq);
    if (seq <= since || !events.isWatched) return;
    const entries = await storage.read(id, since, LIMITS.followEntriesMax);
    for (const kind of new Set(entries.map((entry) => EVENT_OF[entry.kind])))
      if (kind !== undefined) events.emit(now.meta, kind);
  }
}
