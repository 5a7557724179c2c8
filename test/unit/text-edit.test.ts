/** The least edit, and passages in text. */
import { expect, test } from "vitest";
import { editedString, leastEdit, occurrenceOf } from "../../server/state/json/text-edit.ts";

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
