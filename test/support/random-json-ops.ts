/**
 * Random JSON data and random operations that mostly fit it, from a few keys and letters, so that they meet.
 *
 * Not here: what operations should do (json-model.ts).
 */
import fc from "fast-check";
import type { JsonOp } from "../../shared/change.ts";
import type { Json, JsonObject } from "../../shared/json.ts";
import { DATA_ROOT, escapeStep, formatPath, parsePath } from "../../shared/path.ts";
import { modelOf } from "./json-model.ts";

const key = fc.constantFrom("a", "b", "c", "", "x/y", "m~n", "0", "1", "constructor", "toString");

export const words: fc.Arbitrary<string> = fc
  .array(fc.constantFrom("a", "b", "aa", " ", "😀", "😁", "e\u0301", "\n"), { maxLength: 6 })
  .map((parts) => parts.join(""));

const number = fc.constantFrom(0, 1, -1, 0.1, 1e308, 2 ** 53);
const text = words.map((it) => ({ $text: it }));

const json = fc.letrec<{ value: Json; object: JsonObject }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", maxDepth: 4 },
    fc.constantFrom(null, true, false),
    number,
    words,
    text,
    tie("object"),
    fc.array(tie("value"), { maxLength: 4 }),
  ),
  object: fc.dictionary(key, tie("value"), { maxKeys: 4 }),
}));

/** Data of a context; there is always a number, a string and a text in it for the operations that need one. */
export const data: fc.Arbitrary<JsonObject> = fc
  .tuple(json.object, number, words, text)
  .map(([members, n, s, t]) => ({ n, s, t, ...members }));

const step = fc.oneof({ weight: 5, arbitrary: key }, fc.constantFrom("0", "1", "2", "3", "-", "00", "9"));
const strayPath = fc
  .array(step, { maxLength: 4 })
  .map((steps) => (steps.length === 0 ? "" : formatPath([DATA_ROOT, ...steps])));

/** One of the paths there are, by number; or, with another last step, one beside it. */
interface Pick {
  readonly index: number;
  readonly miss: string | null;
}

/** An operation before it is known what data it meets. */
export interface OpPlan {
  readonly kind: JsonOp["op"];
  readonly at: Pick;
  readonly from: Pick;
  readonly stray: string | null;
  readonly value: Json;
  readonly patch: JsonObject;
  readonly by: number;
  readonly old: string;
  readonly new: string;
}

const seldom = <Value>(value: fc.Arbitrary<Value>, oneIn: number): fc.Arbitrary<Value | null> =>
  fc.oneof({ weight: oneIn - 1, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: value });

const pick: fc.Arbitrary<Pick> = fc.record({ index: fc.nat(), miss: seldom(step, 4) });

export const opPlan: fc.Arbitrary<OpPlan> = fc.record({
  kind: fc.constantFrom(
    ...([
      "add",
      "replace",
      "remove",
      "move",
      "copy",
      "test",
      "merge",
      "increment",
      "edit_text",
      "append_text",
    ] as const),
  ),
  at: pick,
  from: pick,
  stray: seldom(strayPath, 15),
  value: fc.oneof(json.value, json.object),
  patch: json.object,
  by: fc.constantFrom(0, 1, -1, 0.5, 1e308),
  old: words,
  new: words,
});

/** The operations of the plans, each on what those before it leave; it ends with the first that fails. */
export function opsFrom(plans: readonly OpPlan[], before: JsonObject): JsonOp[] {
  const ops: JsonOp[] = [];
  for (const plan of plans) {
    const now = modelOf(before, ops);
    if (!("data" in now)) break;
    ops.push(opFrom(plan, now.data));
  }
  return ops;
}

/** All paths in the data. */
export function pathsIn(value: Json, above = ""): string[] {
  if (typeof value !== "object" || value === null) return [above];
  return [above, ...Object.entries(value).flatMap(([name, inner]) => pathsIn(inner, `${above}/${escapeStep(name)}`))];
}

export function valueAt(value: Json, path: string): Json | undefined {
  let found: Json | undefined = value;
  for (const name of path === "" ? [] : parsePath(path).slice(1)) {
    if (typeof found !== "object" || found === null) return undefined;
    found = new Map<string, Json>(Object.entries(found)).get(name);
  }
  return found;
}

function opFrom(plan: OpPlan, now: Json): JsonOp {
  const { kind } = plan;
  const path = plan.stray ?? pathFrom(fittingPaths(kind, now), plan.at);
  const target = valueAt(now, path);
  switch (kind) {
    case "remove":
      return { op: kind, path };
    case "move":
    case "copy":
      return { op: kind, path, from: pathFrom(pathsIn(now), plan.from) };
    case "test":
      return { op: kind, path, value: plan.from.miss === null && target !== undefined ? target : plan.value };
    case "merge":
      return { op: kind, path, value: plan.patch };
    case "increment":
      return { op: kind, path, by: plan.by };
    case "edit_text":
      return { op: kind, path, old: passageOf(plan, target), new: plan.new };
    case "append_text":
      return { op: kind, path, text: plan.new };
    default:
      return { op: kind, path, value: plan.value };
  }
}

function fittingPaths(kind: JsonOp["op"], now: Json): string[] {
  const wanted = kind === "increment" ? "number" : kind === "edit_text" || kind === "append_text" ? "string" : null;
  const paths = pathsIn(now);
  const fitting = paths.filter((path) => wanted === null || typeof valueAt(now, path) === wanted);
  return fitting.length > 0 ? fitting : paths;
}

function pathFrom(paths: readonly string[], { index, miss }: Pick): string {
  const path = paths[index % paths.length] ?? "";
  if (miss === null) return path;
  return `${path.slice(0, Math.max(0, path.lastIndexOf("/")))}/${escapeStep(miss)}`;
}

/** Often a part of the text, sometimes something else. */
function passageOf(plan: OpPlan, target: Json | undefined): string {
  const characters = typeof target === "string" ? Array.from(target) : [];
  if (characters.length === 0 || plan.from.miss !== null) return plan.old;
  const start = plan.from.index % characters.length;
  return characters.slice(start, start + 1 + (plan.by === 1 ? 2 : 0)).join("");
}
