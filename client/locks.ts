/**
 * The locks of one open context: asked for, kept alive, lost, and given back.
 *
 * Invariants:
 *  1. A lock is renewed from a third of its time on, and first of all on a new connection, before the edits that were made
 *     under it (SDK-42).
 *  2. A lease that was lost is given back when the edits made until then are saved or refused: until then the server
 *     refuses what was written under it (SDK-43).
 *  3. No lock is held that nobody knows of: a request that is sent again names the same lock, and one that is given up, or
 *     overtaken by the end of the context, gives it back (SDK-41).
 *
 * Not here: what a lease tells its holder (lease.ts), who gets a lock (the server).
 */
import { uuidv4 } from "lib0/random";
import { ServiceError } from "../shared/errors.ts";
import type { Json } from "../shared/json.ts";
import { isJsonObject } from "../shared/json.ts";
import type { LockMode } from "../shared/lock.ts";
import { overlaps, parsePath } from "../shared/path.ts";
import type { Steps } from "../shared/path.ts";
import type { LockView, LockWaiterView } from "../shared/protocol/rest-locks.ts";
import { HeldLease, now } from "./lease.ts";
import type { GrantedLease, Lease, Moment } from "./lease.ts";
import type { PendingRequests } from "./pending-requests.ts";
import type { PendingUpdates } from "./pending-updates.ts";

export interface LockOptions {
  /** `exclusive` unless given: only the holder writes at, above or below the paths. `shared`: nobody does; many may hold it. */
  readonly mode?: LockMode;
  /** How long it lasts when nothing is heard of us, 1 s to 10 min; 30 s unless given. */
  readonly ttlMs?: number;
  /** How long to wait when somebody else has it, up to a minute; not at all unless given. */
  readonly waitMs?: number;
  /** Why; others see it. */
  readonly purpose?: string;
  /** Ends the waiting; what was granted at that moment is given back. */
  readonly signal?: AbortSignal;
}

/** A lock of the context as everybody sees it; `expiresAtMs` by the server's clock. */
export type LockInfo = Omit<LockView, "expiresAt"> & { readonly expiresAtMs: number };

/** Somebody who waits for a lock; times by the server's clock. */
export type LockWaiter = Omit<LockWaiterView, "since" | "until"> & {
  readonly sinceMs: number;
  /** When it gives up. */
  readonly untilMs: number;
};

/** For writes that do not go through the replica. */
export type LockTokens = Pick<Locks, "tokensFor">;

interface LocksOptions {
  readonly requests: Pick<PendingRequests, "request">;
  readonly pending: Pick<PendingUpdates, "settled">;
}

export class Locks {
  readonly #requests: LocksOptions["requests"];
  readonly #pending: LocksOptions["pending"];
  /** Those that the server takes for ours, lost ones too until they are given back. */
  readonly #leases = new Map<string, HeldLease>();
  readonly #timers = new Map<HeldLease, ReturnType<typeof setTimeout>>();
  readonly #closing = new AbortController();

  constructor({ requests, pending }: LocksOptions) {
    this.#requests = requests;
    this.#pending = pending;
  }

