/**
 * JSON changes on random data: against a naive model, all or nothing, least changes, exact paths, concurrent edits.
 * FC_SEED=… repeats a run.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import type { JsonOp } from "../../shared/change.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { Json, JsonObject } from "../../shared/json.ts";
import { DATA_ROOT, covers, formatPath, parsePath } from "../../shared/path.ts";
import { applyJsonOps } from "../../server/state/json-changes.ts";
import { readData, writeInitialData } from "../../server/state/json-data.ts";
import { asRead, modelOf } from "../support/json-model.ts";

const seed = Number(process.env["FC_SEED"] ?? 20_261_122);
const runs = (numRuns: number): fc.Parameters<unknown> => ({ seed, numRuns });

const key = fc.constantFrom("a", "b", "c", "", "x/y", "m~n", "0", "1", "constructor", "toString");
const words = fc
  .array(fc.constantFrom("a", "b", "aa", " ", "😀", "😁", "e\u0301", "\n"), { maxLength: 6 })
  .map((parts) => parts.join(""));
const scalar = fc.oneof(fc.constantFrom(null, true, false, 0, 1, -1, 0.1, 1e300, 2 ** 53), words);
const text = words.map((it) => ({ $text: it }));

const { value } = fc.letrec<{ value: Json; object: JsonObject }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", maxDepth: 4 },
    scalar,
    text,
    tie("object"),
    fc.array(tie("value"), { maxLength: 4 }),
  ),
  object: fc.dictionary(key, tie("value"), { maxKeys: 4 }),
}));
const object = fc.dictionary(key, value, { maxKeys: 5 });

const step = fc.oneof({ weight: 5, arbitrary: key }, fc.constantFrom("0", "1", "2", "3", "-", "00", "9"));
const anyPath = fc.oneof(
  { weight: 1, arbitrary: fc.constant("") },
  {
    weight: 20,
    arbitrary: fc.array(step, { minLength: 1, maxLength: 4 }).map((steps) => formatPath([DATA_ROOT, ...steps])),
  },
);

/** A path drawn by number: one that is there in `data`, or its parent with another last step. */
type Pick = readonly [index: number, miss: string | null];
const pick: fc.Arbitrary<Pick> = fc.tuple(fc.nat(), fc.option(step, { freq: 3 }));

type OpPlan = {
  readonly kind: JsonOp["op"];
  readonly at: Pick;
  readonly from: Pick;
  readonly stray: string | null;
  readonly value: Json;
  readonly patch: JsonObject;
  readonly by: number;
  readonly old: string;
  readonly new: string;
};
const opPlan: fc.Arbitrary<OpPlan> = fc.record({
  kind: fc.constantFrom(
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
  ),
  at: pick,
  from: pick,
  stray: fc.option(anyPath, { freq: 8 }),
  value: fc.oneof(value, object),
  patch: object,
  by: fc.constantFrom(0, 1, -1, 0.5, 1e308),
  old: words,
  new: words,
});

function pathsIn(data: Json, above = ""): string[] {
  if (typeof data !== "object" || data === null) return [above];
  const children = Object.entries(data).flatMap(([name, inner]) =>
    pathsIn(inner, `${above}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`),
  );
  return [above, ...children];
}

function pathFrom(paths: readonly string[], [index, miss]: Pick): string {
  const path = paths[index % paths.length] ?? "";
  if (miss === null) return path;
  const last = path.lastIndexOf("/");
  return (last < 0 ? "" : path.slice(0, last)) + formatPath([DATA_ROOT, miss]);
}

/** A concrete operation on the data as it is now; mostly one that fits. */
function opFrom(plan: OpPlan, data: Json): JsonOp {
  const all = pathsIn(data);
  const fitting = all.filter((candidate) => fits(plan.kind, valueAt(data, candidate)));
  const paths = fitting.length > 0 ? fitting : all;
  const path = plan.stray ?? pathFrom(paths, plan.at);
  switch (plan.kind) {
    case "remove":
      return { op: "remove", path };
    case "move":
    case "copy":
      return { op: plan.kind, path, from: pathFrom(all, plan.from) };
    case "test":
      return { op: "test", path, value: plan.at[0] % 2 === 0 ? (valueAt(data, path) ?? plan.value) : plan.value };
    case "merge":
      return { op: "merge", path, value: plan.patch };
    case "increment":
      return { op: "increment", path, by: plan.by };
    case "edit_text":
      return { op: "edit_text", path, old: passageOf(plan, valueAt(data, path)), new: plan.new };
    case "append_text":
      return { op: "append_text", path, text: plan.new };
    default:
      return { op: plan.kind, path, value: plan.value };
  }
}

