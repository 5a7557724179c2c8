/**
 * A context in memory as the use cases of locks see it.
 *
 * Not here: what they do with it (use-cases/locks.ts), when locks end by themselves (lock-clock.ts).
 */
import type { Caller } from "../context-service.ts";
import type { LiveContext, WriteResult } from "../state/state-manager.ts";
import type { Write } from "../state/writes.ts";
import type { LockContext } from "../use-cases/locks.ts";
import type { PendingWrite } from "./write-path.ts";

type Live = LiveContext<PendingWrite>;

/** `queued` queues a write; its answer comes when it is durable. */
export function lockContextOf(
  live: Live,
  { identity, origin, leases }: Caller,
  queued: (live: Live, write: Write) => Promise<WriteResult>,
): LockContext {
  const { actor } = identity;
  const holder = leases === undefined ? {} : { leases };
  return {
    desk: live.state.locks,
    durable: () => live.durable,
    write: (event, isForced = false) =>
      queued(live, { kind: "lock", actor, identity, origin, event, isForced, ...holder }),
  };
}
