/**
 * What other servers of the same data append: it is taken into the contexts in memory, in log order, and told to those who
 * look on as what is written here is.
 *
 * Invariants (NODE):
 *  1. A context in memory is a prefix of its log, with what this server is appending behind it. An entry is taken in once.
 *  2. What is read here is no older than what was durable anywhere when it was asked for.
 *  3. A hint may be lost or late: every live context is compared with its log's head once a while.
 *  4. A context with locks comes into memory when a lock is taken or renewed elsewhere: its holder finds it here, too.
 *  5. Of a context that was recreated or deleted elsewhere, this server forgets what it holds, and ends its sessions.
 *  6. So it does with all, when its place among the servers is another one than before: that has other Yjs client ids.
 *  7. Entries that came with a hint are taken in where they are the next ones; all else is read.
 *  8. When the log does not answer for long, what is here is shown to nobody (log-contact.ts).
 *
 * Not here: contexts that are not in memory (onlookers.ts), this server's own writes (write-path.ts), how hints travel (server/storage/postgres).
 */
import type { MetaChange } from "../../shared/context.ts";
import { toServiceError } from "../../shared/errors.ts";
import type { ServiceError } from "../../shared/errors.ts";
import { isContextId } from "../../shared/ids.ts";
import type { ContextId } from "../../shared/ids.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { Json } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";
import type { EngineMonitor } from "../monitor-port.ts";
import type { Logger } from "../monitor/logger.ts";
import { contextNotFound } from "../state/context-not-found.ts";
import type { LiveContext, StateManager } from "../state/state-manager.ts";
import type { Brought, Hint, LogEntry } from "../storage/change-log.ts";
import type { Peers } from "../storage/peers.ts";
import type { StorageManager } from "../storage/storage-manager.ts";
import type { SyncManager } from "../sync/sync-manager.ts";
import type { Publication } from "../sync/topic.ts";
import { ConflictNews } from "./conflict-news.ts";
import { LogContact } from "./log-contact.ts";
import { LostHints } from "./lost-hints.ts";
import { Onlookers } from "./onlookers.ts";
import type { OnlookersOptions } from "./onlookers.ts";
import { compacted } from "./recreation.ts";
import { reloading } from "./refusals.ts";
import type { PendingWrite } from "./write-path.ts";

type Live = LiveContext<PendingWrite>;

interface FollowerOptions {
  readonly clock: Clock;
  readonly storage: Pick<
    StorageManager,
    "isShared" | "nodeSlot" | "news" | "summary" | "heads" | "read" | "listRecords" | "onHint" | "onRecovered"
  >;
  readonly sync: SyncManager;
  readonly state: StateManager<PendingWrite>;
  readonly logger: Logger;
  readonly monitor: { readonly engine: Pick<EngineMonitor, "hinted" | "followed"> };
  readonly events: OnlookersOptions["events"] & { close(error: ServiceError): void };
  readonly readers: OnlookersOptions["readers"];
  readonly peers?: Pick<Peers, "hear"> | undefined;
  readonly locks: { changed(live: Live, entry: LogEntry): void };
  readonly meta: { changed(live: Live, change: MetaChange): void };
  /** Forgets what is in memory of a context and ends its sessions. */
  readonly drop: (live: Live, error: ServiceError) => void;
}

/** Of a context that is recreated or deleted elsewhere again and again. */
const ACQUIRE_TRIES_MAX = 5;