function passageOf(plan: OpPlan, target: Json | undefined): string {
  const characters = typeof target === "string" ? [...target] : [];
  if (characters.length === 0 || plan.from[1] !== null) return plan.old;
  const start = plan.from[0] % characters.length;
  return characters.slice(start, start + 1 + (plan.at[0] % 3)).join("");
}

function fits(kind: JsonOp["op"], target: Json | undefined): boolean {
  if (kind === "increment") return typeof target === "number";
  return kind === "edit_text" || kind === "append_text" ? typeof target === "string" : true;
}

function valueAt(data: Json, path: string): Json | undefined {
  let found: Json | undefined = data;
  for (const name of path === "" ? [] : parsePath(path).slice(1)) {
    found =
      typeof found === "object" && found !== null && Object.hasOwn(found, name)
        ? Object.entries(found).find(([own]) => own === name)?.[1]
        : undefined;
  }
  return found;
}

/** Operations that mostly fit, drawn one after the other from what the model has become; it ends at the first that fails. */
function opsFrom(plans: readonly OpPlan[], data: Json): JsonOp[] {
  const ops: JsonOp[] = [];
  for (const plan of plans) {
    const now = modelOf(data, ops);
    if (!("data" in now)) break;
    ops.push(opFrom(plan, now.data));
  }
  return ops;
}

/** What a live client may have stored: some objects and arrays whole, without Yjs types inside. */
function storeLive(doc: Y.Doc, data: JsonObject, isWhole: (depth: number) => boolean): void {
  const store = (it: Json, depth: number): unknown => {
    if (typeof it !== "object" || it === null) return it;
    if ("$text" in it) return new Y.Text(String(it["$text"]));
    // Yjs itself refuses to set an object with that key; in an update it can come (see the unit test)
    if (isWhole(depth) && !JSON.stringify(it).includes('"constructor"')) return asRead(it);
    if (Array.isArray(it)) return Y.Array.from(it.map((inner: Json) => store(inner, depth + 1)));
    return new Y.Map(Object.entries(it).map(([name, inner]) => [name, store(inner, depth + 1)]));
  };
  for (const [name, inner] of Object.entries(data)) doc.getMap(DATA_ROOT).set(name, store(inner, 0));
}

function docWith(data: JsonObject, wholeFrom: number): Y.Doc {
  const live = new Y.Doc();
  live.clientID = 7;
  storeLive(live, data, (depth) => depth >= wholeFrom);
  return replicaOf(live, 1);
}

function replicaOf(doc: Y.Doc, clientID: number): Y.Doc {
  const replica = new Y.Doc();
  Y.applyUpdate(replica, Y.encodeStateAsUpdate(doc));
  replica.clientID = clientID;
  return replica;
}

function sent(a: Y.Doc, b: Y.Doc): void {
  Y.applyUpdate(b, Y.encodeStateAsUpdate(a, Y.encodeStateVector(b)));
}

const wholeFrom = fc.constantFrom(0, 1, 2, 9);

describe("data", () => {
  test("[JSON-1] what is written is read back, here and on a replica that never named a type", () => {
    fc.assert(
      fc.property(object, (data) => {
        const doc = new Y.Doc();
        writeInitialData(doc, data);
        expect(readData(doc, "")).toEqual(asRead(data));
        expect(readData(replicaOf(doc, 2), "")).toEqual(asRead(data));
      }),
      runs(300),
    );
  });

  test("[JSON-2] at every path stands what the whole has there", () => {
    fc.assert(
      fc.property(object, wholeFrom, (data, whole) => {
        const doc = docWith(data, whole);
        const all = readData(doc, "");
        for (const path of pathsIn(all)) expect(readData(doc, path)).toEqual(valueAt(all, path));
      }),
      runs(200),
    );
  });
});

