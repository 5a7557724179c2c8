/**
 * The one write path: what happens to the writes of one turn of a context, whichever transport they came through.
 *
 *   turn (what others wrote is in) → admit (rules, in memory) → append (log, fsynced) → publish (sessions, feeds) → answer (acks, replies)
 *
 * Invariants (CTX):
 *  1. Nothing is published or answered before it is durable (P1).
 *  2. Answers to the writes of a turn are given in their order, after all of the turn is durable.
 *  3. When an append fails, or a document breaks, everything in memory of that context is forgotten, its sessions are ended
 *     with 4503, and the next use loads what the log holds.
 *
 * Not here: whose turn it is (state/state-manager.ts), the rules (state/context-state.ts).
 */
import type { ContextMeta, MetaChange } from "../../shared/context.ts";
import { ServiceError, toServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { conflictView } from "../../shared/protocol/conflict-view.ts";
import type { Clock } from "../clock.ts";
import type { Monitor } from "../monitor-port.ts";
import type { Logger } from "../monitor/logger.ts";
import { conflictWrite, resolvedBy } from "../state/conflict/conflict-record.ts";
import { DocumentBroken } from "../state/context-state.ts";
import type { Admitted, AdmittedChange, AdmittedLock, AdmittedMeta, OpsWrite, Verdict } from "../state/writes.ts";
import type { LiveContext, QueuedWrite } from "../state/state-manager.ts";
import type {
  AppendOptions,
  AppendResult,
  ContextTurn,
  Guard,
  Idempotency,
  IdempotencyRecord,
  LogEntry,
  NewEntry,
  News,
} from "../storage/change-log.ts";
import type { Member, Publication } from "../sync/topic.ts";
import { answerOf } from "./idempotency.ts";
import { reloading } from "./refusals.ts";
import { TurnTally } from "./turn-tally.ts";

/** A queued write and where it came from. */
export interface PendingWrite extends QueuedWrite {
  readonly author?: Member;
  /** Of its author. */
  readonly sessionId?: string;
  readonly idempotency?: Idempotency;
}

type Live = LiveContext<PendingWrite>;

/** What a turn decided. */
interface Turn {
  /** When the oldest of its writes was queued, monotonic. */
  readonly sinceMs: number;
  /** The context's version before it. */
  readonly version: number;
  readonly writes: readonly PendingWrite[];
  readonly verdicts: readonly Verdict[];
}

interface WritePathOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly monitor: Pick<Monitor, "settled" | "conflicted">;
  readonly storage: {
    append(id: ContextId, guard: Guard, entries: readonly NewEntry[], options?: AppendOptions): Promise<AppendResult>;
    recordIdempotent(id: ContextId, record: IdempotencyRecord): Promise<void>;
    turn(id: ContextId, turn: ContextTurn): Promise<void>;
  };
  readonly others: { absorb(live: Live, news: News): boolean };
  readonly sync: {
    publish(id: ContextId, publications: readonly Publication[], sinceMs: number): void;
    announce(id: ContextId, event: JsonObject): void;
  };
  readonly conflicts: { recorded(id: ContextId, count: number): void };
  readonly events: { emit(meta: ContextMeta, kind: "changed"): void };
  /** A lock entry, or new metadata, is durable. */
  readonly locks: { changed(live: Live, entry: LogEntry): void };
  readonly meta: { changed(live: Live, change: MetaChange): void };
  /** Forgets what is in memory of a context and ends its sessions. */
  readonly drop: (live: Live, error: ServiceError) => void;
}

export class WritePath {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #monitor: WritePathOptions["monitor"];
  readonly #storage: WritePathOptions["storage"];
  readonly #sync: WritePathOptions["sync"];
  readonly #conflicts: WritePathOptions["conflicts"];
  readonly #locks: WritePathOptions["locks"];
  readonly #meta: WritePathOptions["meta"];
  readonly #events: WritePathOptions["events"];
  readonly #drop: WritePathOptions["drop"];
  readonly #others: WritePathOptions["others"];

