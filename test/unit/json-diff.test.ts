/** Differences of JSON: what they say, that it is little, and that it stays within bounds. */
import { describe, expect, test } from "vitest";
import type { JsonOp } from "../../shared/change.ts";
import { diffJson, diffRoots } from "../../shared/json-diff.ts";
import type { Json } from "../../shared/json.ts";
import { patched } from "../support/json-patch.ts";

const add = (path: string, value: Json): JsonOp => ({ op: "add", path, value });
const remove = (path: string): JsonOp => ({ op: "remove", path });
const replace = (path: string, value: Json): JsonOp => ({ op: "replace", path, value });
const text = (it: string): Json => ({ $text: it });
const task = (id: number, title: string): Json => ({ id, title, tags: ["a"], open: true });

describe("objects", () => {
  test.each<[string, Json, Json, JsonOp[]]>([
    ["nothing", { a: 1, b: { c: [1] } }, { b: { c: [1] }, a: 1 }, []],
    ["a member changed", { a: 1, b: { c: 2 } }, { a: 1, b: { c: 3 } }, [replace("/b/c", 3)]],
    ["a member came", { a: {} }, { a: { "x/y~z": null } }, [add("/a/x~1y~0z", null)]],
    ["a member went", { a: 1, "": { b: 2 } }, { "": {} }, [remove("/a"), remove("//b")]],
    ["another kind", { a: { b: 1 }, c: [1] }, { a: [1], c: null }, [replace("/a", [1]), replace("/c", null)]],
    ["null is a value", { a: null }, { a: {} }, [replace("/a", {})]],
    ["a text is one value", { t: text("ab") }, { t: text("ac") }, [replace("/t", text("ac"))]],
    ["bytes are one value", { t: { $bytes: "AQ==" } }, { t: { $bytes: "Ag==" } }, [replace("/t", { $bytes: "Ag==" })]],
    ["a text becomes a string", { t: text("ab") }, { t: "ab" }, [replace("/t", "ab")]],
    ["the whole", { a: 1 }, [1], [replace("", [1])]],
  ])("[JDIFF-1] %s", (_, before, after, ops) => {
    expect(diffJson(before, after)).toEqual(ops);
    expect(patched(before, ops)).toEqual(after);
  });

  test("[JDIFF-1] paths begin where the values stand", () => {
    expect(diffJson({ b: [1] }, { b: [2] }, "/a")).toEqual([replace("/a/b/0", 2)]);
    expect(diffJson({ b: [1] }, { b: [1, 2] }, "@settings")).toEqual([add("@settings/b/1", 2)]);
    expect(diffJson(text("a"), text("b"), "@note")).toEqual([replace("@note", text("b"))]);
  });

  test("[JDIFF-2] keys that mean something to JavaScript are keys", () => {
    const before: Json = JSON.parse('{"__proto__":{"a":1},"constructor":1}');
    const after: Json = JSON.parse('{"__proto__":{"a":2},"toString":1}');
    expect(diffJson(before, after)).toEqual([replace("/__proto__/a", 2), remove("/constructor"), add("/toString", 1)]);
    expect(diffJson({}, JSON.parse('{"__proto__":1}'))).toEqual([add("/__proto__", 1)]);
    expect(diffJson(JSON.parse('{"__proto__":1}'), {})).toEqual([remove("/__proto__")]);
  });
});

