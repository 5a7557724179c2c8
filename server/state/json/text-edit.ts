/**
 * Small edits of text: finding the one passage, and the few edits that turn one string into another.
 *
 * Invariants (JSON):
 *  1. Offsets are UTF-16 units, the same in the string that `textOf` (shared/yjs-values.ts) gives and in the Yjs type:
 *     an embedded object counts as one and reads as U+FFFC.
 *  2. An edit never begins or ends inside a surrogate pair: Yjs would replace both halves by U+FFFD.
 *  3. What old and new have in common is not edited, so that others' concurrent edits there survive. A few characters
 *     between longer edits are no such thing: they are equal by chance, and go with these.
 *  4. Work is bounded: beyond `textDiffStepsMax` a passage is edited as one.
 *
 * Not here: refusals and their words (json-changes.ts).
 */
import type * as Y from "yjs";
import { LIMITS } from "../../../shared/limits.ts";
import { commonRuns } from "../../../shared/sequence-match.ts";

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

/** The one edit that turns `before` into `after`; undefined when they are equal. */
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

/**
 * The edits that turn `before` into `after`, each on the result of the one before it, from the end of the text to its
 * beginning (so that the indices are those of `before`, too).
 */
export function leastEdits(before: string, after: string): readonly TextEdit[] {
  const outer = leastEdit(before, after);
  if (outer === undefined) return [];
  const whole = { from: outer.index, to: outer.index + outer.deleteCount, insert: outer.insert };
  return changesWithin(before, whole)
    .map(({ from, to, insert }) => ({ index: from, deleteCount: to - from, insert }))
    .reverse();
}

export function editedString(text: string, edit: TextEdit): string {
  return text.slice(0, edit.index) + edit.insert + text.slice(edit.index + edit.deleteCount);
}

/** An attached text changes at once; one that is not in a document yet remembers the edit. */
export function applyTextEdit(text: Y.Text, edit: TextEdit): void {
  if (edit.deleteCount > 0) text.delete(edit.index, edit.deleteCount);
  if (edit.insert !== "") text.insert(edit.index, edit.insert);
}

/** Units of the old text, from an index to another, that become `insert`. */
interface Change {
  readonly from: number;
  readonly to: number;
  readonly insert: string;
}

/** First which lines stay, then what stays in the lines that changed: a long new paragraph is one step, not thousands. */
function changesWithin(before: string, whole: Change): Change[] {
  const lines = new Map<string, number>();
  const byLine = refined(before, whole, (text) => linesOf(text, lines), LIMITS.textDiffStepsMax);
  if (byLine === undefined) return [whole];
  const stepsMax = Math.floor(LIMITS.textDiffStepsMax / byLine.length);
  return joined(
    before,
    byLine.flatMap((change) => refined(before, change, charactersOf, stepsMax) ?? [change]),
  );
}

/** A text in parts: a number for each, the same for equal ones, and where it starts; and where the last ends. */
interface Parts {
  readonly numbers: ArrayLike<number>;
  readonly starts: ArrayLike<number>;
}

/** What one change comes to when the parts that both sides share stay; undefined when that takes too many steps. */
function refined(
  before: string,
  change: Change,
  split: (text: string) => Parts,
  stepsMax: number,
): Change[] | undefined {
  if (change.from === change.to || change.insert === "") return [change];
  const [old, wanted] = [split(before.slice(change.from, change.to)), split(change.insert)];
  const found = commonRuns(old.numbers, wanted.numbers, stepsMax);
  if (found === undefined) return undefined;
  const changes: Change[] = [];
  let [oldAt, wantedAt] = [0, 0];
  const end = { aStart: old.numbers.length, bStart: wanted.numbers.length, length: 0 };
  for (const { aStart, bStart, length } of [...found.runs, end]) {
    if (aStart > oldAt || bStart > wantedAt) {
      changes.push({
        from: change.from + startOf(old, oldAt),
        to: change.from + startOf(old, aStart),
        insert: change.insert.slice(startOf(wanted, wantedAt), startOf(wanted, bStart)),
      });
    }
    [oldAt, wantedAt] = [aStart + length, bStart + length];
  }
  return changes;
}

function linesOf(text: string, known: Map<string, number>): Parts {
  const numbers: number[] = [];
  const starts = [0];
  for (let start = 0; start < text.length; start = starts.at(-1) ?? 0) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline + 1;
    const line = text.slice(start, end);
    const number = known.get(line) ?? known.size;
    known.set(line, number);
    numbers.push(number);
    starts.push(end);
  }
  return { numbers, starts };
}

function charactersOf(text: string): Parts {
  const numbers = new Int32Array(text.length);
  const starts = new Int32Array(text.length + 1);
  let count = 0;
  for (let start = 0; start < text.length; count++) {
    const character = text.codePointAt(start) ?? 0;
    numbers[count] = character;
    starts[count] = start;
    start += character > 0xffff ? 2 : 1;
  }
  starts[count] = text.length;
  return { numbers: numbers.subarray(0, count), starts };
}

/** So many characters that stay between two changes are there by chance, when the changes are as long. */
const CHANCE_CHARS_MAX = 4;

function joined(before: string, changes: readonly Change[]): Change[] {
  const result: Change[] = [];
  for (const change of changes) {
    const last = result.at(-1);
    const kept = last === undefined ? Infinity : change.from - last.to;
    if (last === undefined || kept > Math.min(CHANCE_CHARS_MAX, sizeOf(last), sizeOf(change))) {
      result.push(change);
    } else {
      const insert = last.insert + before.slice(last.to, change.from) + change.insert;
      result[result.length - 1] = { from: last.from, to: change.to, insert };
    }
  }
  return result;
}

function sizeOf(change: Change): number {
  return Math.max(change.to - change.from, change.insert.length);
}

function startOf(parts: Parts, index: number): number {
  return parts.starts[index] ?? 0;
}

function splitsPair(text: string, index: number): boolean {
  return isSurrogate(text.charCodeAt(index - 1), 0xd800) && isSurrogate(text.charCodeAt(index), 0xdc00);
}

function isSurrogate(unit: number, base: 0xd800 | 0xdc00): boolean {
  return (unit & 0xfc00) === base;
}
