/**
 * The Yjs client id under which a server writes into a context: one for each server and epoch of the context.
 *
 * Sharing one would let two servers use the same clocks; keeping one across epochs would let a replica of an old epoch
 * take the new epoch's content for its own. Nothing is shown before it is durable, so a crash reuses no clock.
 */
import type { ContextMeta } from "../../shared/context.ts";

export function authorIdOf(nodeClientId: number, { authorSalt }: Pick<ContextMeta, "authorSalt">): number {
  const id = (nodeClientId + authorSalt) >>> 0;
  // 0 reads as "not known" in places
  return id === 0 ? 1 : id;
}
