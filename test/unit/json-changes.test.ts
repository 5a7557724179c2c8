/** JSON changes: each operation, what is refused, what is written and reported. */
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import type { JsonOp } from "../../shared/change.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { Json, JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { applyJsonOps } from "../../server/state/json/json-changes.ts";
import { writeInitialData } from "../../server/state/json/json-data.ts";
import { readData } from "../../shared/read-data.ts";
import { mergePatchToOps } from "../../server/state/json/merge-patch.ts";

function docWith(data: JsonObject): Y.Doc {
  const doc = new Y.Doc();
  doc.clientID = 1;
  writeInitialData(doc, data);
  return doc;
}

/** The data after the operations. */
function after(data: JsonObject, ...ops: readonly JsonOp[]): Json {
  const doc = docWith(data);
  applyJsonOps(doc, ops, "test");
  return readData(doc, "");
}

/** The refusal, after a check that it left no trace. */
function refused(doc: Y.Doc, ...ops: readonly JsonOp[]): ServiceError {
  const before = Y.encodeStateAsUpdate(doc);
  let transactions = 0;
  doc.on("beforeTransaction", () => void transactions++);
  try {
    applyJsonOps(doc, ops, "test");
  } catch (error) {
    // toEqual takes seconds for a megabyte
    expect(Buffer.compare(Y.encodeStateAsUpdate(doc), before)).toBe(0);
    expect(transactions).toBe(0);
    if (error instanceof ServiceError) return error;
    throw error;
  }
  throw new Error("The operations were not refused.");
}