describe("changes", () => {
  test("[JSON-5] [JSON-6] the result and the refusals are those of a naive model on plain JSON, on every replica", () => {
    const seen: Record<string, number> = {};
    fc.assert(
      fc.property(object, wholeFrom, fc.array(opPlan, { minLength: 1, maxLength: 8 }), (data, whole, plans) => {
        const doc = docWith(data, whole);
        const ops = opsFrom(plans, data);
        const before = Y.encodeStateAsUpdate(doc);
        let events = 0;
        doc.on("afterTransaction", ({ changed }: Y.Transaction) => void (events += changed.size));
        const expected = modelOf(data, ops);
        const got = attempt(doc, ops);
        const outcome = "code" in expected ? expected.code : "done";
        seen[outcome] = (seen[outcome] ?? 0) + 1;
        if ("code" in expected) {
          expect(got).toEqual({ code: expected.code });
          expect(Y.encodeStateAsUpdate(doc)).toEqual(before);
          expect(events).toBe(0);
        } else {
          expect(got).toMatchObject({ paths: expect.any(Array) });
          expect(readData(doc, "")).toEqual(expected.data);
          expect(readData(replicaOf(doc, 3), "")).toEqual(expected.data);
        }
      }),
      runs(4000),
    );
    // a generator that only ever failed, or never did, would prove nothing
    for (const outcome of [
      "done",
      "PATH_NOT_FOUND",
      "INVALID_CHANGE",
      "TEST_FAILED",
      "TEXT_NOT_FOUND",
      "TEXT_AMBIGUOUS",
    ]) {
      expect(seen[outcome], outcome).toBeGreaterThan(10);
    }
  });

  test("[JSON-8] the paths cover every difference, and nothing is reported or written where there is none", () => {
    fc.assert(
      fc.property(object, wholeFrom, fc.array(opPlan, { minLength: 1, maxLength: 6 }), (data, whole, plans) => {
        const doc = docWith(data, whole);
        const ops = opsFrom(plans, data);
        const before = readData(doc, "");
        const encoded = Y.encodeStateAsUpdate(doc);
        const got = attempt(doc, ops);
        if (!("paths" in got)) return;
        const paths = got.paths.map(parsePath);
        const after = readData(doc, "");
        for (const changed of differences(before, after))
          expect(paths.some((path) => covers(path, parsePath(changed)))).toBe(true);
        if (paths.length === 0) expect(Y.encodeStateAsUpdate(doc)).toEqual(encoded);
        expect(got.paths).toEqual([...new Set(got.paths)].sort());
        for (const a of paths) for (const b of paths) expect(a === b || !covers(a, b)).toBe(true);
        for (const path of got.paths) expect(changedOrOnlyInKind(path, before, after), path).toBe(true);
      }),
      runs(3000),
    );
  });

  test("[JSON-9] running a change's opposite in the same change is no change", () => {
    fc.assert(
      fc.property(object, object, (data, other) => {
        const doc = docWith(data, 9);
        const ops: JsonOp[] = [
          { op: "replace", path: "", value: other },
          { op: "replace", path: "", value: asRead(data) as JsonObject },
        ];
        const encoded = Y.encodeStateAsUpdate(doc);
        // a text that was replaced by something else in between is not the same text any more
        if (JSON.stringify([data, other]).includes("$text")) return;
        expect(applyJsonOps(doc, ops, null).paths).toEqual([]);
        expect(Y.encodeStateAsUpdate(doc)).toEqual(encoded);
      }),
      runs(300),
    );
  });
});

