/**
 * Locks as they go over the wire: in REST answers and in events of mcm.v1.
 */
import { isoTime } from "../iso-time.ts";
import type { JsonObject } from "../json.ts";
import type { GrantedLock, HeldLock, LockEvent, LockWaiter } from "../lock.ts";
import type { HeldLockView, LockView, LockWaiterView } from "./rest-locks.ts";

export function lockView(lock: GrantedLock): LockView & JsonObject {
  const { lockId, paths, mode, holder, purpose, fencingToken, ttlMs, expiresAtMs } = lock;
  const expiresAt = isoTime(expiresAtMs);
  const base = { lockId, paths: [...paths], mode, holder, fencingToken, ttlMs, expiresAt };
  return purpose === undefined ? base : { ...base, purpose };
}

export function heldLockView({ contextId, lock }: HeldLock): HeldLockView {
  return { contextId, ...lockView(lock) };
}

export function lockWaiterView({ paths, sinceMs, untilMs, ...rest }: LockWaiter): LockWaiterView {
  return { ...rest, paths: [...paths], since: isoTime(sinceMs), until: isoTime(untilMs) };
}

/** So many wait for locks now, and they are others than before. */
export function lockQueueEvent(waiting: number): JsonObject {
  return { type: "lock-queue", waiting };
}

/** What happened to a lock, for those who look on. */
export function lockEventView(
  event: LockEvent,
  { actor, seq }: { readonly actor: string; readonly seq: number },
): JsonObject {
  return { type: "lock", seq, actor, ...event };
}
