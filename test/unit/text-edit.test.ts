/** The least edit, and passages in text. */
import { expect, test } from "vitest";
import { editedString, leastEdit, leastEdits, occurrenceOf } from "../../server/state/json/text-edit.ts";

test.each([
  ["one two three", "one 2 three", 4, 3, "2"],
  ["abc", "abxc", 2, 0, "x"],
  ["abxc", "abc", 2, 1, ""],
  ["aa", "aaa", 2, 0, "a"],
  ["", "x", 0, 0, "x"],
  ["x", "", 0, 1, ""],
  // U+1F600 and U+1F601 share their first half, U+1F600 and U+1FA00 their second
  ["a😀b", "a😁b", 1, 2, "😁"],
  ["a😀b", "a\u{1FA00}b", 1, 2, "\u{1FA00}"],
  ["😀", "😀😁", 2, 0, "😁"],
  ["😁😀", "😀", 0, 2, ""],
])(
  "[JSON-12] %j to %j edits no more than the difference, in whole characters",
  (before, after, ...[index, deleteCount, insert]) => {
    const edit = leastEdit(before, after);
    expect(edit).toEqual({ index, deleteCount, insert });
    expect(edit && editedString(before, edit)).toBe(after);
  },
);

const change = (index: number, deleteCount: number, insert: string): unknown => ({ index, deleteCount, insert });

test.each<[string, string, unknown[]]>([
  ["one two three four", "1 two 3 four", [change(8, 5, "3"), change(0, 3, "1")]],
  ["ab\ncd\nef\n", "ab\nCD\nef\ngh\n", [change(8, 0, "\ngh"), change(3, 2, "CD")]],
  ["a😀bbbbbb😀c", "a😁bbbbbb\u{1FA00}c", [change(9, 2, "\u{1FA00}"), change(1, 2, "😁")]],
  // "o" and " " are in both by chance
  ["hello world", "goodbye moon", [change(0, 11, "goodbye moon")]],
  [
    "a long beginning, kept, a long ending",
    "something else, kept, and anything",
    [change(25, 9, "nd anyth"), change(0, 16, "something else")],
  ],
  ["x--y", "xx--yy", [change(3, 0, "y"), change(1, 0, "x")]],
  ["same", "same", []],
])("[JSON-12] %j to %j leaves what both have, and edits from the end on", (before, after, edits) => {
  expect(leastEdits(before, after)).toEqual(edits);
  expect(leastEdits(before, after).reduce(editedString, before)).toBe(after);
});

test("[JSON-12] a new paragraph and a letter at the other end are two edits, however long the text", () => {
  const text = Array.from({ length: 20_000 }, (_, line) => `line ${line} of a text that is 600,000 characters long\n`);
  const after = [...text.slice(0, 3), "a paragraph\n".repeat(1000), ...text.slice(3, -1), "the end"];
  const edits = leastEdits(text.join(""), after.join(""));
  expect(edits).toHaveLength(2);
  expect(edits.reduce(editedString, text.join(""))).toBe(after.join(""));
});

test("[JSON-12] texts that have nothing in common are replaced at once", () => {
  const [before, after] = [1, 2].map((seed) => {
    let state = seed;
    const next = (): number => (state = (state * 48_271) % 0x7fffffff);
    return Array.from({ length: 200_000 }, () => String.fromCharCode(97 + (next() % 26))).join("");
  });
  expect(leastEdits(`<${before}>`, `<${after}>`)).toHaveLength(1);
});

test("[JSON-9] equal strings need no edit", () => {
  expect(leastEdit("same", "same")).toBeUndefined();
});

test.each([
  ["b", "abc", 1],
  ["c", "abc", 2],
  ["d", "abc", "none"],
  ["a", "aba", "several"],
  ["aa", "aaa", "several"],
  ["abab", "ababab", "several"],
])("[JSON-11] %j in %j: %s", (passage, text, found) => {
  expect(occurrenceOf(passage, text)).toBe(found);
});
