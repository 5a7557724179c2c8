/**
 * What is open because somebody may read a context, or ask the server itself: live sessions, feeds, subscriptions. Each is
 * told when that ends.
 *
 * Invariants (ACL):
 *  1. Whoever loses the right to read, by a new access list, a revocation or the end of a token, is told in the turn in which
 *     that holds; so is who may go on reading, of what else they may now.
 *  2. A loss is told once, and nothing after it or after `stop`.
 *  3. What was revoked between a look at the token and the beginning is told at the beginning.
 *
 * Not here: what being told means (the caller ends its session or feed), writing (admission asks anew for each write).
 */
import type { ContextId } from "../../shared/ids.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { Clock } from "../clock.ts";
import { revoked } from "../security/security-manager.ts";
import { accessTo } from "../state/access/access-policy.ts";
import type { Access, Guarded } from "../state/access/access-policy.ts";
import type { Identity } from "../state/access/identity.ts";
import { contextNotFound } from "../state/context-not-found.ts";

/** Timers of Node hold no more; longer ones are set again. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Who is told. */
interface Watcher {
  /** The identity may not read the context any more. Called once, perhaps before `watch` returns. */
  lost(error: ServiceError): void;
  /** What the identity may do now, whether or not that is new. The first time before `watch` returns. */
  may?(access: Access): void;
}

/** Something that is open. */
export interface Watched {
  /** The same actor has proven anew who they are. */
  renew(identity: Identity): void;
  stop(): void;
}

interface Entry {
  identity: Identity;
  readonly watcher: Watcher;
  cancelTimer: () => void;
}

interface Room {
  /** None where only the token counts. */
  context: Guarded | undefined;
  readonly entries: Set<Entry>;
}

export class AccessWatch {
  readonly #clock: Clock;
  readonly #rooms = new Map<ContextId, Room>();
  readonly #server: Room = { context: undefined, entries: new Set() };
  #isRevoked: (identity: Identity) => boolean = () => false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  watch(context: Guarded, identity: Identity, watcher: Watcher): Watched {
    const room = this.#rooms.get(context.id) ?? { context, entries: new Set() };
    this.#rooms.set(context.id, room);
    return this.#enter(room, identity, watcher);
  }

  /** For what is open as long as the token lasts, whatever contexts say. */
  watchToken(identity: Identity, watcher: Pick<Watcher, "lost">): Watched {
    return this.#enter(this.#server, identity, watcher);
  }

  #enter(room: Room, identity: Identity, watcher: Watcher): Watched {
    const entry: Entry = { identity, watcher, cancelTimer: () => undefined };
    room.entries.add(entry);
    this.#look(room, entry);
    return {
      renew: (renewed) => {
        entry.identity = renewed;
        if (room.entries.has(entry)) this.#look(room, entry);
      },
      stop: () => this.#remove(room, entry),
    };
  }

  /** Is anything open because somebody may read it? */
  isWatched(id: ContextId): boolean {
    return this.#rooms.has(id);
  }

  /** The context has this list from now on. */
  changed(context: Guarded): void {
    const room = this.#rooms.get(context.id);
    if (room === undefined) return;
    room.context = context;
    for (const entry of [...room.entries]) this.#look(room, entry);
  }

  /** From now on this tells what identities rest on nothing that is valid. */
  revoke(isRevoked: (identity: Identity) => boolean): void {
    this.#isRevoked = isRevoked;
    for (const room of [this.#server, ...this.#rooms.values()])
      for (const entry of [...room.entries]) if (isRevoked(entry.identity)) this.#lose(room, entry, revoked());
  }

  #look(room: Room, entry: Entry): void {
    entry.cancelTimer();
    const { expiresAtMs } = entry.identity;
    const leftMs = expiresAtMs === undefined ? undefined : expiresAtMs - this.#clock.nowMs();
    if (leftMs !== undefined && leftMs <= 0) return this.#lose(room, entry, expired());
    if (this.#isRevoked(entry.identity)) return this.#lose(room, entry, revoked());
    const access = room.context && accessTo(room.context, entry.identity);
    if (access?.mayRead === false) return this.#lose(room, entry, contextNotFound());
    if (leftMs !== undefined)
      entry.cancelTimer = this.#clock.setTimer(Math.min(leftMs, TIMER_MS_MAX), () => this.#look(room, entry));
    if (access !== undefined) entry.watcher.may?.(access);
  }

  #lose(room: Room, entry: Entry, error: ServiceError): void {
    this.#remove(room, entry);
    entry.watcher.lost(error);
  }

  #remove(room: Room, entry: Entry): void {
    entry.cancelTimer();
    room.entries.delete(entry);
    const id = room.context?.id;
    if (id !== undefined && room.entries.size === 0 && this.#rooms.get(id) === room) this.#rooms.delete(id);
  }
}

function expired(): ServiceError {
  return new ServiceError("UNAUTHENTICATED", "The token's time is over. Get a new one and come again with it.", {
    details: { rule: "expired" },
  });
}
