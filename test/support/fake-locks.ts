/**
 * Locks on a FakeContextService: who asks first has them until they are given back.
 *
 * Not here: time, waiting, and what a lock forbids to write.
 */
import { ServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { LockTable } from "../../server/state/locks/lock-table.ts";
import type { Caller, GrantedLock, LockRequest, LockService } from "../../server/context-service.ts";
import { AT_MS } from "./fake-store.ts";
import type { FakeStore } from "./fake-store.ts";

export class FakeLocks implements LockService {
  readonly #store: FakeStore;
  readonly #tables = new WeakMap<object, LockTable>();
  #granted = 0;

  constructor(store: FakeStore) {
    this.#store = store;
  }

  async list(_caller: Caller, id: ContextId): Promise<readonly GrantedLock[]> {
    const table = this.#table(id);
    return table.list().map(({ lockId }) => grantedIn(table, lockId));
  }

  async acquire({ actor }: Caller, id: ContextId, request: LockRequest): Promise<GrantedLock> {
    const { paths, mode = "exclusive", ttlMs = LIMITS.lockTtlMsDefault, purpose } = request;
    const table = this.#table(id);
    const obstacle = table.obstacleToLock(paths, mode);
    if (obstacle !== undefined) throw new ServiceError("LOCKED", `${obstacle.holder} has a lock there.`);
    const seq = ++this.#granted;
    const lockId = `00000000-0000-4000-8000-${String(seq).padStart(12, "0")}`;
    const why = purpose === undefined ? {} : { purpose };
    table.apply({ op: "acquire", lockId, paths, mode, ttlMs, ...why }, { seq, actor, atMs: AT_MS });
    return grantedIn(table, lockId);
  }

  async renew({ actor }: Caller, id: ContextId, lockId: string, { ttlMs }: { ttlMs?: number }): Promise<GrantedLock> {
    const table = this.#table(id);
    const before = own(table, lockId, actor);
    table.apply({ op: "renew", lockId, ttlMs: ttlMs ?? before.ttlMs }, { seq: 0, actor, atMs: AT_MS });
    return grantedIn(table, lockId);
  }

  async release({ actor }: Caller, id: ContextId, lockId: string): Promise<void> {
    const table = this.#table(id);
    own(table, lockId, actor);
    table.apply({ op: "release", lockId }, { seq: 0, actor, atMs: AT_MS });
  }

  #table(id: ContextId): LockTable {
    const context = this.#store.get(id);
    const table = this.#tables.get(context) ?? new LockTable();
    this.#tables.set(context, table);
    return table;
  }
}

function own(table: LockTable, lockId: string, actor: string): GrantedLock {
  const lock = grantedIn(table, lockId);
  if (lock.holder !== actor) throw new ServiceError("FORBIDDEN", `The lock belongs to ${lock.holder}.`);
  return lock;
}

function grantedIn(table: LockTable, lockId: string): GrantedLock {
  const lock = table.get(lockId);
  if (lock === undefined) throw new ServiceError("LOCK_NOT_FOUND", "The context has no such lock.");
  return { ...lock, expiresAtMs: AT_MS + lock.ttlMs };
}
