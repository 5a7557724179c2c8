/**
 * The handlers of a context's locks.
 *
 * A request that waits for a lock is held open; when its client goes away it does not wait any more (REST-38).
 *
 * Not here: who gets a lock (the facade's `locks`), the Lock-Token header (preconditions.ts).
 */
import { parsePath } from "../../../shared/path.ts";
import { heldLockView, lockView, lockWaiterView } from "../../../shared/protocol/lock-view.ts";
import { lockRequestSchema, releaseQuerySchema, renewRequestSchema } from "../../../shared/protocol/rest-locks.ts";
import { noQuerySchema } from "../../../shared/protocol/rest.ts";
import { contextIdOf, json, noContent } from "./call.ts";
import type { Call, RestHandler, RestParts } from "./call.ts";
import { parseQuery, readBody } from "./request.ts";

export const lockHandlers = { held, list, acquire, renew, release } satisfies Record<string, RestHandler>;

async function held({ service }: RestParts, { request, caller }: Call): Promise<Response> {
  parseQuery(noQuerySchema, request.url);
  const locks = await service.locks.held(caller);
  return json({ locks: locks.map(heldLockView) });
}

async function list({ service }: RestParts, call: Call): Promise<Response> {
  parseQuery(noQuerySchema, call.request.url);
  const id = contextIdOf(call);
  // asked in one turn: nobody is told of as holding and waiting, or as neither
  const [locks, waiting] = await Promise.all([
    service.locks.list(call.caller, id),
    service.locks.waiting(call.caller, id),
  ]);
  return json({ locks: locks.map(lockView), waiting: waiting.map(lockWaiterView) });
}

async function acquire({ service }: RestParts, call: Call): Promise<Response> {
  const id = contextIdOf(call);
  parseQuery(noQuerySchema, call.request.url);
  const body = await readBody(lockRequestSchema, call.request);
  for (const path of body.paths) parsePath(path);
  const lock = await service.locks.acquire(call.caller, id, { ...body, signal: call.request.signal });
  return json(lockView(lock), { status: 201, headers: { location: `/v1/contexts/${id}/locks/${lock.lockId}` } });
}

async function renew({ service }: RestParts, call: Call): Promise<Response> {
  const id = contextIdOf(call);
  parseQuery(noQuerySchema, call.request.url);
  const options = await readBody(renewRequestSchema, call.request);
  return json(lockView(await service.locks.renew(call.caller, id, call.param("lockId"), options)));
}

async function release({ service }: RestParts, call: Call): Promise<Response> {
  const id = contextIdOf(call);
  const { force } = parseQuery(releaseQuerySchema, call.request.url);
  await service.locks.release(call.caller, id, call.param("lockId"), { isForced: force === "true" });
  return noContent();
}