/** The cases of RFC 6902's appendix A, with data of our own; where the RFC has a root array, it stands in a member. */
describe("RFC 6902", () => {
  test.each<[string, JsonObject, JsonOp[], Json]>([
    ["A.1 add a member", { port: 80 }, [{ op: "add", path: "/host", value: "x" }], { port: 80, host: "x" }],
    ["A.2 add an element", { l: ["a", "c"] }, [{ op: "add", path: "/l/1", value: "b" }], { l: ["a", "b", "c"] }],
    ["A.3 remove a member", { a: 1, b: 2 }, [{ op: "remove", path: "/b" }], { a: 1 }],
    ["A.4 remove an element", { l: [1, 2, 3] }, [{ op: "remove", path: "/l/1" }], { l: [1, 3] }],
    ["A.5 replace a value", { a: 1, b: 2 }, [{ op: "replace", path: "/b", value: [3] }], { a: 1, b: [3] }],
    [
      "A.6 move a value",
      { from: { x: 1, y: 2 }, to: { z: 3 } },
      [{ op: "move", from: "/from/y", path: "/to/w" }],
      { from: { x: 1 }, to: { z: 3, w: 2 } },
    ],
    ["A.7 move an element", { l: [0, 1, 2, 3] }, [{ op: "move", from: "/l/1", path: "/l/3" }], { l: [0, 2, 3, 1] }],
    [
      "A.8 test, success",
      { a: "x", l: [1, "2", 3] },
      [
        { op: "test", path: "/a", value: "x" },
        { op: "test", path: "/l/1", value: "2" },
      ],
      { a: "x", l: [1, "2", 3] },
    ],
    [
      "A.10 add a nested object",
      { a: 1 },
      [{ op: "add", path: "/c", value: { d: { e: 2 } } }],
      { a: 1, c: { d: { e: 2 } } },
    ],
    ["A.14 escaped steps", { "/": 9, "~1": 10 }, [{ op: "test", path: "/~01", value: 10 }], { "/": 9, "~1": 10 }],
    ["A.16 add an array at the end", { l: [1] }, [{ op: "add", path: "/l/-", value: [2, 3] }], { l: [1, [2, 3]] }],
    ["4.1 add replaces a member", { a: 1 }, [{ op: "add", path: "/a", value: { b: 2 } }], { a: { b: 2 } }],
    ["4.1 add at the length of an array", { l: [1] }, [{ op: "add", path: "/l/1", value: 2 }], { l: [1, 2] }],
    ["4.4 move onto itself", { a: { b: 1 } }, [{ op: "move", from: "/a", path: "/a" }], { a: { b: 1 } }],
    [
      "4.4 the index counts after removal",
      { l: [[0], [1], [2]] },
      [{ op: "move", from: "/l/0", path: "/l/1/0" }],
      { l: [[1], [[0], 2]] },
    ],
    ["4.4 move replaces", { a: 1, b: 2 }, [{ op: "move", from: "/a", path: "/b" }], { b: 1 }],
    ["4.5 copy into itself", { a: { b: 1 } }, [{ op: "copy", from: "/a", path: "/a/c" }], { a: { b: 1, c: { b: 1 } } }],
    ["4.5 copy of all", { a: 1 }, [{ op: "copy", from: "", path: "/all" }], { a: 1, all: { a: 1 } }],
    [
      "4.6 key order and number form",
      { o: { a: 1, b: [{}] } },
      [{ op: "test", path: "", value: { o: { b: [{}], a: 1.0 } } }],
      { o: { a: 1, b: [{}] } },
    ],
    ["a member called -", { o: {} }, [{ op: "add", path: "/o/-", value: 1 }], { o: { "-": 1 } }],
    ["the whole, by moving", { a: { b: { c: 1 } }, d: 2 }, [{ op: "move", from: "/a/b", path: "" }], { c: 1 }],
    [
      "copies are independent",
      { a: { l: [{ x: 1 }] } },
      [
        { op: "replace", path: "/a/l/0/x", value: 2 },
        { op: "copy", from: "/a", path: "/b" },
        { op: "add", path: "/b/l/0/y", value: 3 },
        { op: "add", path: "/a/l/-", value: 4 },
      ],
      { a: { l: [{ x: 2 }, 4] }, b: { l: [{ x: 2, y: 3 }] } },
    ],
    [
      "two values swap places",
      { a: { x: [1] }, b: { y: [2] } },
      [
        { op: "move", from: "/a", path: "/t" },
        { op: "move", from: "/b", path: "/a" },
        { op: "move", from: "/t", path: "/b" },
      ],
      { a: { y: [2] }, b: { x: [1] } },
    ],
  ])("[JSON-5] %s", (_, data, ops, result) => {
    expect(after(data, ...ops)).toEqual(result);
  });

  test.each<[string, JsonObject, JsonOp, string]>([
    ["A.9 test, failure", { a: "x" }, { op: "test", path: "/a", value: "y" }, "TEST_FAILED"],
    ["A.12 add below what is not there", { a: 1 }, { op: "add", path: "/b/c", value: 1 }, "PATH_NOT_FOUND"],
    ["A.15 a string is no number", { "~1": 10 }, { op: "test", path: "/~01", value: "10" }, "TEST_FAILED"],
    ["add beyond the end", { l: [1] }, { op: "add", path: "/l/2", value: 1 }, "PATH_NOT_FOUND"],
    ["add at a word in an array", { l: [1] }, { op: "add", path: "/l/x", value: 1 }, "PATH_NOT_FOUND"],
    ["an index with a leading zero", { l: [1] }, { op: "remove", path: "/l/00" }, "PATH_NOT_FOUND"],
    ["remove the end", { l: [1] }, { op: "remove", path: "/l/-" }, "PATH_NOT_FOUND"],
    ["remove what is not there", {}, { op: "remove", path: "/toString" }, "PATH_NOT_FOUND"],
    ["replace what is not there", {}, { op: "replace", path: "/a", value: 1 }, "PATH_NOT_FOUND"],
    ["replace beyond the end", { l: [] }, { op: "replace", path: "/l/0", value: 1 }, "PATH_NOT_FOUND"],
    ["test what is not there", {}, { op: "test", path: "/a", value: null }, "PATH_NOT_FOUND"],
    ["copy from what is not there", { b: 1 }, { op: "copy", from: "/a", path: "/b" }, "PATH_NOT_FOUND"],
    ["move into an own child", { a: { b: 1 } }, { op: "move", from: "/a", path: "/a/b" }, "INVALID_CHANGE"],
    ["move all", { a: 1 }, { op: "move", from: "", path: "/a" }, "INVALID_CHANGE"],
    ["remove all", { a: 1 }, { op: "remove", path: "" }, "INVALID_CHANGE"],
    ["all becomes a number", { a: 1 }, { op: "replace", path: "", value: 1 }, "INVALID_CHANGE"],
    ["below a string", { s: "x" }, { op: "add", path: "/s/0", value: 1 }, "PATH_NOT_FOUND"],
    ["below a text", { t: { $text: "x" } }, { op: "add", path: "/t/0", value: 1 }, "PATH_NOT_FOUND"],
    ["a path without a slash", {}, { op: "add", path: "a", value: 1 }, "INVALID_REQUEST"],
    ["a bad escape", {}, { op: "add", path: "/~2", value: 1 }, "INVALID_REQUEST"],
    ["a bad escape in from", {}, { op: "copy", from: "/~", path: "/a" }, "INVALID_REQUEST"],
  ])("[JSON-5] %s is refused", (_, data, op, code) => {
    expect(refused(docWith(data), op).code).toBe(code);
  });
});

