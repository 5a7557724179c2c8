/**
 * What the parts of the log work with when several processes may write its store: decisions are taken in transactions.
 *
 *   decisions → one batch → lock their contexts → read their heads → decide each → write → commit → answer
 *
 * Invariants (those of LogCore), and
 *  1. A decision is taken while its context is locked in the engine, on what is committed by then. So its guard is true
 *     when its entries become durable, and it can neither be overtaken nor come late.
 *  2. Decisions are taken in the order of the calls, a batch of them at a time. What they decide is written together.
 *  3. A turn learns of all that is committed before it is taken, and what it decides is decided in the same batch.
 *  4. A decision says all that it decides before it first waits.
 *
 * Not here: connections and statements (postgres-store.ts).
 */
import { ok as assert } from "node:assert/strict";
import { LRUCache } from "lru-cache";
import type { ContextHead } from "../../../shared/context.ts";
import { ServiceError } from "../../../shared/errors.ts";
import type { ContextId } from "../../../shared/ids.ts";
import { LIMITS, type Limits } from "../../../shared/limits.ts";
import type { Clock } from "../../clock.ts";
import type { Monitor } from "../../monitor-port.ts";
import { contextNotFound } from "../../state/context-not-found.ts";
import type { ContextTurn, Hint, News } from "../change-log.ts";
import { CommitEncoder, type LogWork } from "../log/commit-encoder.ts";
import type { LiveContext, Slot } from "../log/context-slots.ts";
import { GroupCommit, type CommitSize } from "../log/group-commit.ts";
import type { LogCore } from "../log/log-core.ts";
import { closed, overloaded, unavailable } from "../log/log-errors.ts";
import * as keys from "../log/log-keys.ts";
import { openLayout } from "../log/log-layout.ts";
import * as reader from "../log/log-reader.ts";
import { purge } from "../log/deletion.ts";
import type { StoreOp, StoreRange, StoreView } from "../store/store.ts";
import type { HintLine } from "./lines/hint-line.ts";
import type { Told } from "./lines/hint-word.ts";
import { lockKeyOf } from "./lock-key.ts";
import { NUMBER_BLOCK } from "./postgres-schema.ts";
import { EngineLost } from "./engine-errors.ts";
import type { PostgresStore } from "./postgres-store.ts";
import type { Foreseen } from "./transaction-beginning.ts";

/** The position that a hint tells of a context that was deleted: behind every other. */
const GONE = Number.MAX_SAFE_INTEGER;

/** What waits for a batch: a decision about a context, a turn at one, or what belongs to none. */
type Waiting =
  | { readonly kind: "decision"; readonly contextId: ContextId; readonly decide: (slot: Slot) => void }
  | { readonly kind: "turn"; readonly contextId: ContextId; readonly turn: ContextTurn }
  | { readonly kind: "ops"; readonly ops: readonly StoreOp[] };

/** What is being decided. */
interface Batch {
  readonly slots: ReadonlyMap<ContextId, Slot>;
  /** Of the contexts with turns: what others appended after what the first of these knows. */
  readonly news: ReadonlyMap<ContextId, News>;
  readonly works: LogWork[];
  readonly done: Promise<void>;
}

export interface SharedCoreOptions {
  readonly store: PostgresStore;
  readonly hints: HintLine;
  readonly clock: Clock;
  readonly limits?: Limits;
  readonly monitor?: Monitor | undefined;
}

export class SharedCore implements LogCore {
  readonly #store: PostgresStore;
  readonly #hints: HintLine;
  readonly #clock: Clock;
  readonly #limits: Limits;
  readonly #monitor: Monitor | undefined;
  /** Under which number a context lay when it was last decided about: its head can be asked for with its lock. */
  readonly #numbers: LRUCache<ContextId, number>;
  /** The newest decision about each context that waits for one; never rejects. */
  readonly #settled = new Map<ContextId, Promise<void>>();
  #commit: GroupCommit<Waiting> | undefined;
  /** The engine failed where nothing was being written. */
  #hasLostView = false;
  #batch: Batch | undefined;
  #nodeClientId = 0;
  #nextNumber = 0;
  #numbersLeft = 0;