  constructor(options: WritePathOptions) {
    const { clock, logger, monitor, storage, sync, conflicts, locks, meta, events, drop, others } = options;
    this.#clock = clock;
    this.#logger = logger;
    this.#monitor = monitor;
    this.#storage = storage;
    this.#sync = sync;
    this.#conflicts = conflicts;
    this.#locks = locks;
    this.#meta = meta;
    this.#events = events;
    this.#drop = drop;
    this.#others = others;
  }

  takeTurn(live: Live, queued: readonly PendingWrite[]): void {
    const { turnSinceMs } = live;
    let isTaken = false;
    const take = (news: News | undefined): void => {
      isTaken = true;
      if (news === undefined) return this.#take(live, queued, turnSinceMs);
      if (this.#others.absorb(live, news)) return this.#take(live, this.#unanswered(queued, news), turnSinceMs);
      for (const write of queued) write.refuse(live.droppedBy ?? reloading());
    };
    live.appending++;
    const keys = queued.flatMap(({ idempotency }) => (idempotency === undefined ? [] : [idempotency.key]));
    const turn = this.#storage.turn(live.id, { knownSeq: () => live.state.seq, keys, take });
    const over = turn
      .catch((error: unknown) => {
        if (!isTaken) this.#forget(live, queued, error);
      })
      .finally(() => live.appending--);
    if (isTaken) return;
    // others write too: until its turn has come, this is under way
    live.durable = Promise.all([live.durable, over]).then(() => undefined);
    live.durable.catch(() => undefined);
  }

  /** Without those that another server carried out since they were looked for, which are answered as they were there. */
  #unanswered(queued: readonly PendingWrite[], { answered }: News): readonly PendingWrite[] {
    if (answered.length === 0) return queued;
    const notBeforeMs = this.#clock.nowMs() - LIMITS.idempotencyTtlMs;
    return queued.filter((write) => {
      const { idempotency } = write;
      const record = answered.find(({ key, atMs }) => key === idempotency?.key && atMs >= notBeforeMs);
      if (record === undefined || idempotency === undefined) return true;
      try {
        write.settle(answerOf(record, idempotency));
      } catch (error) {
        write.refuse(toServiceError(error));
      }
      return false;
    });
  }

