/** Runs on the worker thread of recreation-pool.ts, which calls these by their names. */
import { recreateState } from "../state/compaction.ts";
import type { NewDocument, OldDocument } from "../state/compaction.ts";

/** Whoever gets an answer knows that the thread is there, with all that it needs. */
export function ready(): void {}

export function recreate(old: OldDocument): NewDocument {
  return recreateState(old);
}