  constructor({ store, hints, clock, limits = LIMITS, monitor }: SharedCoreOptions) {
    this.#store = store;
    this.#hints = hints;
    this.#clock = clock;
    this.#limits = limits;
    this.#monitor = monitor;
    this.#numbers = new LRUCache({ max: limits.idleHeadsMax });
  }

  readonly isShared = true;

  get nodeSlot(): number {
    return this.#store.nodeSlot;
  }

  get nodeClientId(): number {
    assert(this.#nodeClientId > 0, "nodeClientId is known after open()");
    return this.#nodeClientId;
  }

  get hasFailed(): boolean {
    return this.#hasLostView || this.#commit?.failure !== undefined;
  }

  async open(): Promise<void> {
    assert(this.#commit === undefined, "the log is open");
    try {
      await this.#store.open();
      const layout = await openLayout(this.#store, this.#clock);
      await this.#store.numbersFrom(layout.nextNumber);
      await this.#hints.open();
      this.#nodeClientId = layout.nodeClientId;
      this.#numbersLeft = 0;
      this.#hasLostView = false;
      this.#commit = this.#newCommit();
      void this.#purgeAll(layout.unfinishedPurges);
    } catch (error) {
      this.#commit = undefined;
      this.#hints.close();
      await this.#store.close();
      throw unavailable(error);
    }
  }

  async close(): Promise<void> {
    const commit = this.#commit;
    this.#commit = undefined;
    await commit?.drained();
    // of what failed more may be in the database than the others were told
    if (commit !== undefined && commit.failure === undefined) await this.#hints.leave();
    else this.#hints.close();
    await this.#store.close();
  }

  takeNumber(): number {
    assert(this.#numbersLeft > 0, "numbers are taken before a batch is decided");
    this.#numbersLeft--;
    return this.#nextNumber++;
  }

  async decide<T>(
    contextId: ContextId,
    decide: (slot: Slot) => Promise<T>,
    size: CommitSize = { entries: 1, bytes: 0 },
  ): Promise<T> {
    const inTurn = this.#batch?.slots.get(contextId);
    // what a turn at the context decides is of the same batch
    if (inTurn !== undefined) return decide(inTurn);
    const commit = this.#requireCommit();
    if (!commit.hasRoomFor(size.bytes)) throw overloaded(this.#limits.appendQueueBytesMax);
    let outcome: Promise<T> | undefined;
    const decided = commit.submit(
      {
        kind: "decision",
        contextId,
        decide(slot) {
          outcome = decide(slot);
          // told by `decided` when the batch fails
          outcome.catch(() => undefined);
        },
      },
      size,
    );
    this.#hold(contextId, decided);
    await decided;
    assert(outcome !== undefined, "a batch takes all its decisions");
    return outcome;
  }

  onHint(listener: (hint: Hint) => void): void {
    this.#hints.onHint(listener);
  }

  async turn(contextId: ContextId, turn: ContextTurn): Promise<void> {
    let isTaken = false;
    const take = (news: News | undefined): void => {
      isTaken = true;
      turn.take(news);
    };
    const waiting = { kind: "turn", contextId, turn: { ...turn, take } } as const;
    const taken = this.#requireCommit().submit(waiting, { entries: 1, bytes: 0 });
    this.#hold(contextId, taken);
    await taken;
    if (!isTaken) throw contextNotFound();
  }

  /** There was room when it was asked to be decided. */
  requireRoomFor(): void {}

  submit(_slot: Slot, work: LogWork): Promise<void> {
    assert(this.#batch !== undefined, "a decision submits before it first waits");
    this.#batch.works.push(work);
    return this.#batch.done;
  }

  async write(ops: readonly StoreOp[], size: CommitSize): Promise<void> {
    await this.#requireCommit().submit({ kind: "ops", ops }, size);
  }

  async read<T>(
    contextId: ContextId,
    none: T,
    use: (view: StoreView, found: reader.FoundContext) => T | Promise<T>,
    foresee?: (number: number) => StoreRange,
  ): Promise<T> {
    this.#requireCommit();
    await this.#settled.get(contextId);
    const number = this.#numbers.get(contextId);
    const isForeseen = foresee !== undefined && number !== undefined;
    const foreseen = { keys: this.#keysOf(contextId), ranges: isForeseen ? [foresee(number)] : [] };
    const read = (view: StoreView, found: reader.FoundContext): T | Promise<T> => {
      this.#numbers.set(contextId, found.number);
      return use(view, found);
    };
    return this.view((view) => reader.ofContext(view, contextId, none, read), foreseen);
  }

  async view<T>(use: (view: StoreView) => Promise<T>, foreseen?: Foreseen): Promise<T> {
    const commit = this.#requireCommit();
    try {
      return await this.#store.view(use, foreseen);
    } catch (error) {
      // one that was begun before the log was opened again says nothing of it
      if (error instanceof EngineLost && this.#commit === commit) this.#hasLostView = true;
      throw unavailable(error);
    }
  }

  /** Decides and writes what came together. */
  async #write(waiting: readonly Waiting[]): Promise<void> {
    const ids = new Set(waiting.flatMap((one) => (one.kind === "ops" ? [] : [one.contextId])));
    // each may make a context
    if (this.#numbersLeft < waiting.length) await this.#takeNumbers();
    const turns = turnsOf(waiting);
    const foreseen = {
      locks: Array.from(ids, (id) => lockKeyOf(`context ${id}`)),
      keys: [...ids].flatMap((id) => this.#keysOf(id)),
      ranges: [...turns].flatMap(([id, own]) => this.#newsRanges(id, own)),
    };
    let settle: { resolve(): void; reject(error: unknown): void } | undefined;
    const done = new Promise<void>((resolve, reject) => (settle = { resolve, reject }));
    const settled = done.catch(() => undefined);
    const slots = new Map<ContextId, Slot>();
    const before = new Map<ContextId, ContextHead | undefined>();
    const encoder = new CommitEncoder();
    try {
      let contended = 0;
      const times = await this.#store.locked(foreseen, async (view) => {
        for (const id of ids) slots.set(id, { id, ...(await reader.readSlot(view, id)), settled });
        for (const [id, { live }] of slots) before.set(id, live?.head);
        const news = new Map<ContextId, News>();
        for (const [id, own] of turns) {
          const live = slots.get(id)?.live;
          if (live !== undefined) news.set(id, await newsOf(view, live, own));
          if ((news.get(id)?.entries.length ?? 0) > 0) contended++;
        }
        const works: LogWork[] = [];
        this.#decideAll(waiting, { slots, news, works, done });
        return encoder.encode(works);
      });
      settle?.resolve();
      this.#monitor?.engine.turned({ contexts: ids.size, contended, ...times });
      for (const { id, live } of slots.values())
        if (live?.head !== before.get(id)) this.#hints.tell(toldOf(id, live, encoder));
    } catch (error) {
      settle?.reject(unavailable(error));
      throw error;
    }
  }

  /** Without waiting in between: nothing that was read may be out of date. */
  #decideAll(waiting: readonly Waiting[], batch: Batch): void {
    const { slots, news, works } = batch;
    this.#batch = batch;
    try {
      for (const one of waiting) {
        if (one.kind === "ops") {
          works.push(one);
          continue;
        }
        const slot = slots.get(one.contextId);
        assert(slot !== undefined, "there is a slot of every context in the batch");
        if (one.kind === "decision") one.decide(slot);
        else takeTurn(one.turn, slot, news.get(one.contextId));
      }
    } finally {
      this.#batch = undefined;
    }
    for (const [id, { live }] of slots) {
      if (live === undefined) this.#numbers.delete(id);
      else this.#numbers.set(id, live.number);
    }
  }

  #keysOf(id: ContextId): readonly Uint8Array[] {
    const number = this.#numbers.get(id);
    const names = [keys.contextKey(id), keys.epochKey(id)];
    return number === undefined ? names : [...names, keys.headKey(number)];
  }

  /** Where others will have appended or answered, when they did. */
  #newsRanges(id: ContextId, turns: readonly ContextTurn[]): readonly StoreRange[] {
    const number = this.#numbers.get(id);
    if (number === undefined) return [];
    const answers = Array.from(requestsOf(turns), (name) => reader.newestIdempotentIn(number, name));
    return [keys.runsBetween(number, knownSeqOf(turns) + 1, Infinity), ...answers];
  }

  /** Beside the traffic: what another process is deleting just now is among them, and nobody may wait for that. */
  async #purgeAll(numbers: readonly number[]): Promise<void> {
    try {
      for (const number of numbers) await purge(this, number);
    } catch {
      // the next opening makes up for it
    }
  }

  /** What is left of the block before is given up. */
  async #takeNumbers(): Promise<void> {
    this.#nextNumber = await this.#store.nextNumbers();
    this.#numbersLeft = NUMBER_BLOCK;
  }

  #hold(contextId: ContextId, decided: Promise<void>): void {
    const settled: Promise<void> = decided
      .catch(() => undefined)
      .then(() => {
        if (this.#settled.get(contextId) === settled) this.#settled.delete(contextId);
      });
    this.#settled.set(contextId, settled);
  }

  #requireCommit(): GroupCommit<Waiting> {
    const commit = this.#commit;
    if (commit === undefined) throw closed();
    if (commit.failure !== undefined) throw commit.failure;
    if (this.#hasLostView) throw lost();
    return commit;
  }

  #newCommit(): GroupCommit<Waiting> {
    // a lock for each context of a batch, and a number
    const commitEntriesMax = Math.min(this.#limits.commitEntriesMax, NUMBER_BLOCK);
    const limits = { ...this.#limits, commitEntriesMax };
    return new GroupCommit({
      clock: this.#clock,
      limits,
      monitor: this.#monitor,
      write: (waiting) => this.#write(waiting),
    });
  }
}

function toldOf(contextId: ContextId, live: LiveContext | undefined, encoder: CommitEncoder): Told {
  if (live === undefined) return { contextId, seq: GONE };
  const item = encoder.runOf(live);
  const run = item === undefined ? {} : { run: { firstEpoch: live.meta.firstEpoch, item } };
  return { contextId, seq: live.head.seq, ...run };
}

function turnsOf(waiting: readonly Waiting[]): ReadonlyMap<ContextId, readonly ContextTurn[]> {
  const turns = new Map<ContextId, ContextTurn[]>();
  for (const one of waiting) {
    if (one.kind !== "turn") continue;
    const others = turns.get(one.contextId);
    if (others === undefined) turns.set(one.contextId, [one.turn]);
    else others.push(one.turn);
  }
  return turns;
}

function requestsOf(turns: readonly ContextTurn[]): ReadonlySet<string> {
  return new Set(turns.flatMap(({ keys: names }) => names));
}

function knownSeqOf(turns: readonly ContextTurn[]): number {
  return Math.min(...turns.map((turn) => turn.knownSeq()));
}

/** Read once for all turns of a context: each takes of it what it does not know by then. */
async function newsOf(view: StoreView, context: reader.FoundContext, turns: readonly ContextTurn[]): Promise<News> {
  const { meta, stored } = context;
  const requests = [...requestsOf(turns)];
  const answered = await Promise.all(requests.map((name) => reader.newestIdempotent(view, context, name)));
  const seq = knownSeqOf(turns);
  return {
    meta,
    entries: seq < stored.head.seq ? await reader.entriesAfter(view, context, { seq, limit: Infinity }) : [],
    answered: answered.filter((record) => record !== undefined),
  };
}

/** A context that is not there any more has no turns: whoever asked is told. */
function takeTurn(turn: ContextTurn, { live }: Slot, news: News | undefined): void {
  if (live === undefined || news === undefined) return;
  const knownSeq = turn.knownSeq();
  const entries = news.entries.filter(({ seq }) => seq > knownSeq);
  turn.take({ ...news, meta: live.meta, entries });
}

function lost(): ServiceError {
  return new ServiceError("STORE_UNAVAILABLE", "The connection to the database was lost. Try again in a moment.");
}
