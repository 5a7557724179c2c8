/** A difference as lines: what was at a place and what is there then, operation by operation. */
import { describe, expect, test } from "vitest";
import { diffLines } from "../../../client/panel/store/diff-lines.ts";
import type { JsonOp } from "../../../shared/change.ts";
import type { Json } from "../../../shared/json.ts";

const DATA = { a: 1, list: ["x", "y"], o: { k: null } };

describe("[PANEL-15] a line of a difference", () => {
  test.each<[string, JsonOp, object]>([
    ["a new member", { op: "add", path: "/b", value: 2 }, { path: "/b", kind: "added", after: 2 }],
    [
      "a member that is set anew",
      { op: "add", path: "/a", value: 2 },
      { path: "/a", kind: "changed", before: 1, after: 2 },
    ],
    ["another value", { op: "replace", path: "/a", value: [] }, { path: "/a", kind: "changed", before: 1, after: [] }],
    ["a member less", { op: "remove", path: "/o/k" }, { path: "/o/k", kind: "removed", before: null }],
    [
      "an element that is put in",
      { op: "add", path: "/list/0", value: "w" },
      { path: "/list/0", kind: "added", after: "w" },
    ],
    [
      "another document",
      { op: "replace", path: "", value: {} },
      { path: "", kind: "changed", before: DATA, after: {} },
    ],
    [
      "a name that objects have",
      { op: "add", path: "/__proto__", value: 1 },
      { path: "/__proto__", kind: "added", after: 1 },
    ],
  ])("says %s", (_what, op, line) => {
    expect(diffLines(DATA, [op])).toEqual([line]);
  });

  test("counts on the operations before it", () => {
    const ops: JsonOp[] = [
      { op: "remove", path: "/list/0" },
      { op: "replace", path: "/list/0", value: "z" },
      { op: "add", path: "/list/-", value: "end" },
      { op: "remove", path: "/list/1" },
    ];
    expect(diffLines(DATA, ops)).toEqual([
      { path: "/list/0", kind: "removed", before: "x" },
      { path: "/list/0", kind: "changed", before: "y", after: "z" },
      { path: "/list/-", kind: "added", after: "end" },
      { path: "/list/1", kind: "removed", before: "end" },
    ]);
    expect(DATA.list).toEqual(["x", "y"]);
  });

  test("is left out where there is no JSON, and there are not more than can be looked at", () => {
    expect(diffLines(DATA, [{ op: "add", path: "@page/x", value: 1 }])).toEqual([]);
    const many = Array.from({ length: 3000 }, (_, index): JsonOp => ({ op: "add", path: `/n${index}`, value: 1 }));
    expect(diffLines({} satisfies Json, many)).toHaveLength(2000);
  });
});