test("[JSON-5] test compares what is read: a marked text stands for its string, whichever is there", () => {
  const value = { s: { $text: "x" }, t: { $text: "y" } };
  const data = { s: "x", t: { $text: "y" } };
  expect(after(data, { op: "test", path: "", value })).toEqual({ s: "x", t: "y" });
  expect(after(data, { op: "test", path: "/t", value: "y" })).toEqual({ s: "x", t: "y" });
});

describe("all or none", () => {
  test("[JSON-6] a refusal says which operation and where, and nothing of those before it is there", () => {
    const doc = docWith({ a: 1, l: [1] });
    const error = refused(
      doc,
      { op: "add", path: "/b", value: { c: 1 } },
      { op: "remove", path: "/a" },
      { op: "add", path: "/l/-", value: 2 },
      { op: "add", path: "/b/x/y", value: 1 },
    );
    expect(error.code).toBe("PATH_NOT_FOUND");
    expect(error.details).toEqual({ opIndex: 3, path: "/b/x" });
    expect(readData(doc, "")).toEqual({ a: 1, l: [1] });
  });

  test.each<[string, JsonOp, string]>([
    ["in a value", { op: "add", path: "/l/-", value: { k: [0, { __proto: 1, $text: 1 }] } }, "/l/-/k/1"],
    ["in a patch", { op: "merge", path: "/o", value: { p: { q: { $text: null } } } }, "/o/p/q"],
    ["in from", { op: "copy", from: "/o/none", path: "/l/0" }, "/o/none"],
    ["at the target", { op: "increment", path: "/o", by: 1 }, "/o"],
  ])("[JSON-6] the place is named: %s", (_, op, path) => {
    expect(refused(docWith({ l: [], o: {} }), op).details).toEqual({ opIndex: 0, path });
  });

  test("[JSON-6] one change is one transaction of its origin", () => {
    const doc = docWith({ a: 1, l: [1, 2, 3], o: { t: { $text: "x" } } });
    const origins: unknown[] = [];
    doc.on("afterTransaction", ({ origin }: Y.Transaction) => void origins.push(origin));
    const ops: JsonOp[] = [
      { op: "replace", path: "/a", value: 2 },
      { op: "remove", path: "/l/0" },
      { op: "append_text", path: "/o/t", text: "y" },
    ];
    const origin = { name: "rest" };
    expect(applyJsonOps(doc, ops, origin).paths).toEqual(["/a", "/l", "/o/t"]);
    expect(origins).toEqual([origin]);
  });

  test("[JSON-6] an operation that does not exist is refused", () => {
    const op: JsonOp = JSON.parse('{"op":"destroy","path":"/a"}');
    expect(refused(docWith({ a: 1 }), op).code).toBe("INVALID_CHANGE");
  });

  test("[JSON-4] a change has a limit of operations", () => {
    const ops = Array.from({ length: LIMITS.opsMax + 1 }, () => ({ op: "increment", path: "/n", by: 1 }) as const);
    expect(refused(docWith({ n: 0 }), ...ops).code).toBe("TOO_LARGE");
    expect(after({ n: 0 }, ...ops.slice(1))).toEqual({ n: LIMITS.opsMax });
  });
});

