/** Reading a replica, its roots named or not; and the live types. */
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { LiveData } from "../../../client/live-data.ts";
import { findData } from "../../../shared/read-data.ts";

function sample(): Y.Doc {
  const doc = new Y.Doc();
  const data = doc.getMap("data");
  const list = new Y.Array<unknown>();
  const text = new Y.Text("ab");
  text.insertEmbed(1, { image: 1 });
  data.set(
    "object",
    new Y.Map<unknown>([
      ["list", list],
      ["a/b", 1],
      ["__proto__", { isAdmin: true }],
    ]),
  );
  list.push([1, null, { plain: [true, "x"] }, text]);
  data.set("bytes", new Uint8Array([1, 2, 3]));
  data.set("big", 12n);
  data.set("nan", Number.NaN);
  data.set("gone", 1);
  data.delete("gone");
  doc.getText("note").insert(0, "hello");
  doc.getXmlFragment("page").insert(0, [new Y.XmlElement("p")]);
  doc.getArray("items").push([1]);
  doc.getMap("other").set("k", "v");
  return doc;
}

/** Roots of a document that came by the wire have no class yet. */
function received(): Y.Doc {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, Y.encodeStateAsUpdate(sample()));
  return doc;
}

const PATHS = [
  "",
  "/object",
  "/object/list",
  "/object/list/2/plain/1",
  "/object/list/3",
  "/object/a~1b",
  "/object/__proto__",
  "/bytes",
  "/big",
  "/nan",
];
const ROOTS = ["@note", "@page", "@items", "@items/0", "@other", "@other/k"];

describe("[SDK-2] reading a replica", () => {
  test.each([...PATHS, ...ROOTS])(
    "gives the same at '%s' whether or not the application has named the roots",
    (path) => {
      const value = findData(sample(), path);
      expect(value).toBeDefined();
      expect(findData(received(), path)).toEqual(value);
    },
  );

  test.each([
    "/gone",
    "/object/nothing",
    "/object/list/9",
    "/object/list/-1",
    "/object/list/01",
    "/nan/a",
    "/object/list/2/toString",
    "@nothing",
    "@none/a",
  ])("finds nothing at '%s'", (path) => {
    expect(findData(received(), path)).toBeUndefined();
  });

  test("gives values of the caller's own", () => {
    const doc = sample();
    const value = findData(doc, "/object/list/2");
    (value as { plain: unknown[] }).plain.push("more");
    expect(findData(doc, "/object/list/2")).toEqual({ plain: [true, "x"] });
  });
});

describe("[SDK-7] live types", () => {
  test("are the document's own, made when they are not there", () => {
    const doc = sample();
    const live = new LiveData(() => doc);
    expect(live.getMap("object")).toBe(doc.getMap("data").get("object"));
    live.getText("new").insert(0, "x");
    live.getArray("also").push([1]);
    expect(live.root.get("new")?.toString()).toBe("x");
    expect(findData(doc, "/also")).toEqual([1]);
  });

  test("of another kind are refused", () => {
    const live = new LiveData(() => sample());
    for (const ask of [() => live.getText("object"), () => live.getMap("big"), () => live.getArray("object")]) {
      expect(ask).toThrow(expect.objectContaining({ code: "INVALID_CHANGE" }));
    }
  });
});
