/**
 * The waiting room of one context: who asked for locks and has not got them.
 *
 * Invariants (LOCK):
 *  1. Everybody who asks is in it until the answer, also at the first try: who comes later cannot overtake.
 *  2. Whose turn it may be is looked at once in an event-loop turn, whatever happened in it.
 *  3. Those who look on see who was not called and still waits: not who is at its first try. When that changes, they are told.
 *  4. Who waits at other servers stands among those who wait here, in one order of all (NODE). They are called there.
 *
 * Not here: whose turn it is (state/locks/lock-queue.ts), what is tried then (locks.ts).
 */
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { LockMode, LockWaiter } from "../../shared/lock.ts";
import type { Clock } from "../clock.ts";
import { LockQueue } from "../state/locks/lock-queue.ts";
import type { Waiting } from "../state/locks/lock-queue.ts";
import type { LockTable } from "../state/locks/lock-table.ts";
import type { Asked, PlacedAsk } from "./peer-waiters.ts";

/** One who waits. */
export class Waiter implements Waiting, PlacedAsk {
  readonly asked: Asked;
  readonly node: string;
  readonly count: number;
  readonly isElsewhere: boolean;
  /** It was not granted at its first try. */
  hasWaited = false;
  #isCalled = false;
  #isLate = false;
  #error: ServiceError | undefined;
  #notify: () => void = () => undefined;

  constructor({ asked, node, count }: PlacedAsk, isElsewhere = false) {
    this.asked = asked;
    this.node = node;
    this.count = count;
    this.isElsewhere = isElsewhere;
  }

  get paths(): readonly string[] {
    return this.asked.paths;
  }

  get mode(): LockMode {
    return this.asked.mode;
  }

  /** Not one that is about to hear that its time is over: who does not wait at all is at once. */
  get isWaiting(): boolean {
    return !this.#isLate && this.#error === undefined;
  }

  /** It may be its turn. */
  call(): void {
    this.#isCalled = true;
    this.#notify();
  }

  /** Its time is over. */
  late(): void {
    this.#isLate = true;
    this.#notify();
  }

  /** It will never be its turn. */
  fail(error: ServiceError): void {
    this.#error ??= error;
    this.#notify();
  }

  /** True when it may be its turn already. */
  takeTurn(): boolean {
    const isTurn = this.#isCalled && this.#error === undefined;
    this.#isCalled = false;
    return isTurn;
  }

  /** Resolves with true when it may be its turn, with false when its time is over. */
  async turn(): Promise<boolean> {
    while (!this.#isCalled && !this.#isLate && this.#error === undefined) {
      await new Promise<void>((resolve) => {
        this.#notify = resolve;
      });
    }
    if (this.#error !== undefined) throw this.#error;
    return this.takeTurn();
  }
}

interface RoomOptions {
  readonly clock: Pick<Clock, "defer">;
  /** So many wait, others than before. */
  readonly told: (waiting: number) => void;
  /** For other servers: those who wait here. Undefined where there are none. */
  readonly tellOthers?: ((waiting: readonly PlacedAsk[]) => void) | undefined;
}

export class WaitingRoom {
  readonly #table: LockTable;
  readonly #options: RoomOptions;
  readonly #queue = new LockQueue<Waiter>();
  /** How many of whom. */
  readonly #counts = new Map<string, number>();
  /** By the ids of their locks. */
  readonly #elsewhere = new Map<string, Waiter>();
  /** Those that wait, as it was told. */
  #told: readonly Waiter[] = [];
  #toldOthers: readonly Waiter[] = [];
  #isLookDue = false;
  #endedBy: ServiceError | undefined;

  constructor(table: LockTable, options: RoomOptions) {
    this.#table = table;
    this.#options = options;
  }

