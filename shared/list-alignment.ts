/**
 * Which elements of one list are which of another: the equal ones, those changed in place, and those that came or went.
 *
 * Invariants (JDIFF):
 *  1. Taken in order, the steps name every element between the lists' common beginning and end once, in both lists.
 *  2. Work is counted in the budget; when it does not do, elements are paired in their order (`isRough`).
 *
 * Not here: what is done about a changed element (json-diff.ts).
 */
import { isJsonObject } from "./json.ts";
import type { Json } from "./json.ts";
import { markOf } from "./json-marks.ts";
import { canonicalJson, sameJson } from "./json-equality.ts";
import type { StepBudget } from "./json-equality.ts";
import { commonRuns } from "./sequence-match.ts";

/** Indices of an element; both when it stays, one when it went (`before`) or came (`after`). */
export interface AlignedStep {
  readonly before?: number;
  readonly after?: number;
  /** It stays, and is equal. */
  readonly isSame: boolean;
}

export interface Alignment {
  /** How many elements the lists have in common at their beginning; the steps follow on them. */
  readonly start: number;
  readonly steps: readonly AlignedStep[];
  readonly isRough: boolean;
}

/** What lies between elements that stay: both lists from an index up to another. */
interface Gap {
  readonly before: number;
  readonly beforeEnd: number;
  readonly after: number;
  readonly afterEnd: number;
}

export function alignLists(before: readonly Json[], after: readonly Json[], budget: StepBudget): Alignment {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && sameJson(before[start], after[start], budget)) start++;
  let tail = 0;
  while (tail < shorter - start && sameJson(before.at(-1 - tail), after.at(-1 - tail), budget)) tail++;
  const gap = { before: start, beforeEnd: before.length - tail, after: start, afterEnd: after.length - tail };
  const [beforeCount, afterCount] = [gap.beforeEnd - start, gap.afterEnd - start];
  if (beforeCount === 0 || afterCount === 0 || beforeCount + afterCount === 2)
    return { start, steps: inOrder(gap), isRough: false };
  const [numbersBefore, numbersAfter] = numbered(
    before.slice(start, gap.beforeEnd),
    after.slice(start, gap.afterEnd),
    budget,
  );
  const stepsMax = Math.max(0, Math.floor(budget.left / 2));
  const found = commonRuns(numbersBefore, numbersAfter, stepsMax);
  budget.left -= found === undefined ? stepsMax : found.steps;
  if (found === undefined) return { start, steps: inOrder(gap), isRough: true };
  const steps: AlignedStep[] = [];
  let [b, a] = [start, start];
  for (const run of [...found.runs, { aStart: beforeCount, bStart: afterCount, length: 0 }]) {
    const [bNext, aNext] = [start + run.aStart, start + run.bStart];
    steps.push(...paired(before, after, { before: b, beforeEnd: bNext, after: a, afterEnd: aNext }, budget));
    for (let i = 0; i < run.length; i++) steps.push({ before: bNext + i, after: aNext + i, isSame: true });
    [b, a] = [bNext + run.length, aNext + run.length];
  }
  return { start, steps, isRough: false };
}

/** A number for each element, the same for equal ones. */
function numbered(before: readonly Json[], after: readonly Json[], budget: StepBudget): [number[], number[]] {
  const numbers = new Map<string, number>();
  let unknown = 0;
  const numberOf = (value: Json): number => {
    const key = canonicalJson(value, budget);
    // what cannot be told equals nothing
    if (key === undefined) return --unknown;
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    return number;
  };
  return [before.map(numberOf), after.map(numberOf)];
}

/** First with first, second with second; the longer side's rest went or came. */
function inOrder(gap: Gap): AlignedStep[] {
  const steps: AlignedStep[] = [];
  let [before, after] = [gap.before, gap.after];
  while (before < gap.beforeEnd && after < gap.afterEnd)
    steps.push({ before: before++, after: after++, isSame: false });
  while (before < gap.beforeEnd) steps.push({ before: before++, isSame: false });
  while (after < gap.afterEnd) steps.push({ after: after++, isSame: false });
  return steps;
}

