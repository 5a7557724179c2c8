/**
 * Locks on a FakeContextService: the real use cases and rules, on a table in memory instead of a log.
 *
 * Not here: durability, restarts, live edits.
 */
import { systemClock } from "../../server/clock.ts";
import type { Clock } from "../../server/clock.ts";
import type { Caller } from "../../server/context-service.ts";
import { LockDesk } from "../../server/state/locks/lock-desk.ts";
import { LockUseCases } from "../../server/use-cases/locks.ts";
import type { Actor, ContextId } from "../../shared/ids.ts";
import type { LockEvent } from "../../shared/lock.ts";
import type { FakeStore, Stored } from "./fake-store.ts";

export class FakeLocks extends LockUseCases {
  readonly #store: FakeStore;
  readonly #clock: Clock;
  readonly #desks = new WeakMap<Stored, LockDesk>();
  #entries = 0;

  constructor(store: FakeStore, clock: Clock = systemClock) {
    super({
      clock,
      // nobody has such a context open
      sync: { announce: () => undefined },
      desk: (id) => this.#deskOf(id),
      access: {
        withLocks: async (caller, id, task) => {
          const desk = this.#deskOf(id);
          return task({
            desk,
            durable: async () => undefined,
            write: async (event, isForced) => this.#write(caller.identity.actor, id, event, isForced),
          });
        },
        lockDesks: () => store.all().map(({ state: { meta } }) => [meta.id, this.#deskOf(meta.id)] as const),
      },
    });
    this.#store = store;
    this.#clock = clock;
  }

  /** @throws {ServiceError} FENCE_STALE, LOCKED */
  checkWrite(
    { identity: { actor } }: Caller,
    id: ContextId,
    paths: readonly string[],
    tokens: readonly number[],
  ): void {
    this.#deskOf(id).checkWrite(paths, { actor, tokens }, this.#clock.monotonicMs());
  }

  #write(actor: Actor, id: ContextId, asked: LockEvent, mayRelease = false) {
    const desk = this.#deskOf(id);
    const nowMs = this.#clock.monotonicMs();
    const event = desk.judge(asked, { actor, mayRelease }, nowMs);
    const seq = event === undefined ? 0 : ++this.#entries;
    if (event !== undefined) {
      desk.apply(event, { seq, actor, atMs: this.#clock.nowMs() }, nowMs);
      this.#store.events.emit(this.#store.get(id).state.meta, "locks");
      this.changed(desk);
    }
    const { lockId } = asked;
    const lock = desk.table.get(lockId);
    // what is deleted meanwhile takes its locks along
    const expire = (): void => {
      if (this.#isThere(id, desk)) this.#write(actor, id, { op: "expire", lockId });
    };
    if (lock !== undefined) this.#clock.setTimer(desk.leftMs(lock, nowMs), expire);
    return { version: 0, seq, paths: [] };
  }

  #isThere(id: ContextId, desk: LockDesk): boolean {
    return this.#store.all().some((stored) => stored.state.meta.id === id && this.#desks.get(stored) === desk);
  }

  #deskOf(id: ContextId): LockDesk {
    const stored = this.#store.get(id);
    const desk = this.#desks.get(stored) ?? new LockDesk([], this.#clock.monotonicMs());
    this.#desks.set(stored, desk);
    return desk;
  }
}
