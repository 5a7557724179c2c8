/** Runs on the worker thread of recreation-pool.ts, which calls `recreate` by its name. */
import { recreateState } from "../state/compaction.ts";
import type { NewDocument, OldDocument } from "../state/compaction.ts";

export function recreate(old: OldDocument): NewDocument {
  return recreateState(old);
}
