/**
 * The waiting room of one context: who asked for locks and has not got them.
 *
 * Invariants (LOCK):
 *  1. Everybody who asks is in it until the answer, also at the first try: who comes later cannot overtake.
 *  2. Whose turn it may be is looked at once in an event-loop turn, whatever happened in it.
 *  3. Those who look on see who was not called and still waits: not who is at its first try. When that changes, they are told.
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

/** What somebody asked for. */
export type Asked = Omit<LockWaiter, "position">;

/** One who waits. */
export class Waiter implements Waiting {
  readonly asked: Asked;
  #isCalled = false;
  #isLate = false;
  #error: ServiceError | undefined;
  #notify: () => void = () => undefined;

  constructor(asked: Asked) {
    this.asked = asked;
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

export class WaitingRoom {
  readonly #table: LockTable;
  readonly #clock: Pick<Clock, "defer">;
  readonly #queue = new LockQueue<Waiter>();
  /** How many of whom. */
  readonly #counts = new Map<string, number>();
  readonly #onChange: (waiting: number) => void;
  /** Those that wait, as it was told. */
  #told: readonly Waiter[] = [];
  #isLookDue = false;
  #endedBy: ServiceError | undefined;

  /** `onChange` is told how many wait, when others do than before. */
  constructor(table: LockTable, clock: Pick<Clock, "defer">, onChange: (waiting: number) => void) {
    this.#table = table;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  waiting(): readonly LockWaiter[] {
    return [...this.#queue.places()]
      .filter(([waiter]) => waiter.isWaiting)
      .map(([{ asked }, ahead]) => ({ ...asked, position: ahead + 1 }));
  }

  /** Called at once when nobody is in its way who came before. @throws {ServiceError} RATE_LIMITED, or why the room was closed */
  enter(asked: Asked): Waiter {
    const { actor } = asked;
    if (this.#endedBy !== undefined) throw this.#endedBy;
    const count = this.#counts.get(actor) ?? 0;
    if (this.#queue.length >= LIMITS.lockWaitersMax || count >= LIMITS.actorLockWaitersMax) {
      throw tooMany(this.#queue.length, count);
    }
    this.#counts.set(actor, count + 1);
    const waiter = new Waiter(asked);
    if (this.#queue.add(waiter)) waiter.call();
    else this.look();
    return waiter;
  }

  /** It was called in vain and waits on. */
  stay(waiter: Waiter): void {
    this.#queue.recall(waiter);
    // what it waits for may have ended before it did
    this.look();
  }

  leave(waiter: Waiter): void {
    this.#queue.remove(waiter);
    const { actor } = waiter.asked;
    const left = (this.#counts.get(actor) ?? 0) - 1;
    if (left > 0) this.#counts.set(actor, left);
    else this.#counts.delete(actor);
    this.look();
  }

  /** Something may be free now. */
  look(): void {
    if (this.#isLookDue || (this.#queue.length === 0 && this.#told.length === 0)) return;
    this.#isLookDue = true;
    this.#clock.defer(() => {
      this.#isLookDue = false;
      for (const waiter of this.#queue.call(this.#table)) waiter.call();
      this.#tell();
    });
  }

  #tell(): void {
    const waiting = this.#queue.waiting().filter((waiter) => waiter.isWaiting);
    const isSame = waiting.length === this.#told.length && waiting.every((waiter, at) => waiter === this.#told[at]);
    this.#told = waiting;
    if (!isSame) this.#onChange(waiting.length);
  }

  /** Tells everybody, and whoever still comes. */
  close(error: ServiceError): void {
    this.#endedBy = error;
    for (const waiter of this.#queue.list()) waiter.fail(error);
  }
}

function tooMany(all: number, own: number): ServiceError {
  return new ServiceError(
    "RATE_LIMITED",
    `${all} requests wait for locks of this context already, ${own} of them yours. Try again later.`,
  );
}
