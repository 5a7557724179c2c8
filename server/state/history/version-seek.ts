/**
 * Where in a log a version was made.
 *
 * Version and `seq - version` both only grow along a log, so a version lies between two positions whose distance is the
 * number of entries in between that are no changes. With none of them the answer is arithmetic; else it is searched for.
 *
 * Not here: reading the log, and whether a version is still kept (server/history/version-places.ts).
 */
import type { ContextHead } from "../../../shared/context.ts";

/** A position of the log and the context's version there. */
export type LogPlace = Pick<ContextHead, "seq" | "version">;

/**
 * The first position at which the context had this version: that of the change that made it, or `base`.
 * @param version base.version <= version <= head.version
 * @param placeAt the entry with this seq, which is there for base.seq < seq <= head.seq; called at most
 * 1 + log2(entries that are no changes) times
 */
export async function seekVersion(
  version: number,
  { base, head }: { readonly base: LogPlace; readonly head: LogPlace },
  placeAt: (seq: number) => Promise<LogPlace>,
): Promise<number> {
  if (version <= base.version) return base.seq;
  let low = base.seq + (version - base.version);
  let high = head.seq - (head.version - version);
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const found = await placeAt(middle);
    if (found.version >= version) {
      high = Math.min(middle, found.seq);
    } else {
      // at least one entry for each version that is still missing
      low = middle + (version - found.version);
    }
  }
  return high;
}
