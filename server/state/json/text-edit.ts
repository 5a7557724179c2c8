/**
 * Small edits of text: finding the one passage, and the least edit that turns one string into another.
 *
 * Invariants (JSON):
 *  1. Offsets are UTF-16 units, the same in the string that `textOf` (shared/yjs-values.ts) gives and in the Yjs type:
 *     an embedded object counts as one and reads as U+FFFC.
 *  2. An edit never begins or ends inside a surrogate pair: Yjs would replace both halves by U+FFFD.
 *  3. What old and new have in common at either end is not edited, so that others' concurrent edits there survive.
 *
 * Not here: refusals and their words (json-changes.ts).
 */
import type * as Y from "yjs";

/** Delete `deleteCount` units at `index`, then insert there. */
export interface TextEdit {
  readonly index: number;
  readonly deleteCount: number;
  readonly insert: string;
}

/** Where the passage occurs; overlapping occurrences count, so "aa" is in "aaa" more than once. */
export function occurrenceOf(passage: string, text: string): number | "none" | "several" {
  const first = text.indexOf(passage);
  if (first < 0) return "none";
  return text.includes(passage, first + 1) ? "several" : first;
}

/** The edit that turns `before` into `after`; undefined when they are equal. */
export function leastEdit(before: string, after: string): TextEdit | undefined {
  if (before === after) return undefined;
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before.charCodeAt(start) === after.charCodeAt(start)) start++;
  // whole characters all, so the other string would be split in the same place
  if (splitsPair(before, start)) start--;
  let tail = 0;
  while (
    tail < shorter - start &&
    before.charCodeAt(before.length - 1 - tail) === after.charCodeAt(after.length - 1 - tail)
  )
    tail++;
  if (splitsPair(before, before.length - tail)) tail--;
  return { index: start, deleteCount: before.length - tail - start, insert: after.slice(start, after.length - tail) };
}

export function editedString(text: string, edit: TextEdit): string {
  return text.slice(0, edit.index) + edit.insert + text.slice(edit.index + edit.deleteCount);
}

/** An attached text changes at once; one that is not in a document yet remembers the edit. */
export function applyTextEdit(text: Y.Text, edit: TextEdit): void {
  if (edit.deleteCount > 0) text.delete(edit.index, edit.deleteCount);
  if (edit.insert !== "") text.insert(edit.index, edit.insert);
}

function splitsPair(text: string, index: number): boolean {
  return isSurrogate(text.charCodeAt(index - 1), 0xd800) && isSurrogate(text.charCodeAt(index), 0xdc00);
}

function isSurrogate(unit: number, base: 0xd800 | 0xdc00): boolean {
  return (unit & 0xfc00) === base;
}
