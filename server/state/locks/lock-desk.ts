/**
 * The locks of one context in memory: the table, how long each lock still lasts, and what admission asks of them.
 *
 * Invariants (LOCK):
 *  1. A lock whose time is over is nobody's: it stands in everybody's way until its `expire` entry, its holder's too.
 *  2. A token counts while its lock is there, not over, and of the same actor; any other is stale.
 *
 * Not here: waiting (server/use-cases/locks.ts), what is durable (write-path.ts).
 */
import { ServiceError } from "../../../shared/errors.ts";
import type { Actor } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Lock, LockEvent } from "../../../shared/lock.ts";
import { covers, overlaps, parsePath } from "../../../shared/path.ts";
import type { LogEntry } from "../../storage/change-log.ts";
import type { Lease, LeaseBook } from "../writes.ts";
import { Leases } from "./leases.ts";
import { LockTable } from "./lock-table.ts";
import type { Held } from "./lock-table.ts";

/** Who writes, with which fencing tokens. */
interface Bearer {
  readonly actor: Actor;
  readonly tokens?: readonly number[];
}

/** Who asks for a lock or about one. */
interface Asker {
  readonly actor: Actor;
  /** Also what others hold. */
  readonly mayRelease?: boolean;
}

/** Who edits, in a session that took these locks. */
interface Editor {
  readonly actor: Actor;
  readonly leases?: Pick<LeaseBook, "list">;
}

export class LockDesk {
  readonly table: LockTable;
  readonly #leases = new Leases();

  readonly #logsRenewals: boolean;

  /**
   * Of a context that was loaded: every lease begins anew.
   * @param logsRenewals other servers count the time too: they must learn of every renewal
   */
  constructor(locks: readonly Lock[], nowMs: number, logsRenewals = false) {
    this.#logsRenewals = logsRenewals;
    this.table = new LockTable(locks);
    for (const { lockId, ttlMs } of locks) this.#leases.begin(lockId, ttlMs, nowMs);
  }

  /**
   * May this event take place? Undefined when it would change nothing.
   * @throws {ServiceError} LOCKED, LOCK_NOT_FOUND, ALREADY_EXISTS, FORBIDDEN, LIMIT_EXCEEDED
   */
  judge(event: LockEvent, asker: Asker, nowMs: number): LockEvent | undefined {
    if (event.op === "acquire") return this.#judgeAcquire(event, asker.actor, nowMs);
    const { lockId } = event;
    if (event.op === "expire") return this.#isOverdue(lockId, nowMs) ? event : undefined;
    const { ttlMs } = this.#own(event, asker, nowMs);
    if (event.op !== "renew" || event.ttlMs !== ttlMs || this.#logsRenewals) return event;
    // the time begins anew, and that is no news for the log
    this.#leases.begin(lockId, ttlMs, nowMs);
    return undefined;
  }

  /** The event is in the log. */
  apply(event: LockEvent, entry: Pick<LogEntry, "seq" | "actor" | "atMs">, nowMs: number): void {
    this.table.apply(event, entry);
    if (event.op === "acquire" || event.op === "renew") this.#leases.begin(event.lockId, event.ttlMs, nowMs);
    else this.#leases.end(event.lockId);
  }

  /** What the event is about; before it is applied. */
  pathsOf(event: LockEvent): readonly string[] {
    return event.op === "acquire" ? event.paths : (this.table.get(event.lockId)?.paths ?? []);
  }

  /** For a JSON change, which shows what it holds. @throws {ServiceError} FENCE_STALE, LOCKED */
  checkWrite(paths: readonly string[], { actor, tokens = [] }: Bearer, nowMs: number): void {
    const held = tokens.map((token) => {
      const lock = this.#holding(token, actor, nowMs);
      if (lock === undefined) throw stale(token);
      return lock.lockId;
    });
    this.#checkFree(paths, new Set(held), nowMs);
  }

  /**
   * For a live edit: what its session took counts, and what that lost bars it from the paths it had, but for those that it
   * took again.
   * @throws {ServiceError} FENCE_STALE, LOCKED
   */
  checkEdit(paths: readonly string[], { actor, leases }: Editor, nowMs: number): void {
    // a lease says what its client believes: what it may pass are the locks that its tokens stand for
    const held: Lock[] = [];
    const lost: Lease[] = [];
    for (const lease of leases?.list() ?? []) {
      const lock = this.#holding(lease.fencingToken, actor, nowMs);
      if (lock === undefined) lost.push(lease);
      else held.push(lock);
    }
    if (lost.length > 0) {
      const others = paths.filter((path) => !held.some((lock) => isIn(lock, path)));
      const bar = lost.find((lease) => overlap(lease.paths, others));
      if (bar !== undefined) throw stale(bar.fencingToken);
    }
    this.#checkFree(paths, new Set(held.map(({ lockId }) => lockId)), nowMs);
  }

  #isOverdue(lockId: string, nowMs: number): boolean {
    return this.table.get(lockId) !== undefined && this.#leases.isOver(lockId, nowMs);
  }

