/**
 * The waiting room of one context: who asked for locks and has not got them.
 *
 * Invariants (LOCK):
 *  1. Everybody who asks is in it until the answer, also at the first try: who comes later cannot overtake.
 *  2. Whose turn it may be is looked at once in an event-loop turn, whatever happened in it.
 *
 * Not here: whose turn it is (state/locks/lock-queue.ts), what is tried then (locks.ts).
 */
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { LockMode } from "../../shared/lock.ts";
import type { Clock } from "../clock.ts";
import { LockQueue } from "../state/locks/lock-queue.ts";
import type { Waiting } from "../state/locks/lock-queue.ts";
import type { LockTable } from "../state/locks/lock-table.ts";

/** One who waits. */
export class Waiter implements Waiting {
  readonly actor: string;
  readonly paths: readonly string[];
  readonly mode: LockMode;
  #isCalled = false;
  #isLate = false;
  #error: ServiceError | undefined;
  #notify: () => void = () => undefined;

  constructor(actor: string, { paths, mode }: Waiting) {
    this.actor = actor;
    this.paths = paths;
    this.mode = mode;
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
  #isLookDue = false;
  #endedBy: ServiceError | undefined;

  constructor(table: LockTable, clock: Pick<Clock, "defer">) {
    this.#table = table;
    this.#clock = clock;
  }

  /** Called at once when nobody is in its way who came before. @throws {ServiceError} RATE_LIMITED, or why the room was closed */
  enter(actor: string, request: Waiting): Waiter {
    if (this.#endedBy !== undefined) throw this.#endedBy;
    const count = this.#counts.get(actor) ?? 0;
    if (this.#queue.length >= LIMITS.lockWaitersMax || count >= LIMITS.actorLockWaitersMax) {
      throw tooMany(this.#queue.length, count);
    }
    this.#counts.set(actor, count + 1);
    const waiter = new Waiter(actor, request);
    if (this.#queue.add(waiter)) waiter.call();
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
    const left = (this.#counts.get(waiter.actor) ?? 0) - 1;
    if (left > 0) this.#counts.set(waiter.actor, left);
    else this.#counts.delete(waiter.actor);
    this.look();
  }

  /** Something may be free now. */
  look(): void {
    if (this.#isLookDue || this.#queue.length === 0) return;
    this.#isLookDue = true;
    this.#clock.defer(() => {
      this.#isLookDue = false;
      for (const waiter of this.#queue.call(this.#table)) waiter.call();
    });
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
