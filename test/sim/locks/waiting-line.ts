/**
 * Who asked for locks of one context, in the order in which the server heard of it.
 *
 *  S4 LOCK-7  nobody is granted a lock past somebody who came before, asked for the same place and still waits
 *  S9 LOCK-8  a wait ends: in the end nobody waits
 */
import type { LockMode } from "../../../shared/lock.ts";
import { meets } from "../../support/lock-model.ts";
import type { Violate } from "../log-replay.ts";

export interface LockAsk {
  readonly party: string;
  readonly actor: string;
  readonly lockId?: string;
  readonly paths: readonly string[];
  readonly mode: LockMode;
  readonly ttlMs: number;
  readonly sentMs: number;
}

/** One request on its way, from the moment it was sent. */
export interface Ticket extends LockAsk {
  /** Undefined while it is on the line to the server. */
  place: number | undefined;
  isOpen: boolean;
  /** It was not asked for before: who is granted it, is granted it now. */
  readonly isNew: boolean;
  /** Another request for the same lock was under way, or it was given up: when the server lets it stand in line is not seen. */
  isUnclear: boolean;
}

export class WaitingLine {
  readonly #violate: Violate;
  readonly #tickets = new Set<Ticket>();
  readonly #names = new Set<string>();
  #arrived = 0;

  constructor(violate: Violate) {
    this.#violate = violate;
  }

  /** How many requests the server has and has not answered. */
  get length(): number {
    return [...this.#tickets].filter(({ place }) => place !== undefined).length;
  }

  ask(ask: LockAsk): Ticket {
    const { lockId } = ask;
    const isUnclear = lockId !== undefined && [...this.#tickets].some((other) => other.lockId === lockId);
    const isNew = lockId === undefined || !this.#names.has(lockId);
    if (lockId !== undefined) this.#names.add(lockId);
    const ticket = { ...ask, place: undefined, isOpen: true, isNew, isUnclear };
    this.#tickets.add(ticket);
    return ticket;
  }

  arrive(ticket: Ticket): void {
    ticket.place = ++this.#arrived;
  }

  /** Who asked does not want it any more, or is not there any more. */
  giveUp(lockId: string): void {
    for (const ticket of this.#tickets) if (ticket.lockId === lockId) ticket.isUnclear = true;
  }

  /** The answer leaves the server, or none will come. */
  close(ticket: Ticket, isGranted: boolean): void {
    ticket.isOpen = false;
    this.#tickets.delete(ticket);
    if (isGranted && ticket.isNew) this.#checkOvertaken(ticket);
  }

  /** The server is gone, and with it everybody who waited. */
  clear(): void {
    for (const ticket of this.#tickets) ticket.isOpen = false;
    this.#tickets.clear();
  }

  #checkOvertaken({ party, place = 0, paths, mode, lockId }: Ticket): void {
    const before = [...this.#tickets].find(
      (other) =>
        other.place !== undefined &&
        other.place < place &&
        !other.isUnclear &&
        (mode === "exclusive" || other.mode === "exclusive") &&
        meets(paths, other.paths),
    );
    if (before !== undefined)
      this.#violate(
        "S4 LOCK-7",
        `${party} got ${lockId ?? "a lock"} on ${paths.join()} before ${before.party}, who waited for ${before.paths.join()}`,
      );
  }
}