  #checkFree(paths: readonly string[], held: Held, nowMs: number): void {
    const obstacle = this.table.obstacleToWrite(paths, held);
    if (obstacle !== undefined) throw locked(obstacle, this.leftMs(obstacle, nowMs));
  }

  #holding(token: number, actor: Actor, nowMs: number): Lock | undefined {
    const lock = this.table.withToken(token);
    return lock === undefined || lock.holder !== actor || this.#leases.isOver(lock.lockId, nowMs) ? undefined : lock;
  }

  leftMs({ lockId }: Pick<Lock, "lockId">, nowMs: number): number {
    return this.#leases.leftMs(lockId, nowMs);
  }

  overdue(nowMs: number): readonly string[] {
    return this.#leases.overdue(nowMs);
  }

  nextEndMs(): number | undefined {
    return this.#leases.nextEndMs();
  }

  #judgeAcquire(event: Extract<LockEvent, { op: "acquire" }>, actor: Actor, nowMs: number): LockEvent {
    if (this.table.get(event.lockId) !== undefined) {
      throw new ServiceError("ALREADY_EXISTS", "A lock with this id exists. Renew it, or ask under another id.");
    }
    const obstacle = this.table.obstacleToLock(event.paths, event.mode);
    if (obstacle !== undefined) throw locked(obstacle, this.leftMs(obstacle, nowMs));
    if (this.table.size >= LIMITS.locksMax) throw tooMany("The context has", LIMITS.locksMax);
    if (this.table.countOf(actor) >= LIMITS.actorLocksMax) throw tooMany("You hold here", LIMITS.actorLocksMax);
    return event;
  }

  #own({ op, lockId }: LockEvent, { actor, mayRelease = false }: Asker, nowMs: number): Lock {
    const lock = this.table.get(lockId);
    if (lock === undefined || this.#isOverdue(lockId, nowMs)) {
      throw new ServiceError(
        "LOCK_NOT_FOUND",
        "There is no such lock, or its time is over. Take it again before you write there.",
      );
    }
    if (lock.holder === actor || (mayRelease && op === "release")) return lock;
    throw new ServiceError(
      "FORBIDDEN",
      `The lock belongs to ${lock.holder}. Only its holder renews or releases it; an admin of the context may release it by force.`,
    );
  }
}

function isIn({ paths }: Lock, path: string): boolean {
  return paths.some((own) => covers(parsePath(own), parsePath(path)));
}

function overlap(some: readonly string[], others: readonly string[]): boolean {
  return some.some((path) => others.some((other) => overlaps(parsePath(path), parsePath(other))));
}

function locked({ lockId, holder, paths, mode, purpose }: Lock, leftMs: number): ServiceError {
  const forWhat = purpose === undefined ? "" : ` for "${purpose}"`;
  return new ServiceError(
    "LOCKED",
    `${holder} holds a lock on ${paths.join(", ") || "the whole context"}${forWhat}. Wait for it with a lock of your own, or try again later.`,
    {
      details: {
        lockId,
        holder,
        paths,
        mode,
        leftMs: Math.ceil(leftMs),
        ...(purpose === undefined ? {} : { purpose }),
      },
    },
  );
}

function tooMany(who: string, limit: number): ServiceError {
  return new ServiceError(
    "LIMIT_EXCEEDED",
    `${who} ${limit} locks, which is the limit. Release some, or lock a path above several.`,
    { details: { limit } },
  );
}

function stale(fencingToken: number): ServiceError {
  return new ServiceError(
    "FENCE_STALE",
    "The lock that this token stands for is not yours, or not any more. Take the lock again, read what was written meanwhile, and decide anew.",
    { details: { fencingToken } },
  );
}