export class Follower {
  readonly #options: FollowerOptions;
  /** Contexts that are being compared with their logs, and the next comparison of each that was asked for meanwhile. */
  readonly #underWay = new Map<Live, Promise<void>>();
  readonly #next = new Map<Live, Promise<void>>();
  readonly #conflicts: ConflictNews;
  readonly #onlookers: Onlookers;
  readonly #contact: LogContact;
  readonly #lostHints = new LostHints();
  #isStopped = false;
  #cancelLook: (() => void) | undefined;
  #nodeSlot: number | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#conflicts = new ConflictNews(options);
    this.#onlookers = new Onlookers(options);
    this.#contact = new LogContact({
      ...options,
      end: (error) => {
        options.sync.endEverything(error);
        options.events.close(error);
      },
    });
    options.storage.onHint((hint) => this.#hinted(hint));
    options.storage.onRecovered(() => this.#reopened());
    options.peers?.hear("locks", (message) => this.#locked(message));
  }

  start(): void {
    const { isShared, nodeSlot } = this.#options.storage;
    if (!isShared) return;
    this.#nodeSlot = nodeSlot;
    this.#contact.start();
    this.#lookLater();
  }

  /** @throws {ServiceError} STORE_UNAVAILABLE when what is in memory may be old */
  assertFresh(): void {
    this.#contact.assertThere();
  }

  stop(): void {
    this.#isStopped = true;
    this.#contact.stop();
    this.#conflicts.stop();
    this.#cancelLook?.();
  }

  /** What is in memory may be old. */
  retained(_id: ContextId): undefined {
    return undefined;
  }

  /**
   * The context, no older than its log was when this was called, kept in memory until it is released.
   * @throws {ServiceError} CONTEXT_NOT_FOUND, STORE_UNAVAILABLE
   */
  async acquire(id: ContextId): Promise<Live> {
    const { state, storage } = this.#options;
    for (let tries = 1; ; tries++) {
      const live = await state.acquire(id);
      try {
        if (storage.isShared) await this.freshen(live);
        return live;
      } catch (error) {
        state.release(live);
        // what it was is gone: there may be another one, or the same anew
        if (!live.isDropped || tries === ACQUIRE_TRIES_MAX) throw error;
      }
    }
  }

  /**
   * Resolves when the context is no older than its log was when this was called.
   * @throws {ServiceError} when it was recreated or deleted meanwhile: why it was dropped
   */
  async freshen(live: Live): Promise<void> {
    await this.#compared(live);
    if (live.droppedBy !== undefined) throw live.droppedBy;
  }

  async #compared(live: Live): Promise<void> {
    const running = this.#underWay.get(live);
    if (running === undefined) return this.#begin(live);
    // what runs may have looked before: the one after it has not
    const next = this.#next.get(live) ?? running.catch(() => undefined).then(() => this.#begin(live));
    this.#next.set(live, next);
    return next;
  }

  #lookLater(): void {
    // one that was under way then ends after it
    if (this.#isStopped) return;
    this.#cancelLook = this.#options.clock.setTimer(LIMITS.headsEveryMs, () => void this.#look());
  }

  /** False when the context is not what it was: it is dropped then. */
  absorb(live: Live, { meta, entries }: Brought): boolean {
    const { sync, state, clock, monitor, drop } = this.#options;
    if (live.isDropped) return false;
    if (meta.firstEpoch !== live.meta.firstEpoch) {
      drop(live, contextNotFound());
      return false;
    }
    const fresh = entries.filter(({ seq }) => seq > live.state.seq);
    const [first] = fresh;
    if (first === undefined) return true;
    if (first.seq !== live.state.seq + 1) {
      // what comes before it was dropped from the log meanwhile
      drop(live, reloading());
      return false;
    }
    if (fresh.some(({ kind }) => kind === "epoch")) {
      sync.endEpoch(live.id);
      state.drop(live, compacted());
      return false;
    }
    const sinceMs = clock.monotonicMs();
    monitor.engine.followed(fresh.length, Math.max(0, clock.nowMs() - first.atMs));
    try {
      const publications = fresh.flatMap((entry) =>
        publicationOf(entry, live.state.absorb(entry, { monotonicMs: sinceMs })),
      );
      this.#follow(live, fresh);
      // after what was written here before
      live.durable = live.durable.then(() => this.#tell(live, fresh, { publications, sinceMs }));
      live.durable.catch(() => undefined);
    } catch (error) {
      drop(live, toServiceError(error));
      return false;
    }
    return true;
  }

  #follow(live: Live, entries: readonly LogEntry[]): void {
    for (const { kind, seq } of entries) if (kind === "lock" || kind === "meta") live.lockSeq = seq;
  }

  #tell(
    live: Live,
    entries: readonly LogEntry[],
    { publications, sinceMs }: { readonly publications: readonly Publication[]; readonly sinceMs: number },
  ): void {
    const { sync, events, locks, meta } = this.#options;
    if (publications.length > 0) sync.publish(live.id, publications, sinceMs);
    if (publications.some(({ kind }) => kind === "change")) events.emit(live.meta, "changed");
    this.#conflicts.tell(live.id, entries);
    for (const entry of entries) {
      if (entry.lock !== undefined) locks.changed(live, entry);
      if (entry.meta !== undefined) meta.changed(live, entry.meta);
    }
  }

  #begin(live: Live): Promise<void> {
    this.#next.delete(live);
    const running = this.#compare(live).finally(() => {
      if (this.#underWay.get(live) === running) this.#underWay.delete(live);
    });
    this.#underWay.set(live, running);
    return running;
  }

  async #compare(live: Live): Promise<void> {
    const { storage, drop } = this.#options;
    for (let isBehind = true; isBehind && !live.isDropped;) {
      const { seq } = live.state;
      const news = await storage.news(live.id, seq, LIMITS.followEntriesMax);
      if (live.isDropped) return;
      if (news === undefined) return drop(live, contextNotFound());
      if (!this.absorb(live, news)) return;
      isBehind = live.state.seq < news.head.seq;
      // what comes next was dropped from the log meanwhile
      if (isBehind && live.state.seq === seq) return drop(live, reloading());
    }
  }

  #reopened(): void {
    const { storage, state, drop } = this.#options;
    // that it was opened is an answer
    this.#contact.answered();
    if (!storage.isShared || storage.nodeSlot === this.#nodeSlot) return;
    this.#nodeSlot = storage.nodeSlot;
    for (const live of [...state.live()]) drop(live, reloading());
  }

  #hinted(hint: Hint): void {
    const { contextId, seq } = hint;
    const live = this.#options.state.get(contextId);
    this.#lostHints.heard(contextId, seq);
    if (live === undefined) this.#onlookers.hinted(contextId, seq);
    else if (seq > live.state.seq && !this.#absorbBrought(live, hint)) this.#freshenSoon(live);
  }

  /** False when the log must be asked: they are not the next ones, or perhaps of another context. */
  #absorbBrought(live: Live, hint: Hint): boolean {
    const brought = hint.brought();
    if (brought === undefined || brought.meta.firstEpoch !== live.meta.firstEpoch) return false;
    const next = brought.entries.find(({ seq }) => seq > live.state.seq);
    return next?.seq === live.state.seq + 1 && this.absorb(live, brought);
  }

  #locked(message: Json): void {
    const id = isJsonObject(message) ? message["contextId"] : undefined;
    if (typeof id !== "string" || !isContextId(id) || this.#options.state.get(id) !== undefined) return;
    this.acquire(id).then(
      (live) => this.#options.state.release(live),
      () => undefined,
    );
  }

  /** That the log cannot be read is noticed by everybody else too, and ends when it can. */
  #freshenSoon(live: Live): void {
    this.freshen(live).catch(() => undefined);
  }

  async #look(): Promise<void> {
    const { storage, state, monitor } = this.#options;
    try {
      const live = [...state.live()];
      const heads = await storage.heads(live.map(({ id }) => id));
      this.#contact.answered();
      const news = new Map<ContextId, number>();
      for (const context of live) {
        const head = heads.get(context.id);
        if (head !== undefined && head <= context.state.seq) continue;
        if (head !== undefined && !context.isDropped) news.set(context.id, head);
        this.#freshenSoon(context);
      }
      const lost = this.#lostHints.look(news);
      if (lost > 0) monitor.engine.hinted("lost", lost);
      await this.#onlookers.look((id) => state.get(id) !== undefined);
    } catch {
      // as above
    }
    this.#lookLater();
  }
}

function publicationOf(change: LogEntry, advances: Publication["advances"]): readonly Publication[] {
  const { kind } = change;
  return kind === "change" || kind === "void" ? [{ change, kind, advances, author: undefined }] : [];
}