  waiting(): readonly LockWaiter[] {
    return [...this.#queue.places()]
      .filter(([waiter]) => waiter.isWaiting)
      .map(([{ asked }, ahead]) => ({ ...asked, position: ahead + 1 }));
  }

  /** Called at once when nobody is in its way who came before. @throws {ServiceError} RATE_LIMITED, or why the room was closed */
  enter(ask: PlacedAsk): Waiter {
    const { actor } = ask.asked;
    if (this.#endedBy !== undefined) throw this.#endedBy;
    const count = this.#counts.get(actor) ?? 0;
    if (this.#queue.length >= LIMITS.lockWaitersMax || count >= LIMITS.actorLockWaitersMax) {
      throw tooMany(this.#queue.length, count);
    }
    this.#counts.set(actor, count + 1);
    const waiter = new Waiter(ask);
    if (this.#add(waiter)) waiter.call();
    else this.#wait(waiter);
    return waiter;
  }

  /** It was called in vain and waits on. */
  stay(waiter: Waiter): void {
    this.#queue.recall(waiter);
    // what it waits for may have ended before it did
    this.#wait(waiter);
  }

  leave(waiter: Waiter): void {
    this.#queue.remove(waiter);
    const { actor } = waiter.asked;
    const left = (this.#counts.get(actor) ?? 0) - 1;
    if (left > 0) this.#counts.set(actor, left);
    else this.#counts.delete(actor);
    this.look();
  }

  /** Those who wait at other servers, all of them. */
  elsewhere(asks: readonly PlacedAsk[]): void {
    const ids = new Set(asks.map(({ asked }) => asked.lockId));
    for (const lockId of this.#elsewhere.keys()) if (!ids.has(lockId)) this.granted(lockId);
    for (const ask of asks) {
      const { lockId } = ask.asked;
      if (this.#elsewhere.has(lockId) || this.#table.get(lockId) !== undefined) continue;
      const waiter = new Waiter(ask, true);
      this.#elsewhere.set(lockId, waiter);
      this.#add(waiter);
    }
    this.look();
  }

  /** Somebody has it: if it was waited for at another server, nobody waits for it there any more. */
  granted(lockId: string): void {
    const waiter = this.#elsewhere.get(lockId);
    if (waiter === undefined) return;
    this.#elsewhere.delete(lockId);
    this.#queue.remove(waiter);
  }

  /** Something may be free now. */
  look(): void {
    const isNobodyThere = this.#queue.length === 0 && this.#told.length === 0 && this.#toldOthers.length === 0;
    if (this.#isLookDue || isNobodyThere) return;
    this.#isLookDue = true;
    this.#options.clock.defer(() => {
      this.#isLookDue = false;
      for (const waiter of this.#queue.call(this.#table)) waiter.call();
      this.#tell();
    });
  }

  /** Tells everybody, and whoever still comes. */
  close(error: ServiceError): void {
    this.#endedBy = error;
    for (const waiter of this.#queue.list()) waiter.fail(error);
  }

  #wait(waiter: Waiter): void {
    waiter.hasWaited = true;
    this.look();
  }

  #add(waiter: Waiter): boolean {
    // where nobody waits elsewhere it is who comes last
    return this.#elsewhere.size === 0
      ? this.#queue.add(waiter)
      : this.#queue.add(waiter, (other) => isBefore(waiter, other));
  }

  #tell(): void {
    const waiting = this.#queue.waiting().filter((waiter) => waiter.isWaiting);
    if (!isSame(waiting, this.#told)) {
      this.#told = waiting;
      this.#options.told(waiting.length);
    }
    if (this.#options.tellOthers === undefined) return;
    const ours = this.#queue.list().filter((waiter) => waiter.hasWaited && waiter.isWaiting && !waiter.isElsewhere);
    if (isSame(ours, this.#toldOthers)) return;
    this.#toldOthers = ours;
    this.#options.tellOthers(ours);
  }
}

/** The order of all who ask, the same at every server; who asks twice at one of them keeps the order of asking. */
function isBefore(one: PlacedAsk, other: PlacedAsk): boolean {
  if (one.node === other.node) return one.count < other.count;
  return one.asked.sinceMs === other.asked.sinceMs ? one.node < other.node : one.asked.sinceMs < other.asked.sinceMs;
}

function isSame(some: readonly Waiter[], others: readonly Waiter[]): boolean {
  return some.length === others.length && some.every((waiter, at) => waiter === others[at]);
}

function tooMany(all: number, own: number): ServiceError {
  return new ServiceError(
    "RATE_LIMITED",
    `${all} requests wait for locks of this context already, ${own} of them yours. Try again later.`,
  );
}