describe("concurrent edits", () => {
  const sentence = fc
    .array(fc.constantFrom("one ", "two ", "😀 ", "três ", "4 "), { minLength: 1, maxLength: 5 })
    .map((parts) => parts.join(""));

  test("[JSON-11] edit_text and what another types elsewhere in the text both survive", () => {
    fc.assert(
      fc.property(sentence, sentence, words, words, fc.boolean(), (head, tail, replacement, typed, typesBefore) => {
        const server = new Y.Doc();
        server.clientID = 1;
        writeInitialData(server, { t: { $text: `${head}<PASSAGE>${tail}` } });
        const editor = replicaOf(server, 2);
        const theirs = editor.getMap(DATA_ROOT).get("t");
        if (!(theirs instanceof Y.Text)) throw new Error("expected a text");
        theirs.insert(typesBefore ? 0 : theirs.length, typed);
        applyJsonOps(server, [{ op: "edit_text", path: "/t", old: "<PASSAGE>", new: replacement }], null);
        sent(server, editor);
        sent(editor, server);
        const merged = typesBefore ? `${typed}${head}${replacement}${tail}` : `${head}${replacement}${tail}${typed}`;
        expect(readData(server, "/t")).toBe(merged);
        expect(readData(editor, "/t")).toBe(merged);
      }),
      runs(300),
    );
  });

  test("[JSON-12] rewriting a text keeps what another typed where old and new agree", () => {
    fc.assert(
      fc.property(sentence, sentence, words, words, (head, tail, middle, rewritten) => {
        const server = new Y.Doc();
        server.clientID = 1;
        writeInitialData(server, { t: { $text: `[${head}|${middle}|${tail}]` } });
        const editor = replicaOf(server, 2);
        const theirs = editor.getMap(DATA_ROOT).get("t");
        if (!(theirs instanceof Y.Text)) throw new Error("expected a text");
        theirs.insert(0, "start ");
        theirs.insert(theirs.length, " end");
        applyJsonOps(server, [{ op: "replace", path: "/t", value: `[${head}|${rewritten}|${tail}]` }], null);
        sent(editor, server);
        sent(server, editor);
        expect(readData(server, "/t")).toBe(`start [${head}|${rewritten}|${tail}] end`);
        expect(readData(editor, "/t")).toEqual(readData(server, "/t"));
      }),
      runs(300),
    );
  });

  test("[JSON-10] changes of different places merge to both, whichever comes first", () => {
    fc.assert(
      fc.property(
        object,
        fc.array(opPlan, { minLength: 1, maxLength: 4 }),
        fc.array(opPlan, { minLength: 1, maxLength: 4 }),
        (data, left, right) => {
          const both: JsonObject = { left: data, right: data };
          const origin = docWith(both, 9);
          const [a, b] = [replicaOf(origin, 2), replicaOf(origin, 3)];
          const inside = (name: string, plans: readonly OpPlan[]): JsonOp[] =>
            opsFrom(plans, data)
              .filter((op) => op.path !== "" && (!("from" in op) || op.from !== ""))
              .map((op) => ({
                ...op,
                path: `/${name}${op.path}`,
                ...("from" in op ? { from: `/${name}${op.from}` } : {}),
              }));
          attempt(a, inside("left", left));
          attempt(b, inside("right", right));
          const [atLeft, atRight] = [readData(a, "/left"), readData(b, "/right")];
          sent(a, b);
          sent(b, a);
          for (const doc of [a, b]) expect(readData(doc, "")).toEqual({ left: atLeft, right: atRight });
        },
      ),
      runs(500),
    );
  });
});

function attempt(doc: Y.Doc, ops: readonly JsonOp[]): { paths: readonly string[] } | { code: string } {
  try {
    return applyJsonOps(doc, ops, "test");
  } catch (error) {
    if (error instanceof ServiceError) return { code: error.code };
    throw error;
  }
}

/** The places, as deep as may be, where two JSON values differ. */
function differences(a: Json | undefined, b: Json | undefined, at = ""): string[] {
  if (JSON.stringify(a) === JSON.stringify(b)) return [];
  if (!isRecord(a) || !isRecord(b)) return [at];
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].flatMap((name) => differences(a[name], b[name], at + formatPath([DATA_ROOT, name])));
}

/** An array that lost and got an equal element, or a string that became a text, read the same before and after. */
function changedOrOnlyInKind(path: string, before: Json, after: Json): boolean {
  const [a, b] = [valueAt(before, path), valueAt(after, path)];
  return JSON.stringify(a) !== JSON.stringify(b) || Array.isArray(a) || JSON.stringify(a)?.includes('"') === true;
}

function isRecord(it: Json | undefined): it is JsonObject {
  return typeof it === "object" && it !== null && !Array.isArray(it);
}