describe("values", () => {
  test.each<[string, JsonOp]>([
    ["__proto__ as a step", { op: "add", path: "/o/__proto__", value: {} }],
    ["__proto__ in a value", { op: "add", path: "/o/x", value: JSON.parse('{"__proto__":1}') }],
    ["__proto__ in a patch", { op: "merge", path: "", value: JSON.parse('{"__proto__":{"a":1}}') }],
    ["__proto__ to move to", { op: "move", from: "/o", path: "/__proto__" }],
    ["$text as a step", { op: "add", path: "/o/$text", value: "x" }],
    ["a long step", { op: "add", path: `/${"k".repeat(LIMITS.keyCharsMax + 1)}`, value: 1 }],
    ["half a pair to append", { op: "append_text", path: "/t", text: "\ud83d" }],
    ["half a pair to insert", { op: "edit_text", path: "/t", old: "x", new: "\ude00" }],
    ["a string that grows too long", { op: "append_text", path: "/s", text: "x".repeat(LIMITS.stringCharsMax) }],
    ["NaN", { op: "increment", path: "/n", by: Number.NaN }],
    ["what is not JSON", { op: "add", path: "/o/x", value: JSON.parse("{}").x }],
  ])("[JSON-4] %s is refused", (_, op) => {
    expect(refused(docWith({ o: {}, t: { $text: "x" }, s: "x", n: 0 }), op).code).toBe("INVALID_CHANGE");
  });

  test("[JSON-4] nothing is nested too deeply, neither by adding nor by moving or copying", () => {
    const half = LIMITS.depthMax / 2;
    const nest = (levels: number): Json => (levels === 0 ? {} : { in: nest(levels - 1) });
    const deep = `/a${"/in".repeat(half)}`;
    for (const op of ["copy", "move"] as const) {
      expect(refused(docWith({ a: nest(half), b: nest(half) }), { op, from: "/b", path: `${deep}/x` }).code).toBe(
        "INVALID_CHANGE",
      );
      expect(after({ a: nest(half), b: nest(half - 4) }, { op, from: "/b", path: `${deep}/x` })).toBeDefined();
    }
    expect(refused(docWith({ a: nest(half) }), { op: "add", path: `${deep}/x`, value: nest(half) }).code).toBe(
      "INVALID_CHANGE",
    );
  });

  test("[JSON-4] a change looks through so much text at most", () => {
    const text = "x".repeat(LIMITS.stringCharsMax - 2);
    const ops = Array.from({ length: 200 }, (): JsonOp => ({ op: "edit_text", path: "/t", old: "yz", new: "yz" }));
    expect(refused(docWith({ t: { $text: `${text}yz` } }), ...ops).code).toBe("TOO_LARGE");
  });

  test("[JSON-4] copies of copies are weighed: doubling ends in TOO_LARGE, at once", () => {
    const ops = Array.from({ length: 60 }, (_, index): JsonOp => ({ op: "copy", from: "/a", path: `/a/c${index}` }));
    const error = refused(docWith({ a: { x: "some content" } }), ...ops);
    // each copy holds those before it: twice the weight, one level deeper; the weight runs out long before the levels
    expect(error.code).toBe("TOO_LARGE");
    expect(error.details["opIndex"]).toBeLessThan(20);
  });
});

/** The table of RFC 7396's appendix A, one step down: our root is an object. */
describe("merge", () => {
  test.each<[Json, Json, Json]>([
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [
      ["a", "b"],
      ["c", "d"],
      ["c", "d"],
    ],
    [{ a: "b" }, ["c"], ["c"]],
    [{ a: "foo" }, "bar", "bar"],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    [{}, { a: [{ b: null }, null] }, { a: [{ b: null }, null] }],
  ])("[JSON-7] %j with %j is %j", (target, patch, result) => {
    expect(after({ doc: target }, ...mergePatchToOps({ doc: patch }))).toEqual({ doc: result });
  });

  test("[JSON-7] a null in the patch removes", () => {
    expect(after({ doc: { a: "foo" }, b: 1 }, ...mergePatchToOps({ doc: null }))).toEqual({ b: 1 });
  });

  test("[JSON-7] it makes the member it is sent to, but not what is above it", () => {
    expect(after({ l: [1] }, { op: "merge", path: "/a", value: { b: { c: null, d: 1 } } })).toEqual({
      l: [1],
      a: { b: { d: 1 } },
    });
    expect(after({ l: [1] }, { op: "merge", path: "/l/0", value: { b: 1 } })).toEqual({ l: [{ b: 1 }] });
    expect(refused(docWith({}), { op: "merge", path: "/a/b", value: {} }).code).toBe("PATH_NOT_FOUND");
    expect(refused(docWith({ l: [] }), { op: "merge", path: "/l/0", value: {} }).code).toBe("PATH_NOT_FOUND");
    expect(refused(docWith({ l: [] }), { op: "merge", path: "/l", value: JSON.parse("[]") }).code).toBe(
      "INVALID_CHANGE",
    );
  });

  test("[JSON-7] a marked text in the patch is a text, and over a text an edit of it", () => {
    const doc = docWith({ o: { t: { $text: "old words" } } });
    const text = doc.getMap("data").get("o");
    applyJsonOps(doc, mergePatchToOps({ o: { t: { $text: "new words" }, u: { $text: "u" } } }), null);
    expect(doc.getMap("data").get("o")).toBe(text);
    expect(text instanceof Y.Map && text.get("u")).toBeInstanceOf(Y.Text);
    expect(readData(doc, "/o/t")).toBe("new words");
  });
});