/**
 * The pairs, in order, that are most alike in sum. Even two that have nothing in common are worth pairing: one element
 * replaced is one operation, removing and adding are two.
 */
function paired(before: readonly Json[], after: readonly Json[], gap: Gap, budget: StepBudget): AlignedStep[] {
  const rows = gap.beforeEnd - gap.before;
  const columns = gap.afterEnd - gap.after;
  if (rows === 0 || columns === 0 || rows * columns === 1 || rows * columns > PAIRS_MAX) return inOrder(gap);
  const width = columns + 1;
  const pairWorth = new Float64Array(rows * columns);
  const best = new Float64Array((rows + 1) * width);
  for (let row = rows - 1; row >= 0; row--) {
    for (let column = columns - 1; column >= 0; column--) {
      const worth = PAIR_WORTH + likeness(before[gap.before + row], after[gap.after + column], budget);
      pairWorth[row * columns + column] = worth;
      best[row * width + column] = Math.max(
        worth + at(best, (row + 1) * width + column + 1),
        at(best, (row + 1) * width + column),
        at(best, row * width + column + 1),
      );
    }
  }
  const steps: AlignedStep[] = [];
  let [row, column] = [0, 0];
  while (row < rows && column < columns) {
    const here = at(best, row * width + column);
    if (here === at(pairWorth, row * columns + column) + at(best, (row + 1) * width + column + 1))
      steps.push({ before: gap.before + row++, after: gap.after + column++, isSame: false });
    else if (here === at(best, (row + 1) * width + column)) steps.push({ before: gap.before + row++, isSame: false });
    else steps.push({ after: gap.after + column++, isSame: false });
  }
  const rest = { ...gap, before: gap.before + row, after: gap.after + column };
  return [...steps, ...inOrder(rest)];
}

/** Less than any likeness worth the name. */
const PAIR_WORTH = 0.001;

/** Pairs weighed against each other between two elements that stay: 500 changed in a row; beyond, their order decides. */
const PAIRS_MAX = 250_000;

/** 0 for values that have nothing in common, 1 for equal ones: the share of members, elements or characters that agree. */
function likeness(before: Json | undefined, after: Json | undefined, budget: StepBudget): number {
  budget.left--;
  if (Array.isArray(before) && Array.isArray(after))
    return agreement(before, after, (a: Json, b: Json) => sameJson(a, b, budget));
  if (!isJsonObject(before) || !isJsonObject(after)) return 0;
  const mark = markOf(before);
  if (mark !== markOf(after)) return 0;
  if (mark !== undefined) {
    const [old, wanted] = [before[mark], after[mark]];
    return typeof old === "string" && typeof wanted === "string" ? agreement(old, wanted, (a, b) => a === b) : 0;
  }
  const keys = Object.keys(before);
  const agreeing = keys.filter((key) => Object.hasOwn(after, key) && sameJson(before[key], after[key], budget));
  return agreeing.length / Math.max(1, keys.length, Object.keys(after).length);
}

/** The share of both that agrees at the beginning and at the end, by a look at no more than AGREEMENT_MAX elements each. */
function agreement<Element>(
  a: ArrayLike<Element>,
  b: ArrayLike<Element>,
  agree: (a: Element, b: Element) => boolean,
): number {
  const shorter = Math.min(a.length, b.length, AGREEMENT_MAX);
  const isEqual = (i: number, j: number): boolean => {
    const [left, right] = [a[i], b[j]];
    return left !== undefined && right !== undefined && agree(left, right);
  };
  let head = 0;
  while (head < shorter && isEqual(head, head)) head++;
  let tail = 0;
  while (tail < shorter - head && isEqual(a.length - 1 - tail, b.length - 1 - tail)) tail++;
  return (head + tail) / Math.max(1, Math.min(AGREEMENT_MAX, Math.max(a.length, b.length)));
}

const AGREEMENT_MAX = 200;

function at(numbers: Float64Array, index: number): number {
  return numbers[index] ?? 0;
}
