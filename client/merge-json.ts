/**
 * Three JSON values, merged: what we made of `before`, put on top of what others made of it.
 *
 * Invariants:
 *  1. What others wrote is never undone: where both changed the same place differently, there is no merge (undefined).
 *  2. What we did is in the result exactly once, provided that `theirs` has none of it. When that is not certain
 *     (`strict`), a place must read as before or as ours; then it is.
 *
 * A place is a member of an object; a text or list is one place, and merged when each side changed another part of it.
 *
 * Not here: what the values are read from (rescue.ts).
 */
import { sameJson } from "../shared/json-equality.ts";
import { TEXT_MARK, markOf } from "../shared/json-marks.ts";
import { isJsonObject } from "../shared/json.ts";
import type { Json, JsonObject } from "../shared/json.ts";
import { LIMITS } from "../shared/limits.ts";
import { setOwn } from "../shared/value-json.ts";

export interface Versions {
  readonly before: Json;
  readonly ours: Json;
  readonly theirs: Json;
}

/** A place of which there may be nothing on some side. */
type Place = { readonly [Side in keyof Versions]: Json | undefined };

/** The merged value, wrapped: undefined within is "nothing there". */
interface Merged {
  readonly value: Json | undefined;
}

/** Undefined when both sides changed the same place. */
export function mergeJson(versions: Versions, options: { readonly isStrict: boolean }): Json | undefined {
  return mergePlace(versions, options.isStrict)?.value;
}

function mergePlace(place: Place, isStrict: boolean): Merged | undefined {
  const { before, ours, theirs } = place;
  if (same(ours, before) || same(ours, theirs)) return { value: theirs };
  if (same(theirs, before)) return { value: ours };
  if (isPlain(ours) && isPlain(theirs) && (before === undefined || isPlain(before)))
    return mergeMembers({ before: before ?? {}, ours, theirs }, isStrict);
  return isStrict ? undefined : mergeSequences(place);
}

function mergeMembers(
  { before, ours, theirs }: { readonly [Side in keyof Versions]: JsonObject },
  isStrict: boolean,
): Merged | undefined {
  const merged: Record<string, Json> = {};
  for (const key of new Set([...Object.keys(theirs), ...Object.keys(ours)])) {
    const place = { before: own(before, key), ours: own(ours, key), theirs: own(theirs, key) };
    const member = mergePlace(place, isStrict);
    if (member === undefined) return undefined;
    if (member.value !== undefined) setOwn(merged, key, member.value);
  }
  return { value: merged };
}

function mergeSequences({ before, ours, theirs }: Place): Merged | undefined {
  if (Array.isArray(before) && Array.isArray(ours) && Array.isArray(theirs)) {
    const graft = graftOf<Json>({ before, ours, theirs }, same, () => true);
    if (graft === undefined) return undefined;
    return {
      value: [...theirs.slice(0, graft.from), ...ours.slice(graft.start, graft.end), ...theirs.slice(graft.to)],
    };
  }
  const [base, mine, other] = [textOf(before), textOf(ours), textOf(theirs)];
  if (base === undefined || mine === undefined || other === undefined) return undefined;
  const graft = graftOf({ before: base, ours: mine, theirs: other }, (a, b) => a === b, endsWord);
  if (graft === undefined) return undefined;
  const text = other.slice(0, graft.from) + mine.slice(graft.start, graft.end) + other.slice(graft.to);
  return { value: { [TEXT_MARK]: text } };
}

/** `start` to `end` of ours goes where `from` to `to` of theirs is. */
interface Graft {
  readonly start: number;
  readonly end: number;
  readonly from: number;
  readonly to: number;
}

/** How elements compare, and after which of them something new begins (a word, a line). */
type IsSame<Element> = (a: Element | undefined, b: Element | undefined) => boolean;
type IsBreak<Element> = (element: Element) => boolean;

/** Undefined when the two sides changed parts that overlap. Of insertions at one point ours comes first. */
function graftOf<Element>(
  { before, ours, theirs }: { readonly [Side in keyof Versions]: ArrayLike<Element> },
  isSame: IsSame<Element>,
  isBreak: IsBreak<Element>,
): Graft | undefined {
  const { start, end } = changedPart(before, ours, isSame, isBreak);
  const other = changedPart(before, theirs, isSame, isBreak);
  const graft = { start, end: ours.length - (before.length - end) };
  if (end <= other.start) return { ...graft, from: start, to: end };
  const shift = theirs.length - before.length;
  return start < other.end ? undefined : { ...graft, from: start + shift, to: end + shift };
}

/** What of `before` is not common to both at their ends, in whole words. */
function changedPart<Element>(
  before: ArrayLike<Element>,
  after: ArrayLike<Element>,
  isSame: IsSame<Element>,
  isBreak: IsBreak<Element>,
): { readonly start: number; readonly end: number } {
  let start = startOfChange(before, after, isSame, isBreak);
  let end = before.length - commonTail(before, after, start, isSame);
  const isBorder = (at: number): boolean => {
    const previous = before[at - 1];
    return previous === undefined || isBreak(previous);
  };
  while (!isBorder(start)) start--;
  while (end < before.length && !isBorder(end)) end++;
  return { start, end };
}

/**
 * Where the first difference is. Of something that was only inserted or removed, several places tell the same ("a b" in
 * "a a b" is an "a " before or " a" after the first): the one where a word begins is what a person meant.
 */
function startOfChange<Element>(
  before: ArrayLike<Element>,
  after: ArrayLike<Element>,
  isSame: IsSame<Element>,
  isBreak: IsBreak<Element>,
): number {
  const [shorter, longer] = before.length < after.length ? [before, after] : [after, before];
  let first = 0;
  while (first < shorter.length && isSame(before[first], after[first])) first++;
  const length = longer.length - shorter.length;
  if (commonTail(before, after, first, isSame) < shorter.length - first) return first;
  for (let at = first; at >= 0 && at + length <= longer.length; at--) {
    const previous = longer[at - 1];
    if (previous === undefined || isBreak(previous)) return at;
    if (!isSame(previous, longer[at + length - 1])) break;
  }
  return first;
}

/** How many elements are the same at both ends, not counting what is before `start`. */
function commonTail<Element>(
  before: ArrayLike<Element>,
  after: ArrayLike<Element>,
  start: number,
  isSame: IsSame<Element>,
): number {
  const most = Math.min(before.length, after.length) - start;
  let tail = 0;
  while (tail < most && isSame(before[before.length - 1 - tail], after[after.length - 1 - tail])) tail++;
  return tail;
}

/** Punctuation, blanks, and characters of scripts that write without blanks; no half of a surrogate pair is parted. */
function endsWord(unit: string): boolean {
  return /[\u2E80-\u9FFF\uAC00-\uD7AF\uF900-\uFAFF]/.test(unit) || !/[\p{L}\p{M}\p{N}_\uD800-\uDBFF]/u.test(unit);
}

function same(a: Json | undefined, b: Json | undefined): boolean {
  return sameJson(a, b, { left: LIMITS.diffStepsMax });
}

function isPlain(value: Json | undefined): value is JsonObject {
  return value !== undefined && isJsonObject(value) && markOf(value) === undefined;
}

function textOf(value: Json | undefined): string | undefined {
  if (value === undefined || !isJsonObject(value) || markOf(value) !== TEXT_MARK) return undefined;
  const text = value[TEXT_MARK];
  return typeof text === "string" ? text : undefined;
}

function own(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
