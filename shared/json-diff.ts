/**
 * The difference of two JSON values, as RFC 6902 operations that turn the one into the other.
 *
 * Invariants (JDIFF):
 *  1. The operations, applied one after the other, turn `before` into `after`. They are `add`, `remove` and `replace` only.
 *  2. Operations are local: an object is compared member by member and a list element by element, and what is equal (by
 *     value; members in any order) is not named, so that what others write there meanwhile survives.
 *  3. A mark (json-marks.ts), such as `{"$text": "…"}`, is one value and replaced as one.
 *  4. Steps and depth are bounded: a place that would need more is replaced whole.
 *
 * Not here: reading documents (read-data.ts), aligning lists (list-alignment.ts).
 */
import type { JsonOp } from "./change.ts";
import { isJsonObject } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";
import { TEXT_MARK, XML_MARK, markOf } from "./json-marks.ts";
import { LIMITS } from "./limits.ts";
import { sameJson } from "./json-equality.ts";
import type { StepBudget } from "./json-equality.ts";
import { alignLists } from "./list-alignment.ts";
import { escapeStep } from "./path.ts";
import type { RootsJson } from "./read-data.ts";

/** Operations that turn `before`, which stands at `path`, into `after`; none when they are equal. */
export function diffJson(before: Json, after: Json, path = ""): JsonOp[] {
  const run = new DiffRun();
  run.compare(before, after, { step: path, depth: 0 });
  return run.ops;
}

/**
 * Operations that turn all roots of a context into others (readRoots). A root that is empty or missing on one side is
 * replaced whole, so that its value tells its kind (applyJsonOps with `isPlanned` writes it). A root of another kind than before (which Yjs makes next to impossible) is left.
 */
export function diffRoots(before: RootsJson, after: RootsJson): JsonOp[] {
  const ops = diffJson(before.data, after.data);
  const names = new Set([...Object.keys(before.roots), ...Object.keys(after.roots)]);
  for (const name of [...names].sort()) {
    const path = `@${escapeStep(name)}`;
    const [present, wanted] = [memberOf(before.roots, name), memberOf(after.roots, name)];
    if (present === undefined || wanted === undefined)
      ops.push({ op: "replace", path, value: wanted ?? emptyLike(present) });
    else if (kindOf(present) === kindOf(wanted)) ops.push(...diffJson(present, wanted, path));
  }
  return ops;
}

/** Where a comparison is; `depth` is how far below the place the whole diff began at. */
interface Place {
  /** What it is a member or element of; the one without has a path for its step. */
  readonly above?: Place;
  readonly step: string;
  readonly depth: number;
}

class DiffRun {
  readonly ops: JsonOp[] = [];
  readonly #budget: StepBudget = { left: LIMITS.diffStepsMax };

  compare(before: Json, after: Json, place: Place): void {
    if (before === after) return;
    const isTooDeep = place.depth >= LIMITS.depthMax || this.#budget.left <= 0;
    if (!isTooDeep && Array.isArray(before) && Array.isArray(after)) this.#compareLists(before, after, place);
    else if (!isTooDeep && isPlain(before) && isPlain(after)) this.#compareMembers(before, after, place);
    else if (!sameJson(before, after, this.#budget)) this.#replace(place, after);
  }

  #compareMembers(before: JsonObject, after: JsonObject, place: Place): void {
    for (const [key, member] of Object.entries(before)) {
      this.#budget.left--;
      const wanted = memberOf(after, key);
      if (wanted === undefined) this.ops.push({ op: "remove", path: pathOf(below(place, key)) });
      else if (wanted !== member) this.compare(member, wanted, below(place, key));
    }
    for (const [key, value] of Object.entries(after)) {
      if (!Object.hasOwn(before, key)) this.ops.push({ op: "add", path: pathOf(below(place, key)), value });
    }
  }

  /** In order, so that an index counts what is done already before it. */
  #compareLists(before: readonly Json[], after: readonly Json[], place: Place): void {
    const first = this.ops.length;
    const { start, steps, isRough } = alignLists(before, after, this.#budget);
    let index = start;
    for (const step of steps) {
      const inner = below(place, String(index));
      const [old, wanted] = [elementOf(before, step.before), elementOf(after, step.after)];
      if (wanted === undefined) this.ops.push({ op: "remove", path: pathOf(inner) });
      else if (old === undefined) this.ops.push({ op: "add", path: pathOf(inner), value: wanted });
      else if (!step.isSame) this.#compareElement(old, wanted, inner);
      if (wanted !== undefined) index++;
    }
    if (isRough || this.ops.length - first > LIMITS.opsMax) this.#keepIfShorter(first, after, place);
  }

  #compareElement(before: Json, after: Json, place: Place): void {
    const first = this.ops.length;
    this.compare(before, after, place);
    this.#keepIfShorter(first, after, place);
  }

  /** One `replace` instead of the operations from `first` on, unless these say it with less. */
  #keepIfShorter(first: number, after: Json, place: Place): void {
    if (this.ops.length <= first) return;
    const operations = this.ops.length - first;
    const whole = 1 + weightOf(after);
    let weight = 0;
    for (const op of this.ops.slice(first)) weight += 1 + ("value" in op ? weightOf(op.value) : 0);
    if (weight < whole || (weight === whole && operations === 1)) return;
    this.ops.length = first;
    this.#replace(place, after);
  }

  #replace(place: Place, value: Json): void {
    this.ops.push({ op: "replace", path: pathOf(place), value });
  }
}

function below(place: Place, step: string): Place {
  return { above: place, step, depth: place.depth + 1 };
}

function pathOf({ above, step }: Place): string {
  return above === undefined ? step : `${pathOf(above)}/${escapeStep(step)}`;
}

function isPlain(value: Json): value is JsonObject {
  return isJsonObject(value) && markOf(value) === undefined;
}

function memberOf(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function elementOf(list: readonly Json[], index: number | undefined): Json | undefined {
  return index === undefined ? undefined : list[index];
}

/** How many values there are to write, counted to `depthMax` below the place. */
function weightOf(value: Json, depth = 0): number {
  if (typeof value !== "object" || value === null || depth > LIMITS.depthMax) return 1;
  let weight = 1;
  for (const inner of Object.values(value)) weight += weightOf(inner, depth + 1);
  return weight;
}

/** What a root of the same kind reads as when it is empty. */
function emptyLike(root: Json | undefined): Json {
  if (Array.isArray(root)) return [];
  const mark = markOf(root);
  if (mark === TEXT_MARK) return { [TEXT_MARK]: "" };
  return mark === XML_MARK ? { [XML_MARK]: [] } : {};
}

function kindOf(root: Json): string {
  return Array.isArray(root) ? "list" : (markOf(root) ?? typeof root);
}