  #take(live: Live, queued: readonly PendingWrite[], sinceMs: number): void {
    const { seq, version } = live.state;
    const now = { atMs: this.#clock.nowMs(), monotonicMs: this.#clock.monotonicMs() };
    const writes = [...queued];
    const verdicts: Verdict[] = [];
    try {
      verdicts.push(
        ...live.state.admit(
          queued.map(({ write }) => write),
          now,
        ),
      );
      const resolutions = live.state.takeResolutions();
      verdicts.push(...live.state.admit(resolutions, now));
      writes.push(...resolutions.map(unattended));
    } catch (error) {
      this.#forget(live, writes, error);
      return;
    }
    const appends = Promise.all(this.#append(live, seq, writes, verdicts));
    live.appending++;
    const turn = { sinceMs, version, writes, verdicts };
    live.durable = this.#finish(live, live.durable, appends, turn);
    live.durable.catch((error: unknown) => this.#forget(live, writes, error)).finally(() => live.appending--);
  }

  /** Turns finish in order, whatever each waits for: an ack must not overtake the one before it. */
  async #finish(
    live: Live,
    before: Promise<void>,
    appends: Promise<readonly (readonly LogEntry[])[]>,
    turn: Turn,
  ): Promise<void> {
    // both at once: a refused append is known before the turns before it are durable, and nothing more may be built on it
    const [, entries] = await Promise.all([before, appends]);
    this.#settle(live, turn, entries.flat());
  }

  /**
   * Hands what was admitted to the log, in order. A write with a key or a precondition is decided by the log alone, and
   * so is one with conflicts or a resolution: their records name its position.
   */
  #append(
    live: Live,
    seq: number,
    writes: readonly PendingWrite[],
    verdicts: readonly Verdict[],
  ): Promise<readonly LogEntry[]>[] {
    const appends: Promise<readonly LogEntry[]>[] = [];
    let together: NewEntry[] = [];
    let at = seq;
    let { version } = live.state;
    const flush = (): void => {
      if (together.length > 0) appends.push(this.#appended(live, { lockSeq: live.lockSeq }, together));
      together = [];
    };
    for (const verdict of verdicts) if (admittedOf(verdict)?.kind === "change") version--;
    verdicts.forEach((verdict, index) => {
      const { write, idempotency } = writes[index] ?? {};
      if (verdict.kind === "unchanged" && idempotency !== undefined) {
        // that it changed nothing is an answer too, and a repeated request must get the same
        flush();
        const record = { ...idempotency, version, seq: 0, paths: [], atMs: this.#clock.nowMs() };
        appends.push(this.#storage.recordIdempotent(live.id, record).then(() => []));
      }
      const admitted = admittedOf(verdict);
      if (admitted === undefined) return;
      if (admitted.kind === "change") version++;
      const options = admitted.kind === "change" ? optionsOf(admitted, write, idempotency) : undefined;
      if (options !== undefined || isRule(admitted)) {
        flush();
        appends.push(this.#appended(live, { seq: at }, [admitted], options));
      } else {
        together.push(admitted);
      }
      at++;
      // what comes after a lock, or a new list of who may what, was judged with it in place
      if (isRule(admitted)) live.lockSeq = at;
    });
    flush();
    return appends;
  }

  async #appended(
    live: Live,
    guard: Guard,
    changes: readonly NewEntry[],
    options: AppendOptions = {},
  ): Promise<readonly LogEntry[]> {
    const result = await this.#storage.append(live.id, guard, changes, options);
    if (result.kind === "appended") {
      live.state.size.takes(result.size.bytes);
      return result.entries;
    }
    throw new ServiceError(
      "STORE_UNAVAILABLE",
      "Another writer moved the context on. Send the change once more in a moment.",
    );
  }

  #settle(live: Live, turn: Turn, entries: readonly LogEntry[]): void {
    const settled = settledOf(turn, entries);
    this.#tell(live, settled, turn.sinceMs);
    const tally = new TurnTally();
    for (const { write, verdict, entry, version } of settled) {
      if (verdict.kind === "refused") write.refuse(verdict.error);
      else write.settle({ version, seq: entry?.seq ?? 0, paths: entry?.paths ?? [] });
      tally.add(write.write, verdict);
    }
    const { version } = settled.at(-1) ?? turn;
    const durationMs = this.#clock.monotonicMs() - turn.sinceMs;
    this.#monitor.settled({ contextId: live.id, version, durationMs, counts: tally });
  }

  /** Those who look on. */
  #tell(live: Live, settled: readonly Settled[], sinceMs: number): void {
    const publications = settled.flatMap(publicationOf);
    const conflicts = settled.flatMap(({ admitted }) => (admitted?.kind === "change" ? admitted.conflicts : []));
    if (publications.length > 0) this.#sync.publish(live.id, publications, sinceMs);
    if (publications.some(({ kind }) => kind === "change")) this.#events.emit(live.meta, "changed");
    if (conflicts.length > 0) this.#conflicts.recorded(live.id, conflicts.length);
    for (const conflict of conflicts) {
      this.#monitor.conflicted({ contextId: live.id, kind: conflict.kind, policy: conflict.policy });
      this.#sync.announce(live.id, { type: "conflict", conflict: { ...conflictView(conflict) } });
    }
    for (const { entry, admitted } of settled) {
      if (entry !== undefined && admitted?.kind === "lock") this.#locks.changed(live, entry);
      if (admitted?.kind === "meta") this.#meta.changed(live, admitted.meta);
    }
  }

  /** What is in memory of a context may differ from its log: nobody may build on it (CTX 3). */
  #forget(live: Live, writes: readonly PendingWrite[], cause: unknown): void {
    const error = cause instanceof DocumentBroken ? reloading(cause) : toServiceError(cause);
    const broken = cause instanceof DocumentBroken ? cause.culprit : undefined;
    const culprit = broken && writes.find(({ write }) => write === broken);
    this.#logger.error("context dropped from memory", {
      contextId: live.id,
      actor: culprit?.write.actor,
      sessionId: culprit?.sessionId,
      error: cause,
    });
    culprit?.refuse(
      new ServiceError(
        "MALFORMED_UPDATE",
        "The update broke the document and was not taken. Open the context in a new Y.Doc.",
      ),
    );
    for (const write of writes) if (write !== culprit) write.refuse(error);
    this.#drop(live, error);
  }
}

