/**
 * A difference of two documents as lines for people: what was at a place, and what is there then.
 *
 * Invariant: operations count on those before them (RFC 6902), so what was at a place is looked up in a copy that they are
 * done to one after the other.
 *
 * Not here: finding the difference (the server).
 */
import type { JsonOp } from "../../../shared/change.ts";
import type { Json } from "../../../shared/json.ts";
import { DATA_ROOT, parsePath } from "../../../shared/path.ts";

export interface DiffLine {
  readonly path: string;
  readonly kind: "added" | "removed" | "changed";
  readonly before?: Json;
  readonly after?: Json;
}

/** So many are worth a look; each may hold a whole document. */
const LINES_MAX = 2000;

export function diffLines(data: Json, changes: readonly JsonOp[]): readonly DiffLine[] {
  const root: Json[] = [structuredClone(data)];
  return changes.slice(0, LINES_MAX).flatMap((change) => {
    const steps = stepsOf(change.path);
    if (steps === undefined) return [];
    const before = valueAt(root, steps);
    const after = done(change, before);
    write(root, steps, after, change.op === "add");
    return [lineOf(change.path, before, after, change.op === "add" && isElement(root, steps))];
  });
}

function lineOf(path: string, before: Json | undefined, after: Json | undefined, isInserted: boolean): DiffLine {
  if (before === undefined || isInserted) return { path, kind: "added", ...(after === undefined ? {} : { after }) };
  if (after === undefined) return { path, kind: "removed", before };
  return { path, kind: "changed", before, after };
}

/** What is at the place after an operation; undefined when nothing is. */
function done(change: JsonOp, before: Json | undefined): Json | undefined {
  switch (change.op) {
    case "add":
    case "replace":
      return change.value;
    case "append_text":
      return textOf(before) + change.text;
    case "edit_text":
      return textOf(before).replace(change.old, () => change.new);
    case "increment":
      return Number(before ?? 0) + change.by;
    default:
      return change.op === "remove" ? undefined : before;
  }
}

function textOf(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

/** From the list that holds the data; undefined for other roots, which have no JSON here. */
function stepsOf(path: string): readonly string[] | undefined {
  const [root = DATA_ROOT, ...steps] = parsePath(path);
  return root === DATA_ROOT ? ["0", ...steps] : undefined;
}

function valueAt(root: Json, steps: readonly string[]): Json | undefined {
  let value: Json | undefined = root;
  for (const step of steps) value = childOf(value, step);
  return value;
}

function childOf(value: Json | undefined, step: string): Json | undefined {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
  const child: Json = Reflect.get(value, step);
  return child;
}

function isElement(root: Json, steps: readonly string[]): boolean {
  return steps.length > 1 && Array.isArray(valueAt(root, steps.slice(0, -1)));
}

function write(root: Json, steps: readonly string[], value: Json | undefined, isNew: boolean): void {
  const parent = valueAt(root, steps.slice(0, -1));
  const last = steps.at(-1) ?? "";
  if (Array.isArray(parent)) {
    const at = last === "-" ? parent.length : Number(last);
    const isInserted = isNew && steps.length > 1;
    parent.splice(at, isInserted ? 0 : 1, ...(value === undefined ? [] : [value]));
  } else if (typeof parent === "object" && parent !== null) {
    if (value === undefined) Reflect.deleteProperty(parent, last);
    else Reflect.defineProperty(parent, last, { value, writable: true, enumerable: true, configurable: true });
  }
}
