/**
 * The passage from a document that was compacted away to the new one: until all of its unsaved edits are carried over, or
 * refused, the old document stays in view and may be edited on.
 *
 * Not here: how edits are carried (rescue.ts), the new document and its connection (replica.ts).
 */
import { ServiceError } from "../shared/errors.ts";
import type { KeepingDoc } from "./keeping-doc.ts";
import { OldDocument } from "./old-document.ts";
import type { PendingUpdate, PendingUpdates } from "./pending-updates.ts";
import { Rescue } from "./rescue.ts";
import type { RescueTarget } from "./rescue.ts";

/** Who edits faster than a round trip for so long is told so. */
const ROUNDS_MAX = 50;

/**
 * Resolves, in the turn in which that is so, when nothing is pending any more.
 * @throws {RescueOver} what is pending then stays
 */
export async function carryOver(
  old: KeepingDoc,
  pending: PendingUpdates,
  target: RescueTarget,
  refuse: (entry: PendingUpdate, error: ServiceError) => void,
): Promise<void> {
  for (let round = 0; !pending.isEmpty; round++) {
    const entries = [...pending.entries];
    if (round === ROUNDS_MAX) return entries.forEach((entry) => refuse(entry, tooFast()));
    const document = new OldDocument(
      old.doc,
      entries.map(({ update }) => update),
    );
    const rescue = new Rescue(document, target, {
      carried: (from, to) => entries.slice(from, to).forEach((entry) => pending.done(entry)),
      refused: (index, error) => entries.slice(index, index + 1).forEach((entry) => refuse(entry, error)),
    });
    // edits are sent in order, so those that were sent come first
    await rescue.run(entries.findLastIndex(({ wasSent }) => wasSent) + 1);
    for (const entry of entries) pending.done(entry);
  }
}

function tooFast(): ServiceError {
  return new ServiceError(
    "EPOCH_CHANGED",
    "The context was compacted, and edits came faster than they could be carried over. Make this one again.",
  );
}
