/**
 * Answers the requests of live sessions: the same use cases as REST, and the locks that a session takes are its own.
 *
 * Not here: their form on the wire (sync/requests.ts).
 */
import type { ContextId } from "../../shared/ids.ts";
import type { Json } from "../../shared/json.ts";
import { lockView } from "../../shared/protocol/lock-view.ts";
import type { Caller, ContextService } from "../context-service.ts";
import type { SessionRequest } from "../sync/requests.ts";
import type { SessionLeases } from "../sync/session-leases.ts";

interface Asker {
  readonly caller: Caller;
  readonly id: ContextId;
  /** The locks that the session took. */
  readonly leases: SessionLeases;
}

type Answerable = Exclude<SessionRequest, { method: "release-client-id" }>;

export async function answerRequest(
  service: Pick<ContextService, "change" | "locks">,
  { caller, id, leases }: Asker,
  request: Answerable,
): Promise<Json> {
  const holder = { ...caller, leases };
  switch (request.method) {
    case "ping":
      return {};
    case "change": {
      const { version, seq, paths, replayed } = await service.change(caller, id, request.change);
      return { version, seq, paths, replayed };
    }
    case "lock": {
      const { signal, end } = leases.asking(request.lock.lockId);
      return service.locks
        .acquire(holder, id, { ...request.lock, signal })
        .then(lockView)
        .finally(end);
    }
    case "renew-lock": {
      const { lockId, fencingToken, paths } = request;
      leases.assertRoom(lockId);
      if (fencingToken !== undefined && paths !== undefined) leases.add({ lockId, fencingToken, paths });
      return lockView(await service.locks.renew(holder, id, lockId, request));
    }
    case "unlock":
      break;
  }
  leases.stopAsking(request.lockId);
  await service.locks.release(holder, id, request.lockId);
  return {};
}
