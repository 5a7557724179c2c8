/** A value as far as it fits: rule PRE-5. */
import * as Y from "yjs";
import { expect, test } from "vitest";
import { outlineAt } from "../../server/state/outline-at.ts";
import { writeInitialData } from "../../server/state/json/json-data.ts";

const docOf = (data: Parameters<typeof writeInitialData>[1]): Y.Doc => {
  const doc = new Y.Doc();
  writeInitialData(doc, data);
  return doc;
};

test("[PRE-5] a small value is whole, a large one unfolded as deep as fits, one that is not there is undefined", () => {
  const doc = docOf({
    a: { b: [1, 2, { c: "0123456789" }] },
    many: Object.fromEntries([...Array(500).keys()].map((n) => [n, n])),
  });
  expect(outlineAt(doc, "/a", 100)).toEqual({ b: [1, 2, { c: "0123456789" }] });
  expect(outlineAt(doc, "/a", 25)).toEqual({ b: [1, 2, { $object: 1 }] });
  expect(outlineAt(doc, "/a", 20)).toEqual({ b: { $array: 3 } });
  expect(outlineAt(doc, "", 100)).toEqual({ a: { $object: 1 }, many: { $object: 500 } });
  expect(outlineAt(doc, "/many", 100)).toEqual({ $object: 500 });
  expect(outlineAt(doc, "/x", 100)).toBeUndefined();
  expect(outlineAt(docOf({ s: "x".repeat(1000) }), "/s", 100)).toBeUndefined();
  // bytes, not characters
  expect(outlineAt(docOf({ s: "€".repeat(40) }), "/s", 100)).toBeUndefined();
});
