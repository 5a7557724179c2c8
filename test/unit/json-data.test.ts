/** JSON into an empty document, and what stands at a path. */
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { ServiceError } from "../../shared/errors.ts";
import type { Json } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { writeInitialData } from "../../server/state/json/json-data.ts";
import { readData } from "../../shared/read-data.ts";

function docWith(data: Record<string, unknown>): Y.Doc {
  const doc = new Y.Doc();
  writeInitialData(doc, JSON.parse(JSON.stringify(data)));
  return doc;
}

/** As a server has it: no root has a type yet. */
function loaded(doc: Y.Doc): Y.Doc {
  const copy = new Y.Doc();
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
  return copy;
}

function nested(levels: number): Json {
  let value: Json = 1;
  for (let i = 0; i < levels; i++) value = { in: value };
  return value;
}

function refusal(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    if (error instanceof ServiceError) return { code: error.code, path: error.details["path"] };
    throw error;
  }
  return "not refused";
}

describe("writing", () => {
  test("[JSON-1] objects become maps, arrays arrays, a marked string a text", () => {
    const doc = docWith({ o: { a: 1 }, l: [1, { b: [] }], t: { $text: "hello" }, s: "plain", n: null, yes: true });
    const root = doc.getMap("data");
    expect(root.get("o")).toBeInstanceOf(Y.Map);
    expect(root.get("l")).toBeInstanceOf(Y.Array);
    expect(root.get("t")).toBeInstanceOf(Y.Text);
    expect(root.toJSON()).toEqual({ o: { a: 1 }, l: [1, { b: [] }], t: "hello", s: "plain", n: null, yes: true });
  });

  test("[JSON-1] an array of 200,000 elements is no problem for the stack", () => {
    const list = Array.from({ length: 200_000 }, (_, index) => index % 7);
    expect(readData(docWith({ deep: { list } }), "/deep/list")).toEqual(list);
  });

  test("[JSON-1] -0 becomes 0, and empty keys are keys", () => {
    const doc = new Y.Doc();
    writeInitialData(doc, { zero: -0, "": { "": [""] } });
    expect(Object.is(readData(doc, "/zero"), 0)).toBe(true);
    expect(readData(loaded(doc), "//")).toEqual([""]);
  });

  test("[JSON-4] the deepest nesting is taken, one more is not", () => {
    // the root is the first of depthMax
    expect(readData(docWith({ x: nested(LIMITS.depthMax - 1) }), "")).toEqual({ x: nested(LIMITS.depthMax - 1) });
    const tooDeep = `/x${"/in".repeat(LIMITS.depthMax - 1)}`;
    expect(refusal(() => docWith({ x: nested(LIMITS.depthMax) }))).toEqual({ code: "INVALID_CHANGE", path: tooDeep });
    expect(refusal(() => writeInitialData(new Y.Doc(), { x: nested(100_000) }))).toMatchObject({ path: tooDeep });
  });

  test.each<[string, string, string]>([
    ["a member called __proto__", '{"a":{"__proto__":{"isAdmin":true}}}', "/a"],
    ["a marked text with a second member", '{"a":[{"$text":"x","b":1}]}', "/a/0"],
    ["a marked text that is no string", '{"a":{"$text":7}}', "/a"],
    ["data that is a text", '{"$text":"x"}', ""],
    ["half a surrogate pair in a string", '{"a":["\\ud83d"]}', "/a/0"],
    ["half a surrogate pair in a key", '{"a":{"x\\ude00":1}}', "/a"],
    ["a number beyond all numbers", '{"a":{"b":1e999}}', "/a/b"],
    ["a long key", `{"a":{"${"k".repeat(LIMITS.keyCharsMax + 1)}":1}}`, "/a"],
    ["a long string", `{"a":"${"k".repeat(LIMITS.stringCharsMax + 1)}"}`, "/a"],
  ])("[JSON-4] %s is refused, and the document stays empty", (_, json, path) => {
    const doc = new Y.Doc();
    const got = refusal(() => writeInitialData(doc, JSON.parse(json)));
    expect(got).toEqual({ code: "INVALID_CHANGE", path: path === "" ? undefined : path });
    expect(Y.encodeStateAsUpdate(doc)).toEqual(Y.encodeStateAsUpdate(new Y.Doc()));
  });

  test("[JSON-4] what only looks like the refused is taken", () => {
    const data = { $texts: "a", x$text: 1, proto: { constructor: "c", toString: 1 }, pair: "😀" };
    expect(readData(docWith(data), "")).toEqual(data);
  });

  test("[JSON-4] data beyond the size of a context is TOO_LARGE", () => {
    const megabyte = "m".repeat(LIMITS.stringCharsMax);
    const data = Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`k${index}`, megabyte]));
    expect(refusal(() => writeInitialData(new Y.Doc(), data))).toMatchObject({ code: "TOO_LARGE" });
  });
});

