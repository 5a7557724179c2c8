/**
 * How locks and refusals are broken for planted.ts: methods that do what they should, but for one mistake.
 */
import type { ContextState } from "../../../server/state/context-state.ts";
import type { LockDesk } from "../../../server/state/locks/lock-desk.ts";
import type { LockQueue, Waiting } from "../../../server/state/locks/lock-queue.ts";
import type { LockTable } from "../../../server/state/locks/lock-table.ts";
import type { Leases } from "../../../server/state/locks/leases.ts";

type Apply = LockTable["apply"];

export function forgettingExpiry(apply: Apply): Apply {
  return function forgetting(this: LockTable, event, entry) {
    if (event.op !== "expire") apply.call(this, event, entry);
  };
}

export function countingAnew(apply: Apply): Apply {
  const counts = new WeakMap<LockTable, number>();
  return function counting(this: LockTable, event, entry) {
    const count = counts.get(this) ?? 0;
    if (event.op === "acquire") counts.set(this, count + 1);
    apply.call(this, event, { ...entry, seq: count + 1 });
  };
}

type Begin = Leases["begin"];

export function hurryingLeases(begin: Begin): Begin {
  return function hurrying(this: Leases, lockId, ttlMs, nowMs) {
    begin.call(this, lockId, ttlMs / 2, nowMs);
  };
}

type CheckWrite = LockDesk["checkWrite"];

export function trustingTokens(checkWrite: CheckWrite): CheckWrite {
  return function trusting(this: LockDesk, paths, { actor, tokens = [] }, nowMs) {
    const held = tokens.filter((token) => this.table.withToken(token) !== undefined);
    checkWrite.call(this, paths, { actor, tokens: held }, nowMs);
  };
}

type CheckEdit = LockDesk["checkEdit"];

export function trustingNames(checkEdit: CheckEdit): CheckEdit {
  return function trusting(this: LockDesk, paths, { actor }, nowMs) {
    const own = this.table.list().filter(({ holder }) => holder === actor);
    checkEdit.call(this, paths, { actor, leases: { list: () => own } }, nowMs);
  };
}

export function forgettingLost(checkEdit: CheckEdit): CheckEdit {
  return function forgetting(this: LockDesk, paths, { actor, leases }, nowMs) {
    const list = leases?.list().filter(({ fencingToken }) => this.table.withToken(fencingToken) !== undefined) ?? [];
    checkEdit.call(this, paths, { actor, leases: { list: () => list } }, nowMs);
  };
}

type Call = LockQueue<Waiting>["call"];

export function callingNewest(_call: Call): Call {
  return function calling(this: LockQueue<Waiting>, table) {
    return this.list()
      .filter(({ paths, mode }) => table.obstacleToLock(paths, mode) === undefined)
      .toReversed();
  };
}

type Admit = ContextState["admit"];

export function leakingVoids(admit: Admit): Admit {
  return function leaking(this: ContextState, writes, now) {
    return admit.call(this, writes, now).map((verdict, at) => {
      const write = writes[at];
      if (verdict.kind !== "refused" || verdict.instead === undefined || write?.kind !== "update") return verdict;
      return { ...verdict, instead: { ...verdict.instead, update: write.update } };
    });
  };
}
