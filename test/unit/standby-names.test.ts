/** What synchronous_standby_names may say, and what that is to whoever counts standbys. */
import { expect, test } from "vitest";
import { parseStandbyNames } from "../../server/storage/postgres/standby-names.ts";

test.each([
  ["", 0, []],
  ["a", 1, ["a"]],
  [" a , b ", 1, ["a", "b"]],
  ["2 (a, b, c)", 2, ["a", "b", "c"]],
  ["FIRST 1 (a, b)", 1, ["a", "b"]],
  ["any 2 (a,b,c)", 2, ["a", "b", "c"]],
  ["*", 1, ["*"]],
  ["ANY 1 (*)", 1, ["*"]],
  ['FIRST 1 ("Node-1", "a ""b"", c", Node2)', 1, ["node-1", 'a "b", c', "node2"]],
  // names, not words of the list
  ["first, any", 1, ["first", "any"]],
])("[MON-11] %j needs %i of %j", (text, needed, names) => {
  expect(parseStandbyNames(text)).toEqual({ needed, names });
});