  /** @throws {ServiceError} LOCKED, LIMIT_EXCEEDED, RATE_LIMITED, INVALID_REQUEST, CLOSED; the signal's reason */
  async take(paths: string | readonly string[], { signal, ...asked }: LockOptions = {}): Promise<Lease> {
    const lockId = uuidv4();
    const params = { ...asked, lockId, paths: typeof paths === "string" ? [paths] : [...paths] };
    const end = AbortSignal.any([this.#closing.signal, ...(signal === undefined ? [] : [signal])]);
    const askedAt = now();
    try {
      const answer = await this.#requests.request("lock", params, { signal: end, lane: "locks" });
      const lease = await this.#granted(answer, askedAt);
      if (lease.isLost) throw lease.signal.reason;
      if (!end.aborted) return lease;
      this.#forget(lease);
      throw end.reason;
    } catch (error) {
      if (end.aborted) void this.#unlock(lockId);
      throw error;
    }
  }

  /** Fencing tokens of what is held at, above or below these paths. */
  tokensFor(paths: readonly string[]): readonly number[] {
    if (this.#leases.size === 0) return [];
    const places = paths.map(placeOf);
    return [...this.#leases.values()]
      .filter(
        (lease) => !lease.isLost && lease.paths.map(placeOf).some((own) => places.some((it) => overlaps(own, it))),
      )
      .map(({ fencingToken }) => fencingToken);
  }

  /** A session begins: it has to have the locks before it gets edits. */
  resume(): void {
    for (const lease of this.#leases.values()) void this.#renew(lease);
  }

  /** The server says that the lock is over. */
  ended(lockId: string, how: "release" | "expire"): void {
    const lease = this.#leases.get(lockId);
    if (lease !== undefined) this.#lose(lease, how === "expire" ? timeIsOver() : releasedElsewhere());
  }

  /** Gives everything back. */
  async close(reason: ServiceError): Promise<void> {
    this.#closing.abort(reason);
    await Promise.all(Array.from(this.#leases.values(), (lease) => lease.release()));
  }

  /** Nothing is asked any more. */
  fail(error: ServiceError): void {
    this.#closing.abort(error);
    for (const lease of this.#leases.values()) this.#lose(lease, error);
    this.#leases.clear();
  }

  /** The time of a lock that was waited for began when only the server knows: renewed, it begins when we ask for that. */
  async #granted(answer: Json, askedAt: Moment): Promise<HeldLease> {
    const lease = new HeldLease(grantedLease(answer), (it) => this.#release(it), askedAt);
    this.#leases.set(lease.lockId, lease);
    if (lease.leftMs > (2 / 3) * lease.ttlMs) this.#arm(lease);
    else await this.#renew(lease);
    return lease;
  }

  /** The server is told all it needs to take the lease for ours, and to refuse what is written under it if it is over. */
  async #renew(lease: HeldLease): Promise<void> {
    const { lockId, ttlMs, fencingToken, paths } = lease;
    const askedAt = now();
    try {
      const params = { lockId, ttlMs, fencingToken, paths: [...paths] };
      await this.#requests.request("renew-lock", params, { lane: "leases" });
      lease.extend(askedAt);
    } catch (error) {
      if (isGone(error)) this.#lose(lease, error);
    }
    this.#arm(lease);
  }

  #arm(lease: HeldLease): void {
    clearTimeout(this.#timers.get(lease));
    if (lease.isLost || !this.#leases.has(lease.lockId)) return void this.#timers.delete(lease);
    const { leftMs, ttlMs } = lease;
    const dueMs = leftMs - (2 / 3) * ttlMs;
    const delayMs = dueMs > 0 ? dueMs : Math.min(leftMs, ttlMs / 6);
    const tick = (): void => {
      if (lease.leftMs === 0) return this.#lose(lease, timeIsOver());
      this.#arm(lease);
      void this.#renew(lease);
    };
    this.#timers.set(lease, setTimeout(tick, Math.ceil(delayMs)));
  }

  #lose(lease: HeldLease, error: ServiceError): void {
    if (!lease.lose(error)) return;
    this.#arm(lease);
    void this.#pending.settled().then(() => this.#giveBack(lease));
  }

  async #release(lease: HeldLease): Promise<void> {
    const lost = new Promise<void>((resolve) => lease.onLost(() => resolve()));
    await Promise.race([this.#pending.settled(), lost]);
    if (lease.isLost) return;
    const isOver = AbortSignal.timeout(Math.ceil(lease.leftMs));
    lease.released();
    await this.#giveBack(lease, isOver);
  }

  async #giveBack(lease: HeldLease, signal?: AbortSignal): Promise<void> {
    this.#forget(lease);
    await this.#unlock(lease.lockId, signal);
  }

  #forget(lease: HeldLease): void {
    this.#leases.delete(lease.lockId);
    this.#arm(lease);
  }

  /** What cannot be given back ends with its time. */
  async #unlock(lockId: string, signal?: AbortSignal): Promise<void> {
    await this.#requests.request("unlock", { lockId }, { signal }).catch(() => undefined);
  }
}

/** A path that is none is the server's to refuse. */
function placeOf(path: string): Steps {
  try {
    return parsePath(path);
  } catch {
    return [];
  }
}

function grantedLease(answer: Json): GrantedLease {
  const { lockId, paths, mode, fencingToken, ttlMs } = isJsonObject(answer) ? answer : {};
  const isLock = typeof lockId === "string" && typeof fencingToken === "number" && typeof ttlMs === "number";
  if (!isLock || !Array.isArray(paths) || (mode !== "exclusive" && mode !== "shared"))
    throw new ServiceError("INTERNAL", "The server's answer is no lock. Is it older than this SDK?");
  return { lockId, paths: paths.map(String), mode, fencingToken, ttlMs };
}

function isGone(error: unknown): error is ServiceError {
  return error instanceof ServiceError && (error.code === "LOCK_NOT_FOUND" || error.code === "FORBIDDEN");
}

function timeIsOver(): ServiceError {
  return new ServiceError(
    "LOCK_NOT_FOUND",
    "The lock's time was over before it was renewed. Take it again, read what was written meanwhile, and decide anew.",
  );
}

function releasedElsewhere(): ServiceError {
  return new ServiceError("LOCK_NOT_FOUND", "The lock was released by its id. Take it again if it is needed.");
}
