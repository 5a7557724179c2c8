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

interface Edit {
  readonly entry: PendingUpdate;
  readonly update: Uint8Array;
  readonly isLastOfEntry: boolean;
}

/**
 * Resolves, in the turn in which that is so, when nothing is pending any more.
 * @throws {RescueOver} what is pending then stays
 */
export async function carryOver(
  old: KeepingDoc,
  pending: PendingUpdates,
  target: RescueTarget,
  refuse: (entry: PendingUpdate, update: Uint8Array, error: ServiceError) => void,
): Promise<void> {
  for (let round = 0; !pending.isEmpty; round++) {
    const entries = [...pending.entries];
    const edits = entries.flatMap(editsOf);
    if (round === ROUNDS_MAX) {
      for (const { entry, update } of edits) refuse(entry, update, tooFast());
      for (const entry of entries) pending.done(entry);
      return;
    }
    const refused = new Set<PendingUpdate>();
    const document = new OldDocument(
      old.doc,
      edits.map(({ update }) => update),
    );
    const rescue = new Rescue(document, target, {
      carried: (from, to) => {
        for (const { entry, isLastOfEntry } of edits.slice(from, to))
          if (isLastOfEntry && !refused.has(entry)) pending.done(entry);
      },
      refused: (index, error) => {
        const edit = edits[index];
        if (edit === undefined) return;
        refused.add(edit.entry);
        refuse(edit.entry, edit.update, error);
      },
    });
    // edits are sent in order, so those that were sent come first
    await rescue.run(edits.findLastIndex(({ entry }) => entry.wasSent) + 1);
    for (const entry of entries) pending.done(entry);
  }
}

function editsOf(entry: PendingUpdate): Edit[] {
  const updates = entry.loadedEdits ?? [entry.update];
  return updates.map((update, index) => ({ entry, update, isLastOfEntry: index === updates.length - 1 }));
}

function tooFast(): ServiceError {
  return new ServiceError(
    "EPOCH_CHANGED",
    "The context was compacted, and edits came faster than they could be carried over. Make this one again.",
  );
}