describe("increment", () => {
  test("[JSON-13] adds; a member that is not there counts as 0", () => {
    const ops: JsonOp[] = [
      { op: "increment", path: "/n", by: 2 },
      { op: "increment", path: "/n", by: -0.5 },
      { op: "increment", path: "/new", by: 3 },
      { op: "increment", path: "/l/1", by: 1 },
    ];
    expect(after({ n: 1, l: [1, 2] }, ...ops)).toEqual({ n: 2.5, new: 3, l: [1, 3] });
    expect(Object.is(readData(changed({ n: -1 }, { op: "increment", path: "/n", by: 1 }), "/n"), 0)).toBe(true);
  });

  test.each<[string, Json, string]>([
    ["a string", "1", "/v"],
    ["null", null, "/v"],
    ["a text", { $text: "1" }, "/v"],
    ["a sum beyond all numbers", 1.7e308, "/v"],
  ])("[JSON-13] %s cannot be incremented", (_, value, path) => {
    expect(refused(docWith({ v: value }), { op: "increment", path, by: 1e308 }).code).toBe("INVALID_CHANGE");
  });

  test("[JSON-13] an element that is not there cannot be incremented", () => {
    expect(refused(docWith({ l: [1] }), { op: "increment", path: "/l/1", by: 1 }).code).toBe("PATH_NOT_FOUND");
    expect(refused(docWith({ l: [1] }), { op: "increment", path: "/l/-", by: 1 }).code).toBe("PATH_NOT_FOUND");
  });
});

describe("edit_text and append_text", () => {
  test.each([{ $text: "one two three" }, "one two three"])("[JSON-11] they edit %j", (value) => {
    const ops: JsonOp[] = [
      { op: "edit_text", path: "/v", old: "two", new: "2" },
      { op: "append_text", path: "/v", text: "!" },
      { op: "edit_text", path: "/v", old: " three!", new: "" },
    ];
    expect(after({ v: value }, ...ops)).toEqual({ v: "one 2" });
  });

  test.each<[string, Json, string, string]>([
    ["a passage that is not there", { $text: "abc" }, "b c", "TEXT_NOT_FOUND"],
    ["another case", { $text: "abc" }, "B", "TEXT_NOT_FOUND"],
    ["a passage that is there twice", { $text: "ab ab" }, "ab", "TEXT_AMBIGUOUS"],
    ["a passage that overlaps itself", { $text: "aaa" }, "aa", "TEXT_AMBIGUOUS"],
    ["the same in a string", "aaa", "aa", "TEXT_AMBIGUOUS"],
    ["an empty passage", { $text: "" }, "", "INVALID_CHANGE"],
    ["a number", 7, "7", "INVALID_CHANGE"],
    ["an object", {}, "x", "INVALID_CHANGE"],
  ])("[JSON-11] %s is refused", (_, value, old, code) => {
    expect(refused(docWith({ v: value }), { op: "edit_text", path: "/v", old, new: "x" }).code).toBe(code);
  });

  test("[JSON-11] nothing is made where nothing is", () => {
    expect(refused(docWith({}), { op: "append_text", path: "/t", text: "x" }).code).toBe("PATH_NOT_FOUND");
    expect(refused(docWith({}), { op: "edit_text", path: "/t", old: "a", new: "b" }).code).toBe("PATH_NOT_FOUND");
  });
});

function changed(data: JsonObject, ...ops: readonly JsonOp[]): Y.Doc {
  const doc = docWith(data);
  applyJsonOps(doc, ops, "test");
  return doc;
}
