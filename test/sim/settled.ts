/**
 * What must be true some time after the last fault.
 *
 *  S1   every replica equals the log: content, clocks and deletions
 *  S7   nobody sees who is gone
 *  S9   the server is up and ready, everybody is connected and synced, nothing waits for an answer
 */
import { viewOf } from "./replica-view.ts";
import { ExtendedClient } from "./extended-client.ts";
import type { SimClient } from "./sim-client.ts";
import type { Stage } from "./stage.ts";
import type { World } from "./world.ts";

export function checkSettled({ world, clients, callers, contexts, nature }: Stage): void {
  if (!world.isUp) return world.violate("S9", "the server is not up");
  for (const reason of world.readiness()) world.violate("S9", reason);
  for (const client of clients) checkClient(world, client);
  for (const caller of callers) {
    if (!caller.isAnswered) world.violate("S9", "a request is not answered");
    const version = world.audit(caller.contextId)?.version ?? 0;
    if (caller.fed !== version) world.violate("S9 CTX-4", `a feed stands at version ${caller.fed} of ${version}`);
  }
  // a context that falls out of memory, as its locks end and hardly anything may wait for the disk, has them until it is loaded
  const haveLocksEnded = nature.limits.appendQueueBytesMax === undefined;
  for (const id of contexts) world.audit(id)?.checkSettled({ haveLocksEnded });
}

function checkClient(world: World, client: SimClient): void {
  const { name, contextId } = client.identity;
  if (!client.isConnected || !client.isSynced) return world.violate("S9", `${name} is not synced`);
  if (!client.isSaved) return world.violate("S9", `${name} waits for acks or answers`);
  if (client instanceof ExtendedClient && client.locks?.isIdle === false)
    return world.violate("S9 LOCK-8", `${name} has not done with its locks`);
  const log = world.audit(contextId)?.doc;
  if (log !== undefined && viewOf(client.doc) !== viewOf(log))
    world.violate("S1", `${name} says ${JSON.stringify(client.doc.toJSON())}, the log ${JSON.stringify(log.toJSON())}`);
}

/** After the time to live of presence: everybody sees exactly those who are there. */
export function checkPresence({ world, clients }: Stage): void {
  for (const client of clients.filter((it) => it.isHere)) {
    const { name, contextId } = client.identity;
    if (!client.isSynced) world.violate("S9", `${name} is not synced`);
    const here = clients.filter((it) => it.isHere && it.identity.contextId === contextId && !it.identity.isShy);
    const expected = here.map((it) => it.identity.yjsClientId);
    const seen = [...client.awareness.getStates().keys()];
    const describe = (ids: readonly number[]): string => ids.toSorted((a, b) => a - b).join();
    if (describe(expected) !== describe(seen))
      world.violate("S7 PRES-3", `${name} sees ${describe(seen)}, here are ${describe(expected)}`);
  }
}
