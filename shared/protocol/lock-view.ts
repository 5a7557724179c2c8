/**
 * Locks as they go over the wire: in REST answers and in events of mcm.v1.
 */
import { isoTime } from "../iso-time.ts";
import type { JsonObject } from "../json.ts";
import type { Lock, LockEvent } from "../lock.ts";
import type { HeldLockView, LockView } from "./rest-locks.ts";

type TimedLock = Lock & { readonly expiresAtMs: number };

/** `expiresAtMs` by the server's wall clock. */
export function lockView(lock: TimedLock): LockView & JsonObject {
  const { lockId, paths, mode, holder, purpose, fencingToken, ttlMs, expiresAtMs } = lock;
  const expiresAt = isoTime(expiresAtMs);
  const base = { lockId, paths: [...paths], mode, holder, fencingToken, ttlMs, expiresAt };
  return purpose === undefined ? base : { ...base, purpose };
}

export function heldLockView({
  contextId,
  lock,
}: {
  readonly contextId: string;
  readonly lock: TimedLock;
}): HeldLockView {
  return { contextId, ...lockView(lock) };
}

/** What happened to a lock, for those who look on. */
export function lockEventView(
  event: LockEvent,
  { actor, seq }: { readonly actor: string; readonly seq: number },
): JsonObject {
  return { type: "lock", seq, actor, ...event };
}
