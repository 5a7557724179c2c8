/** Three-way merge of JSON: what a rescue rests on. Rule SDK-31 as far as it is the merge's. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mergeJson } from "../../../client/merge-json.ts";
import type { Json } from "../../../shared/json.ts";

const text = (value: string): Json => ({ $text: value });
const merge = (before: Json, ours: Json, theirs: Json, isStrict = false): Json | undefined =>
  mergeJson({ before, ours, theirs }, { isStrict });

describe("[SDK-31] what we did goes on top of what others did", () => {
  test.each<[string, Json, Json, Json, Json]>([
    ["different members", { a: 1, b: 1 }, { a: 2, b: 1 }, { a: 1, b: 2, c: 3 }, { a: 2, b: 2, c: 3 }],
    ["a removal and an addition", { a: 1, b: 1 }, { b: 1 }, { a: 1, b: 1, c: 1 }, { b: 1, c: 1 }],
    ["the same on both sides", { a: 1 }, { a: 2 }, { a: 2 }, { a: 2 }],
    ["an object made on both sides", {}, { a: { x: 1 } }, { a: { y: 2 } }, { a: { y: 2, x: 1 } }],
    ["a text, before theirs", text("one three"), text("one two three"), text("one three!"), text("one two three!")],
    ["a text, after theirs", text("two"), text("two three"), text("one two"), text("one two three")],
    ["a text, at one point", text("a b"), text("a x b"), text("a y b"), text("a x y b")],
    [
      "a text, where letters could be taken for others",
      text("t5 "),
      text("t33 t5 t28 "),
      text("t50 t44 t5 "),
      text("t50 t44 t33 t5 t28 "),
    ],
    ["a text without blanks", text("今日は"), text("今日も"), text("昨今日は"), text("昨今日も")],
    ["a text, words that begin alike", text("t1 "), text("t18 t1 "), text("t14 t1 "), text("t18 t14 t1 ")],
    ["a text, a word after and one before", text("t1 "), text("t1 t18 "), text("t14 t1 "), text("t14 t1 t18 ")],
    ["a text, a removed word", text("t1 t14 t15 "), text("t1 t15 "), text("t1 t14 t15 t18 "), text("t1 t15 t18 ")],
    ["a list", [1, 2, 3], [1, 2, 3, 4], [0, 1, 2, 3], [0, 1, 2, 3, 4]],
    ["an element", [{ a: 1 }, 2], [{ a: 9 }, 2], [{ a: 1 }, 2, 3], [{ a: 9 }, 2, 3]],
    ["a member called __proto__", {}, JSON.parse('{"__proto__": 1}'), { a: 1 }, JSON.parse('{"a": 1, "__proto__": 1}')],
  ])("%s", (_what, ...[before, ours, theirs, expected]) => {
    const merged = merge(before, ours, theirs);
    expect(merged).toEqual(expected);
    expect(Object.keys(merged ?? {})).toEqual(Object.keys(expected ?? {}));
  });

  test.each<[string, Json, Json, Json]>([
    ["one member, set twice", { a: 1 }, { a: 2 }, { a: 3 }],
    ["a removed member that they set", { a: 1 }, {}, { a: 2 }],
    ["a member we set and they removed", { a: 1 }, { a: 2 }, {}],
    ["one member, added twice", {}, { a: 1 }, { a: 2 }],
    ["overlapping parts of a text", text("abc"), text("aXc"), text("aYc")],
    ["one word, in different letters", text("a word"), text("a ward"), text("a world")],
    ["the two ends of one word", text("abcd"), text("abcX"), text("Ybcd")],
    ["the end of one word", text("word"), text("words"), text("wordy")],
    ["a character of two units", text("😀"), text("😁"), text("😂")],
    ["an insertion in what they removed", text("abcd"), text("abXcd"), text("ad")],
    ["overlapping parts of a list", [1, 2, 3], [1, 9, 3], [1, 8, 3]],
    ["a text and a string", text("a"), text("b"), "a"],
    ["a list and no list", [1], [1, 2], { a: 1 }],
  ])("not when both changed one place: %s", (_what, before, ours, theirs) => {
    expect(merge(before, ours, theirs)).toBeUndefined();
  });
});

describe("[SDK-31] strictly, ours may be there already", () => {
  test("what reads as ours is left, what reads as before is made so", () => {
    expect(merge({ a: 1, b: 1 }, { a: 2, b: 2 }, { a: 2, b: 1, c: 1 }, true)).toEqual({ a: 2, b: 2, c: 1 });
    expect(merge([1], [1, 2], [1, 2], true)).toEqual([1, 2]);
    expect(merge(text("a"), text("ab"), text("ab"), true)).toEqual(text("ab"));
  });

  test("anything else is no merge: an insertion could be there twice", () => {
    expect(merge([1], [1, 2], [1, 2, 3], true)).toBeUndefined();
    expect(merge(text("a"), text("ab"), text("abc"), true)).toBeUndefined();
  });
});

const leaf = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc.constantFrom("", "x"),
  fc.stringMatching(/^[ab]{0,4}$/).map(text),
);
const value: fc.Arbitrary<Json> = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { depthSize: "small" },
    leaf,
    fc.array(tie("json"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("a", "b", "c"), tie("json"), { maxKeys: 3 }),
  ),
})).json;

test("[SDK-31] nothing changed on one side gives the other, in any documents", () => {
  fc.assert(
    fc.property(value, value, fc.boolean(), (before, after, isStrict) => {
      expect(merge(before, after, before, isStrict)).toEqual(after);
      expect(merge(before, before, after, isStrict)).toEqual(after);
      expect(merge(before, after, after, isStrict)).toEqual(after);
    }),
    { seed: 7, numRuns: 2000 },
  );
});

test("[SDK-31] a lenient merge holds all that both inserted into a list, once", () => {
  const inserts = fc.record({ at: fc.nat(5), items: fc.array(fc.string(), { minLength: 1, maxLength: 3 }) });
  fc.assert(
    fc.property(inserts, inserts, (mine, other) => {
      const before: readonly Json[] = [0, 1, 2, 3, 4];
      const inserted = (at: number, items: readonly Json[]): Json[] => [
        ...before.slice(0, at),
        ...items,
        ...before.slice(at),
      ];
      const ours = inserted(
        mine.at,
        mine.items.map((it, i) => `m${i}${it}`),
      );
      const theirs = inserted(
        other.at,
        other.items.map((it, i) => `o${i}${it}`),
      );
      const merged = merge(before, ours, theirs);
      expect(merged).toHaveLength(before.length + mine.items.length + other.items.length);
      for (const item of [...ours, ...theirs]) expect(merged).toContain(item);
    }),
    { seed: 7, numRuns: 1000 },
  );
});
