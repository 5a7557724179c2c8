/**
 * What a context's index of last writers does not reach back to, read from the log: for preconditions on an old version.
 *
 * Not here: the judgement (state/precondition.ts).
 */
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Precondition } from "../state/precondition.ts";
import { TouchIndex } from "../state/touch-index.ts";
import type { LogEntry } from "../storage/change-log.ts";

interface Log {
  read(id: ContextId, afterSeq: number, limit: number): Promise<readonly LogEntry[]>;
}

/**
 * The changes with `after` < version <= `upTo`; undefined when these are too many to look through, or none. The index's
 * floor says from which version on it knows them all: history may have been thinned.
 */
export async function olderTouches(
  log: Log,
  id: ContextId,
  { after, upTo }: { readonly after: number; readonly upTo: number },
): Promise<Precondition["older"]> {
  if (after >= upTo || upTo - after > LIMITS.preconditionChangesMax) return undefined;
  let index: TouchIndex | undefined;
  // a change's seq is at least its version, so nothing before this position can be meant
  for (let afterSeq = after; ;) {
    const entries = await log.read(id, afterSeq, LIMITS.listLimitMax);
    for (const entry of entries) {
      afterSeq = entry.seq;
      if (entry.version > upTo) return index && { index, upTo };
      if (entry.kind !== "change" || entry.version <= after) continue;
      index ??= new TouchIndex(entry.version - 1, Infinity);
      index.record(entry.paths, entry);
    }
    if (entries.length < LIMITS.listLimitMax) return index && { index, upTo };
  }
}
