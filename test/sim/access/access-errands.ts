/**
 * What admins do with rights, and what others try: lists are replaced, tokens revoked, others' locks released by force, all
 * while everybody is at work.
 */
import { ServiceError } from "../../../shared/errors.ts";
import type { ContextId } from "../../../shared/ids.ts";
import type { Acl } from "../../../shared/permission.ts";
import type { Caller } from "../../../server/context-service.ts";
import type { Random } from "../random.ts";
import type { World } from "../world.ts";
import { tokenIdOf } from "./token-office.ts";

interface Desk {
  readonly world: World;
  readonly caller: Caller;
}

interface ContextDesk extends Desk {
  readonly contextId: ContextId;
}

const RETRY_MS = 250;
const TRIES_MAX = 60;

/** Never rejects. Who may not is refused once. */
export async function setList(
  { world, caller, contextId }: ContextDesk,
  acl: Acl,
  triesMax = TRIES_MAX,
): Promise<void> {
  const { actor } = caller.identity;
  const { access } = world.ledger(contextId);
  for (let tries = 1; tries <= triesMax; tries++) {
    world.note(`${actor} sets a list: ${JSON.stringify(acl.grants)}`);
    const asked = access.asks();
    const outcome = await world
      .call(
        (service) => service.access.setAcl(caller, contextId, acl),
        (answer) => {
          if (!(answer instanceof ServiceError)) asked.set(acl);
        },
      )
      .catch(errorOf);
    if (!(outcome instanceof ServiceError)) return world.note("the list is set");
    asked.lost();
    if (outcome.code === "FORBIDDEN" || outcome.code === "CONTEXT_NOT_FOUND") return;
    await new Promise<void>((resolve) => world.after(RETRY_MS, resolve));
  }
}

/** When all who set lists before have been answered. Never rejects. */
export async function setLastList(desk: ContextDesk, acl: Acl): Promise<void> {
  const { world, contextId } = desk;
  while (world.ledger(contextId).access.isChanging)
    await new Promise<void>((resolve) => world.after(RETRY_MS, resolve));
  await setList(desk, acl);
}

/** Never rejects. */
export async function revokeToken({ world, caller }: Desk, random: Random): Promise<void> {
  const token = random.pick(world.tokens);
  if (token === undefined) return;
  world.note(`${tokenIdOf(token)} is revoked`);
  world.office?.revokes(token, false);
  await world
    .ask(
      ({ tokens }) => tokens.revoke(caller, { tokenId: tokenIdOf(token) }),
      (answer) => {
        if (!(answer instanceof ServiceError)) world.office?.revokes(token, true);
      },
    )
    .catch(errorOf);
}

/** Never rejects. */
export async function forceRelease({ world, caller, contextId }: ContextDesk, random: Random): Promise<void> {
  const { locks } = world.ledger(contextId);
  const lock = random.pick(locks.held);
  if (lock === undefined) return;
  locks.forces(lock, caller.identity.actor);
  world.note(`${caller.identity.actor} releases ${lock.lockId} by force`);
  await world
    .call(
      (service) => service.locks.release(caller, contextId, lock.lockId, { isForced: true }),
      () => undefined,
    )
    .catch(errorOf);
}

function errorOf(error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  throw error;
}
