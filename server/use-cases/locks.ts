/**
 * Use cases: taking, renewing and releasing locks, waiting for them.
 *
 * Invariants (LOCK):
 *  1. A lock is granted by its entry in the log and by nothing else; what is answered is durable.
 *  2. Who waits is served in order of arrival, and only paths that both want make one wait for another.
 *  3. A wait ends: by the grant, by its time, by the caller, or by the end of the context.
 *
 * Not here: what a lock forbids (state/locks, state/context-state.ts), when its time is over (context/lock-clock.ts).
 */
import { ServiceError, toServiceError } from "../../shared/errors.ts";
import type { Actor, ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { GrantedLock, HeldLock, Lock, LockEvent, LockWaiter } from "../../shared/lock.ts";
import { lockQueueEvent } from "../../shared/protocol/lock-view.ts";
import type { Clock } from "../clock.ts";
import type { Caller, LockRequest, LockService } from "../context-service.ts";
import { NO_MONITOR } from "../monitor-port.ts";
import type { LockOutcome, Monitor } from "../monitor-port.ts";
import type { Peers } from "../storage/peers.ts";
import type { LockDesk } from "../state/locks/lock-desk.ts";
import { coverOf } from "../state/path-cover.ts";
import type { WriteResult } from "../state/state-manager.ts";
import { WaitingRoom } from "./lock-waiting.ts";
import { PeerWaiters } from "./peer-waiters.ts";
import type { Asked, PlacedAsk } from "./peer-waiters.ts";

/** A context in memory, for as long as a task lasts. */
export interface LockContext {
  readonly desk: LockDesk;
  /** @throws {ServiceError} those of LockDesk.judge, STORE_UNAVAILABLE */
  readonly write: (event: LockEvent, isForced?: boolean) => Promise<WriteResult>;
  /** Resolves when what the desk says now is durable. */
  readonly durable: () => Promise<void>;
}

/** Port: ContextManager is the implementation. */
export interface LockAccess {
  /**
   * `task` is called at once when the context is in memory, unless it is to see what other servers did, too.
   * @throws {ServiceError} CONTEXT_NOT_FOUND, STORE_UNAVAILABLE, SHUTTING_DOWN; what `task` throws
   */
  withLocks<T>(
    caller: Caller,
    id: ContextId,
    task: (context: LockContext) => Promise<T>,
    isFresh?: boolean,
  ): Promise<T>;
  /** Of the contexts in memory; every context with locks is there, once it was used. */
  lockDesks(): Iterable<readonly [ContextId, Pick<LockDesk, "table">]>;
}

interface LockUseCasesOptions {
  readonly access: LockAccess;
  readonly clock: Clock;
  readonly monitor?: Pick<Monitor, "lockAsked">;
  /** An event for those who have the context open. */
  readonly sync: { announce(id: ContextId, event: JsonObject): void };
  /** Of a context in memory. */
  readonly desk: (id: ContextId) => LockDesk | undefined;
  readonly peers?: Peers | undefined;
}

interface Wait {
  readonly ask: PlacedAsk;
  readonly event: Extract<LockEvent, { op: "acquire" }>;
  /** Monotonic. */
  readonly endsAtMs: number;
  readonly signal: AbortSignal | undefined;
}

export class LockUseCases implements LockService {
  readonly #access: LockAccess;
  readonly #clock: Clock;
  readonly #monitor: Pick<Monitor, "lockAsked">;
  readonly #sync: LockUseCasesOptions["sync"];
  readonly #desk: LockUseCasesOptions["desk"];
  readonly #rooms = new WeakMap<LockDesk, WaitingRoom>();
  readonly #peers: Pick<Peers, "say"> | undefined;
  readonly #others: PeerWaiters | undefined;
  #asks = 0;
  /** By context and lock: requests that named theirs. */
  readonly #asked = new Map<string, Promise<GrantedLock>>();

  constructor({ access, clock, monitor = NO_MONITOR, sync, desk, peers }: LockUseCasesOptions) {
    this.#access = access;
    this.#clock = clock;
    this.#monitor = monitor;
    this.#sync = sync;
    this.#desk = desk;
    this.#peers = peers;
    this.#others = peers && new PeerWaiters({ peers, clock, changed: (id) => this.#othersChanged(id) });
  }

  list(caller: Caller, id: ContextId): Promise<readonly GrantedLock[]> {
    return this.#see(caller, id, (desk) => desk.table.list().map(({ lockId }) => this.#viewOf(desk, lockId)));
  }

  waiting(caller: Caller, id: ContextId): Promise<readonly LockWaiter[]> {
    return this.#see(caller, id, (desk) => this.#roomOf(desk, id).waiting());
  }

  async held(caller: Caller): Promise<readonly HeldLock[]> {
    const { actor } = caller.identity;
    const holding = [...this.#access.lockDesks()].filter(([, { table }]) => table.list().some(isOf(actor)));
    const lists = holding.map(async ([contextId]) => {
      const locks = await this.list(caller, contextId).catch(unlessGone);
      return locks.filter(isOf(actor)).map((lock) => ({ contextId, lock }));
    });
    return (await Promise.all(lists)).flat();
  }

  async acquire(caller: Caller, id: ContextId, request: LockRequest): Promise<GrantedLock> {
    const answered = this.#monitor.lockAsked();
    try {
      const lock = await this.#acquireOnce(caller, id, request);
      answered("granted");
      return lock;
    } catch (error) {
      answered(outcomeOf(toServiceError(error), request));
      throw error;
    }
  }

  async #acquireOnce(caller: Caller, id: ContextId, request: LockRequest): Promise<GrantedLock> {
    const { lockId } = request;
    if (lockId === undefined) return this.#acquire(caller, id, request, this.#clock.newId());
    const key = `${id} ${lockId}`;
    // asked before, on a line that broke: that one may be granted yet
    for (let earlier = this.#asked.get(key); earlier !== undefined; earlier = this.#asked.get(key))
      await earlier.catch(() => undefined);
    const granted = this.#acquire(caller, id, request, lockId).finally(() => this.#asked.delete(key));
    this.#asked.set(key, granted);
    return granted;
  }

  #acquire(caller: Caller, id: ContextId, request: LockRequest, lockId: string): Promise<GrantedLock> {
    const { mode = "exclusive", ttlMs = LIMITS.lockTtlMsDefault, waitMs = 0, purpose, signal } = request;
    const paths = coverOf(new Set(request.paths), LIMITS.lockPathsMax);
    const event = { op: "acquire", lockId, paths, mode, ttlMs, ...(purpose === undefined ? {} : { purpose }) } as const;
    const endsAtMs = this.#clock.monotonicMs() + waitMs;
    const asked = askedOf(caller, event, { sinceMs: this.#clock.nowMs(), waitMs });
    const ask = { asked, node: this.#others?.node ?? "", count: ++this.#asks };
    return this.#access.withLocks(caller, id, async (context) => {
      const room = this.#roomOf(context.desk, id);
      if (context.desk.table.get(lockId) === undefined)
        await this.#take(context, room, { ask, event, endsAtMs, signal });
      // granted to an earlier request that named it: its time begins anew
      else await context.write({ op: "renew", lockId, ttlMs });
      if (signal?.aborted === true) {
        // nobody would hear of it
        await context.write({ op: "release", lockId });
        throw gone();
      }
      // other servers keep contexts with locks in memory, too
      this.#peers?.say("locks", { contextId: id });
      return this.#viewOf(context.desk, lockId);
    });
  }

  renew(caller: Caller, id: ContextId, lockId: string, options: { readonly ttlMs?: number }): Promise<GrantedLock> {
    const renewed = async ({ desk, write }: LockContext): Promise<GrantedLock> => {
      const ttlMs = options.ttlMs ?? desk.table.get(lockId)?.ttlMs ?? LIMITS.lockTtlMsDefault;
      await write({ op: "renew", lockId, ttlMs });
      this.#peers?.say("locks", { contextId: id });
      return this.#viewOf(desk, lockId);
    };
    // its time may have been said at another server
    return this.#access.withLocks(caller, id, renewed, options.ttlMs === undefined);
  }

  release(
    caller: Caller,
    id: ContextId,
    lockId: string,
    { isForced = false }: { readonly isForced?: boolean } = {},
  ): Promise<void> {
    return this.#access.withLocks(caller, id, async ({ write }) => {
      await write({ op: "release", lockId }, isForced);
    });
  }

  #see<T>(caller: Caller, id: ContextId, look: (desk: LockDesk) => T): Promise<T> {
    const seen = async ({ desk, durable }: LockContext): Promise<T> => {
      const found = look(desk);
      await durable();
      return found;
    };
    return this.#access.withLocks(caller, id, seen, true);
  }

  /** A lock of the context was granted, or is gone: whoever can go on now is called. */
  changed(desk: LockDesk, event?: LockEvent): void {
    const room = this.#rooms.get(desk);
    if (event?.op === "acquire") room?.granted(event.lockId);
    room?.look();
  }

  /** Nobody is told of those who wait here any more. */
  stop(): void {
    this.#others?.stop();
  }

  /** Nobody gets a lock there any more: those who wait are told why. */
  ended(desk: LockDesk, error: ServiceError): void {
    this.#roomOf(desk).close(error);
  }

  /** Tries whenever it may be this request's turn, until its time is over. */
  async #take(context: LockContext, room: WaitingRoom, { ask, event, endsAtMs, signal }: Wait): Promise<void> {
    const waiter = room.enter(ask);
    const cancelTimer = this.#at(endsAtMs, () => waiter.late());
    const forgetSignal = onAbort(signal, () => waiter.fail(gone()));
    let refusal = othersFirst();
    try {
      // at once when nobody came before: what a session asks takes its place among its edits
      for (let isTurn = waiter.takeTurn(); isTurn || (await waiter.turn()); isTurn = false) {
        const outcome = await this.#try(context, event);
        if (outcome === "granted") return;
        refusal = outcome;
        room.stay(waiter);
      }
      throw refusal;
    } finally {
      cancelTimer();
      forgetSignal();
      room.leave(waiter);
    }
  }

  async #try({ write }: LockContext, event: Wait["event"]): Promise<"granted" | ServiceError> {
    const { lockId, ttlMs } = event;
    try {
      await write(event);
      return "granted";
    } catch (error) {
      const refusal = toServiceError(error);
      if (refusal.code === "LOCKED") return refusal;
      if (refusal.code !== "ALREADY_EXISTS") throw refusal;
      // another server has granted it to an earlier request that named it
      await write({ op: "renew", lockId, ttlMs });
      return "granted";
    }
  }

  /** Without an id nobody is told of who waits there. */
  #roomOf(desk: LockDesk, id?: ContextId): WaitingRoom {
    const known = this.#rooms.get(desk);
    if (known !== undefined) return known;
    const others = this.#others;
    const room = new WaitingRoom(desk.table, {
      clock: this.#clock,
      told: (waiting) => id !== undefined && this.#sync.announce(id, lockQueueEvent(waiting)),
      tellOthers: others && id !== undefined ? (ours) => others.tell(id, ours) : undefined,
    });
    this.#rooms.set(desk, room);
    if (id !== undefined) room.elsewhere(others?.of(id) ?? []);
    return room;
  }

  /** Of a context that nobody uses here it is known when somebody does. */
  #othersChanged(id: ContextId): void {
    const desk = this.#desk(id);
    if (desk !== undefined) this.#roomOf(desk, id).elsewhere(this.#others?.of(id) ?? []);
  }

  /** At once when it is time already. The returned function cancels it. */
  #at(monotonicMs: number, task: () => void): () => void {
    const leftMs = monotonicMs - this.#clock.monotonicMs();
    if (leftMs > 0) return this.#clock.setTimer(leftMs, task);
    task();
    return () => undefined;
  }

  #viewOf(desk: LockDesk, lockId: string): GrantedLock {
    const lock = desk.table.get(lockId);
    if (lock === undefined) {
      throw new ServiceError(
        "LOCK_NOT_FOUND",
        "The lock was released at the same moment. Take it again if it is needed.",
      );
    }
    const leftMs = desk.leftMs(lock, this.#clock.monotonicMs());
    return { ...lock, expiresAtMs: Math.round(this.#clock.nowMs() + leftMs) };
  }
}

function askedOf(
  { identity: { actor }, via }: Caller,
  { lockId, paths, mode, purpose }: Wait["event"],
  { sinceMs, waitMs }: { readonly sinceMs: number; readonly waitMs: number },
): Asked {
  return {
    lockId,
    paths,
    mode,
    actor,
    ...(via?.sessionId === undefined ? {} : { sessionId: via.sessionId }),
    ...(purpose === undefined ? {} : { purpose }),
    sinceMs,
    untilMs: sinceMs + waitMs,
  };
}

function isOf(actor: Actor): (lock: Lock) => boolean {
  return ({ holder }) => holder === actor;
}

/** A context that was deleted meanwhile, or that the caller may not read any more, has no locks to tell of. */
function unlessGone(error: unknown): readonly GrantedLock[] {
  if (toServiceError(error).code === "CONTEXT_NOT_FOUND") return [];
  throw error;
}

/** Calls `task` when the signal aborts, at once if it has. The returned function undoes it. */
function onAbort(signal: AbortSignal | undefined, task: () => void): () => void {
  signal?.addEventListener("abort", task, { once: true });
  if (signal?.aborted === true) task();
  return () => signal?.removeEventListener("abort", task);
}

function gone(): ServiceError {
  return new ServiceError("CLOSED", "The caller does not wait for the lock any more.");
}

function outcomeOf({ code }: ServiceError, { waitMs = 0 }: LockRequest): LockOutcome {
  if (code !== "LOCKED") return "ended";
  return waitMs > 0 ? "timeout" : "refused";
}

function othersFirst(): ServiceError {
  return new ServiceError("LOCKED", "Others wait for these paths and came before. Wait longer, or try again later.");
}