/** What became of one write of a turn. */
interface Settled {
  readonly write: PendingWrite;
  readonly verdict: Verdict;
  /** What it put into the log, and where. */
  readonly admitted: Admitted | undefined;
  readonly entry: LogEntry | undefined;
  /** The context's version with it. */
  readonly version: number;
}

/** `entries` are those of the turn, in order. */
function settledOf({ version: before, writes, verdicts }: Turn, entries: readonly LogEntry[]): readonly Settled[] {
  let next = 0;
  let version = before;
  return writes.flatMap((write, index): Settled[] => {
    const verdict = verdicts[index];
    if (verdict === undefined) return [];
    const admitted = admittedOf(verdict);
    const entry = admitted === undefined ? undefined : entries[next++];
    if (admitted !== undefined && entry === undefined)
      throw new Error("the log returned fewer entries than were appended");
    version = entry?.version ?? version;
    return [{ write, verdict, admitted, entry, version }];
  });
}

/** What others are shown of it. */
function publicationOf({ admitted, entry, write }: Settled): readonly Publication[] {
  if (entry === undefined || admitted === undefined || isRule(admitted)) return [];
  const { kind, advances } = admitted;
  return [{ change: entry, kind, advances, author: write.author }];
}

/** It changes no document, but what may be admitted after it. */
function isRule(admitted: Admitted): admitted is AdmittedLock | AdmittedMeta {
  return admitted.kind === "lock" || admitted.kind === "meta";
}

/** What a verdict puts into the log, if anything. */
function admittedOf(verdict: Verdict): Admitted | undefined {
  if (verdict.kind === "admitted") return verdict.change;
  return verdict.kind === "refused" ? verdict.instead : undefined;
}

/** What goes with the append of one change; undefined when nothing does and it may share an append with its neighbours. */
function optionsOf(
  { conflicts }: AdmittedChange,
  write: PendingWrite["write"] | undefined,
  idempotency: Idempotency | undefined,
): AppendOptions | undefined {
  const resolves = write?.kind === "ops" ? write.resolves : undefined;
  const isConditional = write?.kind === "ops" && write.ifVersion !== undefined;
  const hasRecords = conflicts.length > 0 || resolves !== undefined;
  if (idempotency === undefined && !isConditional && !hasRecords) return undefined;
  const records: AppendOptions["records"] = ([entry]) => [
    ...conflicts.map(conflictWrite),
    ...(resolves === undefined || entry === undefined ? [] : [conflictWrite(resolvedBy(resolves, entry))]),
  ];
  return { ...(idempotency === undefined ? {} : { idempotency }), ...(hasRecords ? { records } : {}) };
}

/** A write of the server's own: nobody waits for it. One that is refused leaves its conflict open. */
function unattended(write: OpsWrite): PendingWrite {
  return { write, settle: () => undefined, refuse: () => undefined };
}
