/** Data cut to a budget: bounds, marks, and fairness. */
import { expect, test } from "vitest";
import { outlineOf } from "../../../server/transport/mcp/outline.ts";
import { cutPatch } from "../../../server/transport/mcp/patch-budget.ts";
import type { JsonOp } from "../../../shared/change.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";
import { LIMITS } from "../../../shared/limits.ts";

const DEPTH: number = LIMITS.depthMax;
const cut = (value: Json, chars: number, depth = DEPTH) => outlineOf(value, "", { depth, chars });

const many = (count: number, valueOf: (n: number) => Json): JsonObject =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, valueOf(n)]));

test("[MCP-6] what fits comes whole, at the budget too; one character less, and it says so", () => {
  const value = { title: "Plan", tasks: [{ done: true }, { done: false }] };
  const length = JSON.stringify(value).length;
  expect(cut(value, length)).toEqual({ value, isWhole: true });
  expect(cut(value, length - 1).isWhole).toBe(false);
});

test("[MCP-6] depth cuts what lies deeper, with how much it is and where to read on", () => {
  const value = { tasks: { t1: { title: "a" }, "a/b": [1, 2] }, n: 1, empty: {} };
  const at = (depth: number) => cut(value, 20_000, depth).value;
  expect(at(0)).toBe("[object, 3 keys; read it]");
  expect(at(1)).toEqual({ tasks: "[object, 2 keys; read /tasks]", n: 1, empty: {} });
  expect(at(2)).toEqual({
    tasks: { t1: "[object, 1 keys; read /tasks/t1]", "a/b": "[array of 2; read /tasks/a~1b]" },
    n: 1,
    empty: {},
  });
  expect(cut(value, 20_000, 3)).toEqual({ value, isWhole: true });
});

test.each<[string, Json]>([
  ["one long text", "x".repeat(100_000)],
  ["a text of which every character is escaped", "\u0001".repeat(50_000)],
  ["many members", many(20_000, (n) => n)],
  ["long keys", Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`${n}${"k".repeat(200)}`, n]))],
  ["many elements", Array.from({ length: 20_000 }, (_, n) => n)],
  ["many small objects", many(5000, (n) => ({ title: `task ${n}`, done: false }))],
  ["nesting", Array.from({ length: 40 }, (_, n) => n).reduce<Json>((inner, n) => ({ n, inner }), "x".repeat(50_000))],
  ["a list of texts", Array.from({ length: 300 }, () => "y".repeat(1000))],
])("[MCP-6] %s is cut to the budget", (_name, value) => {
  for (const chars of [LIMITS.mcpReadCharsMin, 1000, LIMITS.mcpReadCharsDefault]) {
    const { value: shown, isWhole } = cut(value, chars);
    expect(isWhole).toBe(false);
    const length = JSON.stringify(shown).length;
    expect(length).toBeLessThan(chars + 800);
    expect(length).toBeGreaterThan(Math.min(chars / 4, 60));
    expect(JSON.stringify(shown)).toMatch(/read |more /);
  }
});

test("[MCP-6] one large part does not push out the others", () => {
  const value = { log: many(5000, (n) => `line ${n}`), tasks: many(5, (n) => ({ title: `t${n}` })), notes: "short" };
  const { value: shown } = cut(value, 4000);
  expect(shown).toMatchObject({ tasks: value.tasks, notes: "short" });
  const { log } = shown as { log: JsonObject };
  expect(Object.keys(log).length).toBeGreaterThan(10);
  expect(log["…"]).toMatch(/^\[\d+ more keys, the first "k\d+"; read one of them, or \/log with more max_chars\]$/);
});

test("[MCP-6] a cut text keeps whole characters and says how much is missing", () => {
  const { value } = outlineOf({ notes: "😀".repeat(400) }, "/a", { depth: 5, chars: 301 });
  const { notes } = value as { notes: string };
  expect(notes).toMatch(/^(?:😀)+… \[\d+ more characters; read \/a\/notes with more max_chars\]$/u);
});

test("[MCP-6] members named __proto__ and … are data like others", () => {
  const value = JSON.parse(`{"__proto__": {"x": 1}, "…": 2, "long": "${"z".repeat(500)}"}`) as JsonObject;
  const { value: shown } = cut(value, 400);
  expect(Object.keys(shown as JsonObject)).toEqual(["__proto__", "…", "long"]);
});

test("[MCP-6] a patch is cut between operations, or within a value, and says so", () => {
  const ops = Array.from({ length: 100 }, (_, n): JsonOp => ({ op: "add", path: `/k${n}`, value: "v".repeat(100) }));
  expect(cutPatch(ops.slice(0, 3))).toEqual({ patch: ops.slice(0, 3), truncated: false });
  const { patch, truncated } = cutPatch(ops, 1000);
  expect([patch.length, truncated]).toEqual([8, true]);
  const large = cutPatch([{ op: "replace", path: "", value: many(1000, (n) => n) }], 500);
  expect(large.truncated).toBe(true);
  expect(JSON.stringify(large.patch).length).toBeLessThan(1000);
  expect(cutPatch([{ op: "remove", path: "/a" }])).toEqual({ patch: [{ op: "remove", path: "/a" }], truncated: false });
});