describe("lists", () => {
  test.each<[string, Json[], Json[], JsonOp[]]>([
    ["an element came", [1, 2, 3], [1, 9, 2, 3], [add("/1", 9)]],
    ["elements came at the end", [1], [1, 2, 3], [add("/1", 2), add("/2", 3)]],
    ["an element went", [1, 2, 3], [1, 3], [remove("/1")]],
    ["several went", [1, 2, 3, 4], [4], [remove("/0"), remove("/0"), remove("/0")]],
    ["one was replaced", [1, 2, 3], [1, 9, 3], [replace("/1", 9)]],
    ["here and there", [1, 2, 3, 4, 5, 6], [0, 1, 2, 4, 5, 7, 6], [add("/0", 0), remove("/3"), add("/5", 7)]],
    ["equal elements", ["a", "a", "a"], ["a", "a"], [remove("/2")]],
    [
      "lists in lists",
      [[1, 2], [3]],
      [
        [1, 2],
        [3, 4],
      ],
      [add("/1/1", 4)],
    ],
    ["a changed one stays", [task(1, "x"), task(2, "y")], [task(1, "x"), task(2, "z")], [replace("/1/title", "z")]],
    ["another is another", [{ a: 1 }], [{ b: 2 }], [replace("/0", { b: 2 })]],
    [
      "one came before a changed one",
      [task(1, "x"), task(2, "y")],
      [task(1, "x"), task(3, "n"), task(2, "z")],
      [add("/1", task(3, "n")), replace("/2/title", "z")],
    ],
    [
      "one went before a changed one",
      [task(1, "x"), task(2, "y"), task(3, "z")],
      [task(2, "y!"), task(3, "z")],
      [remove("/0"), replace("/0/title", "y!")],
    ],
    [
      "a text among others keeps its place",
      [text("one two three"), 1],
      [0, text("one 2 three"), 1],
      [add("/0", 0), replace("/1", text("one 2 three"))],
    ],
  ])("[JDIFF-2] %s", (_, before, after, ops) => {
    expect(diffJson(before, after)).toEqual(ops);
    expect(patched(before, ops)).toEqual(after);
  });

  test("[JDIFF-2] a field that all elements got is added to each, however many there are", () => {
    const before = Array.from({ length: 20_000 }, (_, id) => ({ id, title: `t${id}`, open: false }));
    const after = before.map((it) => ({ ...it, owner: "ada" }));
    expect(diffJson(before, after)).toEqual(before.map(({ id }) => add(`/${id}/owner`, "ada")));
  });
});

describe("bounds", () => {
  test("[JDIFF-4] long lists that have nothing in common are replaced whole", () => {
    const before = Array.from({ length: 50_000 }, (_, i) => i);
    const after = Array.from({ length: 50_000 }, (_, i) => -1 - i);
    expect(diffJson({ a: before, b: 1 }, { a: after, b: 2 })).toEqual([replace("/a", after), replace("/b", 2)]);
  });

  test("[JDIFF-4] what is nested deeper than data may be is replaced whole, and needs no stack", () => {
    const nested = (levels: number, leaf: Json): Json => {
      let value = leaf;
      for (let i = 0; i < levels; i++) value = i % 2 === 0 ? { in: value } : [value, i];
      return value;
    };
    const [op, ...others] = diffJson(nested(100_000, 1), nested(100_000, 2));
    expect(others).toEqual([]);
    expect(op?.path.split("/").length).toBeLessThanOrEqual(65);
  });
});

describe("elements too deep to look at", () => {
  test("[JDIFF-4] equal nothing", () => {
    const deep = (leaf: Json): Json => {
      let value = leaf;
      for (let i = 0; i < 100; i++) value = [value];
      return value;
    };
    const [before, after]: [Json, Json] = [
      [1, deep(1), deep(2), 2],
      [1, deep(3), 2, deep(4), deep(5), 3],
    ];
    expect(patched(before, diffJson(before, after))).toEqual(after);
  });
});

describe("roots", () => {
  test("[JDIFF-1] each root is compared at its own path", () => {
    const before = { data: { a: 1 }, roots: { note: text("a"), "x/y": { b: 1 }, list: [1] } };
    const after = { data: { a: 2 }, roots: { note: text("b"), "x/y": {}, list: [1] } };
    expect(diffRoots(before, after)).toEqual([replace("/a", 2), replace("@note", text("b")), remove("@x~1y/b")]);
  });

  test("[JDIFF-1] a root that is missing counts as an empty one and is replaced whole", () => {
    const full = { data: {}, roots: { list: [1], note: text("a"), prose: { $xml: [null] }, map: { a: 1 } } };
    const empty = { data: {}, roots: {} };
    expect(diffRoots(full, empty)).toEqual([
      replace("@list", []),
      replace("@map", {}),
      replace("@note", text("")),
      replace("@prose", { $xml: [] }),
    ]);
    expect(diffRoots(empty, full)).toEqual(
      Object.entries(full.roots)
        .map(([name, root]) => replace(`@${name}`, root))
        .sort((a, b) => (a.path < b.path ? -1 : 1)),
    );
  });
});
