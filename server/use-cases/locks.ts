/**
 * Use cases: taking, renewing and releasing locks, waiting for them, and what happens when their time is over.
 *
 * Invariants (LOCK):
 *  1. A lock is granted by its entry in the log and by nothing else; what is answered is durable.
 *  2. Who waits is served in order of arrival, and only paths that both want make one wait for another.
 *  3. A wait ends: by the grant, by its time, by the caller, or by the end of the context.
 *
 * Not here: what a lock forbids (state/locks, state/context-state.ts).
 */
import { ServiceError, toServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { LockEvent, LockMode } from "../../shared/lock.ts";
import type { Clock } from "../clock.ts";
import type { Caller, GrantedLock, LockRequest, LockService } from "../context-service.ts";
import type { LockDesk } from "../state/locks/lock-desk.ts";
import { LockQueue } from "../state/locks/lock-queue.ts";
import { coverOf } from "../state/path-cover.ts";
import type { WriteResult } from "../state/state-manager.ts";

/** A context in memory, for as long as a task lasts. */
export interface LockContext {
  readonly desk: LockDesk;
  /** @throws {ServiceError} those of LockDesk.judge, STORE_UNAVAILABLE */
  readonly write: (event: LockEvent) => Promise<WriteResult>;
}

/** Port: ContextManager is the implementation. */
export interface LockAccess {
  /** @throws {ServiceError} CONTEXT_NOT_FOUND, STORE_UNAVAILABLE, SHUTTING_DOWN; what `task` throws */
  withLocks<Result>(caller: Caller, id: ContextId, task: (context: LockContext) => Promise<Result>): Promise<Result>;
}

/** One who waits: woken as often as it may be its turn, or told why it never will be. */
class Waiter {
  readonly paths: readonly string[];
  readonly mode: LockMode;
  #settle: ((error?: ServiceError) => void) | undefined;
  #isWoken = false;
  #error: ServiceError | undefined;

  constructor({ paths, mode }: Pick<Waiter, "paths" | "mode">) {
    this.paths = paths;
    this.mode = mode;
  }

  wake(error?: ServiceError): void {
    this.#isWoken = true;
    this.#error ??= error;
    this.#settle?.(this.#error);
  }

  /** Resolves with the next waking, which may have come already. */
  woken(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = (error) => {
        this.#isWoken = false;
        this.#settle = undefined;
        if (error === undefined) resolve();
        else reject(error);
      };
      if (this.#isWoken) this.#settle(this.#error);
    });
  }
}

export class LockUseCases implements LockService {
  readonly #access: LockAccess;
  readonly #clock: Clock;
  readonly #queues = new Map<ContextId, LockQueue<Waiter>>();

  constructor({ access, clock }: { readonly access: LockAccess; readonly clock: Clock }) {
    this.#access = access;
    this.#clock = clock;
  }

  list(caller: Caller, id: ContextId): Promise<readonly GrantedLock[]> {
    return this.#access.withLocks(caller, id, async ({ desk }) =>
      desk.table.list().map(({ lockId }) => this.#viewOf(desk, lockId)),
    );
  }

  acquire(caller: Caller, id: ContextId, request: LockRequest): Promise<GrantedLock> {
    const { mode = "exclusive", ttlMs = LIMITS.lockTtlMsDefault, waitMs = 0, purpose, signal } = request;
    const paths = coverOf(new Set(request.paths), LIMITS.lockPathsMax);
    const lockId = this.#clock.newId();
    const event = { op: "acquire", lockId, paths, mode, ttlMs, ...(purpose === undefined ? {} : { purpose }) } as const;
    return this.#access.withLocks(caller, id, async (context) => {
      const isBehind = this.#queues.get(id)?.isBehind(event) === true;
      const refusal = isBehind ? undefined : await this.#try(context, event);
      if (refusal !== "granted") {
        if (waitMs === 0 && refusal !== undefined) throw refusal;
        await this.#wait(id, context, { event, waitMs, signal, refusal });
      }
      if (signal?.aborted === true) {
        // nobody would hear of it
        await context.write({ op: "release", lockId });
        throw gone();
      }
      return this.#viewOf(context.desk, lockId);
    });
  }

  renew(caller: Caller, id: ContextId, lockId: string, options: { readonly ttlMs?: number }): Promise<GrantedLock> {
    return this.#access.withLocks(caller, id, async ({ desk, write }) => {
      const ttlMs = options.ttlMs ?? desk.table.get(lockId)?.ttlMs ?? LIMITS.lockTtlMsDefault;
      await write({ op: "renew", lockId, ttlMs });
      return this.#viewOf(desk, lockId);
    });
  }

  release(caller: Caller, id: ContextId, lockId: string): Promise<void> {
    return this.#access.withLocks(caller, id, async ({ write }) => {
      await write({ op: "release", lockId });
    });
  }

  /** A lock of the context is gone: whoever can go on now is woken. */
  changed(id: ContextId, desk: LockDesk): void {
    const queue = this.#queues.get(id);
    for (let next = queue?.call(desk.table); next !== undefined; next = queue?.call(desk.table)) next.wake();
  }

  /** What was in memory of the context is gone: those who wait are told, and may ask again. */
  dropped(id: ContextId, error: ServiceError): void {
    const queue = this.#queues.get(id);
    this.#queues.delete(id);
    for (const waiting of queue?.list() ?? []) waiting.wake(error);
  }

  async #try({ write }: LockContext, event: LockEvent): Promise<"granted" | ServiceError> {
    try {
      await write(event);
      return "granted";
    } catch (error) {
      const refusal = toServiceError(error);
      if (refusal.code !== "LOCKED") throw refusal;
      return refusal;
    }
  }

  /** Tries whenever it may be this request's turn, until its time is over. */
  async #wait(id: ContextId, context: LockContext, { event, waitMs, signal, ...wait }: Wait): Promise<void> {
    let { refusal } = wait;
    const queue = this.#queues.get(id) ?? new LockQueue<Waiter>();
    if (queue.length >= LIMITS.lockWaitersMax) throw tooMany();
    this.#queues.set(id, queue);
    const waiter = new Waiter(event);
    queue.add(waiter);
    let isLate = waitMs === 0;
    const cancelTimer = this.#clock.setTimer(waitMs, () => {
      isLate = true;
      waiter.wake();
    });
    const forgetSignal = onAbort(signal, () => waiter.wake(gone()));
    try {
      for (;;) {
        // a lock may have ended before this one waited for it
        queue.recall(waiter);
        this.changed(id, context.desk);
        await waiter.woken();
        if (isLate) throw refusal ?? othersFirst();
        const outcome = await this.#try(context, event);
        if (outcome === "granted") return;
        refusal = outcome;
      }
    } finally {
      cancelTimer();
      forgetSignal();
      queue.remove(waiter);
      if (queue.length === 0 && this.#queues.get(id) === queue) this.#queues.delete(id);
      this.changed(id, context.desk);
    }
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

interface Wait {
  readonly event: Extract<LockEvent, { op: "acquire" }>;
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
  /** Why the first try failed, if there was one. */
  readonly refusal: ServiceError | undefined;
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

function othersFirst(): ServiceError {
  return new ServiceError("LOCKED", "Others wait for these paths and came before. Wait longer, or try again later.");
}

function tooMany(): ServiceError {
  return new ServiceError(
    "RATE_LIMITED",
    `${LIMITS.lockWaitersMax} requests wait for locks of this context already. Try again later.`,
  );
}
