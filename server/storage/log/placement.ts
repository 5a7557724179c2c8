/**
 * Entries on their way in: are they sound, does their guard hold, which place do they get.
 *
 * Not here: what is written (commit-encoder.ts).
 */
import { ok as assert } from "node:assert/strict";
import type { ContextHead, ContextMeta } from "../../../shared/context.ts";
import type { Guard, LogEntry, NewEntry } from "../change-log.ts";
import { withRare } from "./entry-codec.ts";
import type { CommitSize } from "./group-commit.ts";

/** What an entry takes beside its update, roughly; for the bounds of batch and queue. */
const ENTRY_OVERHEAD_BYTES = 128;

/** Programmer errors must show here, not in the commit, where they would stop the log. */
export function assertEntries(entries: readonly NewEntry[]): void {
  assert(entries.length > 0, "an append has at least one entry");
  for (const { kind, atMs, authorSalt, lock, meta } of entries) {
    assert(Number.isSafeInteger(atMs) && atMs >= 0, "atMs is a whole number of milliseconds");
    assert((kind === "epoch") === (authorSalt !== undefined), "an epoch entry has a salt, no other has");
    assert((kind === "lock") === (lock !== undefined), "a lock entry has an event, no other has");
    assert((kind === "meta") === (meta !== undefined), "a meta entry says what changes, no other does");
  }
}

export function sizeOfEntries(entries: readonly NewEntry[]): CommitSize {
  let bytes = 0;
  for (const entry of entries) bytes += entry.update.length + ENTRY_OVERHEAD_BYTES;
  return { entries: entries.length, bytes };
}

export function holds(guard: Guard, head: ContextHead): boolean {
  return "seq" in guard ? guard.seq === head.seq : guard.lockSeq === head.lockSeq;
}

/** Whether what is admitted after the entry was to be judged with it in place (`ContextHead.lockSeq`). */
export function altersAdmission({ kind }: Pick<NewEntry, "kind">): boolean {
  return kind === "epoch" || kind === "lock" || kind === "meta";
}

export interface Placement {
  readonly entries: readonly LogEntry[];
  /** The head after them. */
  readonly head: ContextHead;
  /** The metadata after them: the same object unless an epoch began or a meta entry changed it. */
  readonly meta: ContextMeta;
}

/** Gives each entry its place. */
export function place(
  entries: readonly NewEntry[],
  before: { readonly head: ContextHead; readonly meta: ContextMeta },
): Placement {
  let { seq, version, lockSeq, updatedAtMs } = before.head;
  let { meta } = before;
  const placed = entries.map((entry) => {
    const { kind, actor, atMs, origin, paths, update, message, resolves, authorSalt, lock, meta: news } = entry;
    seq++;
    if (kind === "change") version++;
    if (altersAdmission(entry)) lockSeq = seq;
    if (kind === "epoch") meta = { ...meta, epoch: meta.epoch + 1, authorSalt: authorSalt ?? 0 };
    if (news !== undefined) meta = { ...meta, ...news };
    // locks, permissions and refused edits update nothing
    if (kind === "change" || kind === "epoch") updatedAtMs = Math.max(updatedAtMs, atMs);
    return withRare(
      { kind, seq, version, actor, atMs, origin, paths, update },
      { message, resolves, authorSalt, lock, meta: news },
    );
  });
  return { entries: placed, head: { seq, version, lockSeq, updatedAtMs }, meta };
}
