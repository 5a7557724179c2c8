/** The lines of a document: what is unfolded, what a change makes anew, and what values of every kind say. */
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { DocumentTree } from "../../../client/panel/store/document-tree.ts";
import { childrenOf, rootsOf, valueAt } from "../../../client/panel/store/tree-values.ts";
import { PanelMachine } from "../../support/panel-machine.ts";

const machine = new PanelMachine("http://panel.test");

function live(fill: (data: Y.Map<unknown>, doc: Y.Doc) => void): {
  doc: Y.Doc;
  data: Y.Map<unknown>;
  tree: DocumentTree;
} {
  const doc = new Y.Doc();
  const data = doc.getMap("data");
  doc.transact(() => fill(data, doc));
  return { doc, data, tree: new DocumentTree(() => rootsOf(doc), machine.frame) };
}

const shown = (tree: DocumentTree): string[] =>
  tree.lines.value.map(
    ({ depth, key, kind, head, size }) => `${" ".repeat(depth)}${key} ${head === "" ? `${kind} ${size}` : head}`,
  );

function mapOf(members: Record<string, unknown>): Y.Map<unknown> {
  return new Y.Map(Object.entries(members));
}

describe("[PANEL-5] a document's lines", () => {
  test("say values of every kind, live or plain", () => {
    const { tree } = live((data, doc) => {
      data.set("s", "x");
      data.set("n", 7);
      data.set("no", null);
      data.set("text", new Y.Text("hello"));
      data.set("plain", { a: [true] });
      data.set("list", Y.Array.from([1]));
      doc.getXmlFragment("page").insert(0, [new Y.XmlElement("p")]);
    });
    expect(shown(tree)).toEqual([
      "s x",
      "n 7",
      "no null",
      "text hello",
      "plain object 1",
      " a array 1",
      "  0 true",
      "list array 1",
      " 0 1",
      "@page <p></p>",
    ]);
  });

  test("have paths that lead back to the values", () => {
    const { doc, tree } = live((data) => data.set("a/b", mapOf({ "~": [{ "": 1 }] })));
    tree.unfoldAll();
    const lines = tree.lines.value;
    expect(lines.map(({ path }) => path)).toEqual(["/a~1b", "/a~1b/~0", "/a~1b/~0/0", "/a~1b/~0/0/"]);
    for (const { path, value } of lines) expect(valueAt(rootsOf(doc), path)).toBe(value);
  });

  test("are unfolded near the top at first, and large ones are not", () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`k${index}`, index]));
    const { tree } = live((data) => {
      data.set("small", mapOf({ a: 1 }));
      data.set("large", mapOf(many));
    });
    expect(shown(tree)).toEqual(["small object 1", " a 1", "large object 100"]);
    tree.toggle("/large");
    expect(tree.lines.value).toHaveLength(103);
    tree.foldAll();
    expect(shown(tree)).toEqual(["small object 1", "large object 100"]);
    tree.reveal("/large/k7");
    expect(tree.lines.value.map(({ path }) => path)).toContain("/large/k7");
  });
});

describe("[PANEL-6] a change", () => {
  test("makes anew the lines of what it touched, once a picture, and no others", () => {
    const { data, tree } = live((it) => {
      it.set("a", mapOf({ x: 1 }));
      it.set("b", mapOf({ y: 1 }));
    });
    const before = tree.lines.value;
    const { a, b } = { a: data.get("a"), b: data.get("b") };
    if (!(a instanceof Y.Map) || !(b instanceof Y.Map)) throw new Error("no maps");
    for (let count = 0; count < 50; count++) {
      a.set("x", count);
      tree.changed(["/a/x"]);
    }
    b.set("y", 2); // nobody said so
    expect(machine.frames).toBe(1);
    expect(tree.lines.value).toBe(before);
    machine.draw();
    expect(shown(tree)).toEqual(["a object 1", " x 49", "b object 1", " y 1"]);
    tree.changed(["/b/y"]);
    machine.draw();
    expect(shown(tree)).toEqual(["a object 1", " x 49", "b object 1", " y 2"]);
  });

  test("leaves unfolded what was, also when it is replaced", () => {
    const { data, tree } = live((it) => it.set("a", mapOf({ deep: mapOf({ x: 1 }) })));
    data.set("a", mapOf({ deep: mapOf({ x: 2 }), more: 3 }));
    tree.changed(["/a"]);
    machine.draw();
    expect(shown(tree)).toEqual(["a object 2", " deep object 1", "  x 2", " more 3"]);
    data.delete("a");
    tree.changed(["/a"]);
    machine.draw();
    expect(shown(tree)).toEqual([]);
  });

  test("of a size shows in the line above", () => {
    const { data, tree } = live((it) => {
      it.set("a", mapOf({}));
      it.set("b", mapOf({}));
    });
    const [lineOfA, lineOfB] = tree.lines.value;
    expect(shown(tree)).toEqual(["a object 0", "b object 0"]);
    const a = data.get("a");
    if (a instanceof Y.Map) a.set("x", 1);
    tree.changed(["/a/x"]);
    machine.draw();
    expect(shown(tree)).toEqual(["a object 1", " x 1", "b object 0"]);
    // a view draws a line again when it is another one
    expect(tree.lines.value[0]).not.toBe(lineOfA);
    expect(tree.lines.value[2]).toBe(lineOfB);
  });

  test("after the end is not drawn", () => {
    const { tree } = live((it) => it.set("a", 1));
    tree.changed([""]);
    tree.stop();
    expect(machine.frames).toBe(0);
  });
});

test("a past document reads as a live one", () => {
  const tree = new DocumentTree(() => childrenOf("", { a: { b: [1, "two"] } }), machine.frame);
  expect(shown(tree)).toEqual(["a object 1", " b array 2", "  0 1", "  1 two"]);
});
