/**
 * The time of locks: ends them when it is over, and tells sessions and waiters what happened to them.
 *
 * Invariants (LOCK):
 *  1. A lock whose time is over ends by an `expire` entry, written in the context's turn: renewed meanwhile, it stays.
 *  2. One timer for each context with locks; none is left when its context leaves the memory.
 *
 * Not here: which locks there are (state/locks), who waits (use-cases/locks.ts).
 */
import type { ContextMeta } from "../../shared/context.ts";
import type { ServiceError } from "../../shared/errors.ts";
import type { LockEvent } from "../../shared/lock.ts";
import { lockEventView } from "../../shared/protocol/lock-view.ts";
import type { Clock } from "../clock.ts";
import type { LockDesk } from "../state/locks/lock-desk.ts";
import type { LiveContext, StateManager } from "../state/state-manager.ts";
import type { LogEntry } from "../storage/change-log.ts";
import type { SyncManager } from "../sync/sync-manager.ts";
import type { PendingWrite } from "./write-path.ts";

type Live = LiveContext<PendingWrite>;

interface LockClockOptions {
  readonly clock: Clock;
  readonly state: StateManager<PendingWrite>;
  readonly sync: SyncManager;
  readonly events: { emit(meta: ContextMeta, kind: "locks"): void };
  readonly waiters: {
    changed(desk: LockDesk, event?: LockEvent): void;
    ended(desk: LockDesk, error: ServiceError): void;
    stop(): void;
  };
}

export class LockClock {
  readonly #options: LockClockOptions;
  readonly #timers = new WeakMap<Live, () => void>();
  #isStopped = false;

  constructor(options: LockClockOptions) {
    this.#options = options;
  }

  /** The context came into memory: its leases have begun anew. */
  loaded(live: Live): void {
    this.#wind(live);
  }

  /** A lock entry of the context is durable. */
  changed(live: Live, entry: LogEntry): void {
    const { sync, waiters, events } = this.#options;
    if (entry.lock !== undefined) sync.announce(live.id, lockEventView(entry.lock, entry));
    events.emit(live.meta, "locks");
    this.#wind(live);
    waiters.changed(live.state.locks, entry.lock);
  }

  dropped(live: Live, error: ServiceError): void {
    this.#unwind(live);
    this.#options.waiters.ended(live.state.locks, error);
  }

  /** Nobody waits any more, and no lock ends: their time goes on when their contexts are loaded again. */
  stop(error: ServiceError): void {
    this.#isStopped = true;
    this.#options.waiters.stop();
    for (const live of this.#options.state.live()) this.dropped(live, error);
  }

  #unwind(live: Live): void {
    this.#timers.get(live)?.();
    this.#timers.delete(live);
  }

  #wind(live: Live): void {
    const { clock } = this.#options;
    this.#unwind(live);
    const endsAtMs = live.state.locks.nextEndMs();
    if (endsAtMs === undefined || live.isDropped || this.#isStopped) return;
    const leftMs = Math.max(0, endsAtMs - clock.monotonicMs());
    this.#timers.set(
      live,
      clock.setTimer(leftMs, () => this.#sweep(live)),
    );
  }

  #sweep(live: Live): void {
    const { clock, state } = this.#options;
    const { locks } = live.state;
    const overdue = locks.overdue(clock.monotonicMs());
    // the timer rang a moment early, or what was due was renewed
    if (overdue.length === 0) this.#wind(live);
    for (const lockId of overdue) {
      const actor = locks.table.get(lockId)?.holder;
      if (actor === undefined) continue;
      // not wound before their turn has come: it may be held up, and until then they stay overdue
      state.enqueue(live, {
        write: { kind: "lock", actor, origin: "server", event: { op: "expire", lockId } },
        settle: () => this.#wind(live),
        refuse: () => undefined,
      });
    }
  }
}
