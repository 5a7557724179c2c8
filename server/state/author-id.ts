/**
 * The Yjs client ids under which servers write into a context: one for each server and epoch of the context.
 *
 * Sharing one would let two servers use the same clocks; keeping one across epochs would let a replica of an old epoch
 * take the new epoch's content for its own. Nothing is shown before it is durable, so a crash reuses no clock.
 *
 * The servers of one database stand in a row: the ids of a context's servers are neighbours, so that each knows the others'.
 */
import type { ContextMeta } from "../../shared/context.ts";

/** So many servers may have a place at once. */
export const NODE_SLOTS = 64;

type Salted = Pick<ContextMeta, "authorSalt">;

/** Of the server in this place; whoever makes a new document takes the first one's. */
export function authorIdOf(nodeClientId: number, salted: Salted, slot = 0): number {
  const start = startOf(nodeClientId, salted);
  const id = (start + slot) >>> 0;
  // 0 reads as "not known" in places, and is passed over
  return id === 0 || id < start || start === 0 ? id + 1 : id;
}

export function isAuthorId(client: number, nodeClientId: number, salted: Salted): boolean {
  return (client - startOf(nodeClientId, salted)) >>> 0 <= NODE_SLOTS;
}

function startOf(nodeClientId: number, { authorSalt }: Salted): number {
  return (nodeClientId + authorSalt) >>> 0;
}