describe("reading", () => {
  const doc = docWith({ tasks: { t1: { title: "Ship", tags: ["a", "b"], "x/y~z": 0 } }, none: {}, nil: [] });

  test.each<[string, Json]>([
    ["", { tasks: { t1: { title: "Ship", tags: ["a", "b"], "x/y~z": 0 } }, none: {}, nil: [] }],
    ["/tasks/t1/tags/1", "b"],
    ["/tasks/t1/x~1y~0z", 0],
    ["/none", {}],
  ])("[JSON-2] %s", (path, value) => {
    expect(readData(doc, path)).toEqual(value);
  });

  test.each([
    ["/tasks/t2", "/tasks/t2"],
    ["/tasks/t2/title", "/tasks/t2"],
    ["/tasks/t1/tags/2", "/tasks/t1/tags/2"],
    ["/tasks/t1/tags/-", "/tasks/t1/tags/-"],
    ["/tasks/t1/tags/01", "/tasks/t1/tags/01"],
    ["/tasks/t1/tags/length", "/tasks/t1/tags/length"],
    ["/tasks/t1/title/0", "/tasks/t1/title/0"],
    ["/tasks/toString", "/tasks/toString"],
    ["/__proto__", "/__proto__"],
    ["@nobody", "@nobody"],
  ])("[JSON-2] %s is not found, and the refusal names the first place that is missing", (path, missing) => {
    expect(refusal(() => readData(doc, path))).toEqual({ code: "PATH_NOT_FOUND", path: missing });
  });

  test("[JSON-2] what is no path is INVALID_REQUEST", () => {
    expect(refusal(() => readData(doc, "tasks"))).toMatchObject({ code: "INVALID_REQUEST" });
  });

  test("[JSON-2] depth unfolds that many levels; below it stands how much there is", () => {
    expect(readData(doc, "", 0)).toEqual({ $object: 3 });
    expect(readData(doc, "", 1)).toEqual({ tasks: { $object: 1 }, none: {}, nil: [] });
    expect(readData(doc, "/tasks", 2)).toEqual({ t1: { title: "Ship", tags: { $array: 2 }, "x/y~z": 0 } });
    expect(readData(doc, "/tasks/t1/title", 0)).toBe("Ship");
  });

  test("[JSON-2] deeper than any data may be nested nothing is unfolded, whatever depth is asked for", () => {
    const live = new Y.Doc();
    live.getMap("data").set("x", nested(1000));
    const read = JSON.stringify(readData(live, "", Infinity));
    expect(read.split('"in"').length - 1).toBe(LIMITS.depthMax - 1);
    expect(read).toContain('{"$object":1}');
  });

  test("[JSON-3] values that JSON has no word for have a documented form", () => {
    const live = new Y.Doc();
    const root = live.getMap("data");
    root.set("bytes", new Uint8Array([1, 2, 255]));
    root.set("big", 9007199254740993n);
    root.set("nan", Number.NaN);
    root.set("nothing", undefined);
    root.set("whole", { list: [1, { b: 5n }], none: undefined });
    root.set("xml", new Y.XmlElement("p"));
    const text = new Y.Text("ab");
    root.set("text", text);
    text.insertEmbed(1, { image: "x" });
    for (const replica of [live, loaded(live)]) {
      expect(readData(replica, "")).toEqual({
        bytes: { $bytes: "AQL/" },
        big: { $bigint: "9007199254740993" },
        nan: null,
        nothing: null,
        whole: { list: [1, { b: { $bigint: "5" } }], none: null },
        xml: "<p></p>",
        text: "a\uFFFCb",
      });
      expect(readData(replica, "/whole/list/1/b")).toEqual({ $bigint: "5" });
      expect(refusal(() => readData(replica, "/bytes/0"))).toMatchObject({ code: "PATH_NOT_FOUND" });
    }
  });

  test("[JSON-3] a stored __proto__ is an own key and no prototype", () => {
    const live = new Y.Doc();
    live.getMap("data").set("__proto__", new Y.Map([["isAdmin", true]]));
    const read = readData(live, "");
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype);
    expect(JSON.stringify(read)).toBe('{"__proto__":{"isAdmin":true}}');
  });

  describe("other roots", () => {
    const editor = new Y.Doc();
    editor.getText("note").insert(0, "Hello");
    editor.getText("note").format(0, 2, { bold: true });
    editor.getMap("settings").set("font", new Y.Map([["size", 12]]));
    editor.getMap("settings").set("gone", 1);
    editor.getMap("settings").delete("gone");
    editor.getArray("list").push([1, new Y.Map([["a", 1]])]);
    editor.getArray("list").delete(0);
    editor.getXmlFragment("prose").insert(0, [new Y.XmlElement("p"), new Y.XmlText("x")]);
    editor.getText("emptied").insert(0, "x");
    editor.getText("emptied").delete(0, 1);

    const cases: [string, Json][] = [
      ["@note", "Hello"],
      ["@settings", { font: { size: 12 } }],
      ["@settings/font/size", 12],
      ["@list", [{ a: 1 }]],
      ["@list/0/a", 1],
      ["@prose", "<p></p>x"],
    ];

    test.each(cases)("[JSON-3] %s reads the same whether or not its type is known", (path, value) => {
      expect(readData(editor, path)).toEqual(value);
      expect(readData(loaded(editor), path)).toEqual(value);
    });

    test("[JSON-3] reading gives no root a type and changes nothing", () => {
      const server = loaded(editor);
      const before = Y.encodeStateAsUpdate(server);
      for (const [path] of cases) readData(server, path);
      expect(readData(server, "@emptied")).toBe(null);
      for (const name of ["note", "settings", "list", "prose", "emptied"]) {
        expect(server.share.get(name)?.constructor).toBe(Y.AbstractType);
      }
      expect(Y.encodeStateAsUpdate(server)).toEqual(before);
      expect(server.getXmlFragment("prose").toJSON()).toBe("<p></p>x");
    });
  });
});
