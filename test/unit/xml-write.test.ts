/** XML of editors as a tree, and back: no more is written than differs. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { ServiceError } from "../../shared/errors.ts";
import { diffRoots } from "../../shared/json-diff.ts";
import type { Json } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { readMarked, readRoots } from "../../shared/read-data.ts";
import { applyJsonOps } from "../../server/state/json/json-changes.ts";
import { restoreXml, xmlFrom } from "../../server/state/json/xml-write.ts";
import { xmlTreeOf } from "../../shared/value-json.ts";

const text = (insert: string, attributes?: Json): Json => ({
  text: [attributes === undefined ? { insert } : { insert, attributes }],
});
const p = (...children: Json[]): Json => ({ element: "p", children });

function docWith(nodes: readonly Json[], clientID = 1): Y.Doc {
  const doc = new Y.Doc();
  doc.clientID = clientID;
  const made = xmlFrom([...nodes]);
  if (!(made instanceof Y.XmlFragment)) throw new Error("A list of nodes makes a fragment.");
  doc.getMap("data").set("made", made);
  doc.transact(() => restoreXml(doc.getXmlFragment("prose"), [...nodes]));
  return doc;
}

function replicaOf(doc: Y.Doc, clientID = 2): Y.Doc {
  const replica = new Y.Doc();
  Y.applyUpdate(replica, Y.encodeStateAsUpdate(doc));
  replica.clientID = clientID;
  return replica;
}

const proseOf = (doc: Y.Doc): Json => xmlTreeOf(doc.getXmlFragment("prose"));

function codeOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    if (error instanceof ServiceError) return [error.code, error.details["path"]];
    throw error;
  }
  return "not refused";
}

const page: Json[] = [
  { element: "heading", attributes: { level: 1, meta: { a: [1, null] } }, children: [text("Title")] },
  p({ text: [{ insert: "plain " }, { insert: "bold", attributes: { bold: true, link: { href: "x" } } }] }),
  p({ text: [{ insert: "a" }, { insert: { image: "i" } }, { insert: "b" }] }, { element: "br" }),
  { element: "list", children: [p(text("one")), p(text("two"))] },
];

describe("a tree", () => {
  test("[XML-1] gives the XML that it was read from, known type or not", () => {
    const doc = docWith(page);
    expect(proseOf(doc)).toEqual(page);
    const server = replicaOf(doc);
    expect(readMarked(server, "@prose")).toEqual({ $xml: page });
    expect(readMarked(server, "/made")).toEqual({ $xml: page });
    expect(server.share.get("prose")?.constructor).toBe(Y.AbstractType);
    expect(server.getXmlFragment("prose").toJSON()).toBe(doc.getXmlFragment("prose").toJSON());
  });

  test("[XML-1] what JSON cannot hold is null: a hook, a text with a Yjs type in it", () => {
    const doc = new Y.Doc();
    const [holder, hook] = [new Y.XmlText(), new Y.XmlHook("h")];
    doc.getXmlFragment("prose").insert(0, [holder, hook, new Y.XmlElement("p")] as (Y.XmlText | Y.XmlElement)[]);
    holder.insertEmbed(0, new Y.Map());
    expect(readMarked(replicaOf(doc), "@prose")).toEqual({ $xml: [null, null, { element: "p" }] });
  });

  const tree = fc.letrec<{ node: Json; children: Json[] }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3, depthSize: "small" },
      fc.constantFrom("", "a", "ab", "b😀", "\uFFFC").map((it) => (it === "" ? { text: [] } : text(it))),
      fc.constantFrom<Json>(text("b", { bold: true }), {
        text: [
          { insert: "x" },
          { insert: { e: 1 } },
          { insert: { e: 2 }, attributes: { bold: true } },
          { insert: "y" },
        ],
      }),
      fc.record({ element: fc.constantFrom("p", "q"), attributes: fc.constantFrom({ a: 1 }, { a: 2, b: "x" }) }),
      tie("children").map((children) => (children.length === 0 ? { element: "p" } : { element: "p", children })),
    ),
    children: fc.array(tie("node"), { maxLength: 4 }),
  }));

  test("[XML-2] is what stands there after restoring it over any other, on every replica", () => {
    fc.assert(
      fc.property(tree.children, tree.children, (before, after) => {
        const doc = docWith(before);
        expect(proseOf(doc)).toEqual(before);
        doc.transact(() => restoreXml(doc.getXmlFragment("prose"), after));
        expect(proseOf(doc)).toEqual(after);
        const roots = after.length === 0 ? {} : { prose: { $xml: after } };
        expect(readRoots(replicaOf(doc)).roots).toEqual(roots);
      }),
      { seed: 20_261_122, numRuns: 150 },
    );
  });
});

describe("restoring", () => {
  /** Restores `page` over what `change` made of it, while another edits; both come to the same. */
  function restored(change: (prose: Y.XmlFragment) => void, edit: (prose: Y.XmlFragment) => void): Json {
    const doc = docWith(page);
    change(doc.getXmlFragment("prose"));
    const other = replicaOf(doc);
    edit(other.getXmlFragment("prose"));
    doc.transact(() => restoreXml(doc.getXmlFragment("prose"), page));
    expect(proseOf(doc)).toEqual(page);
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(other));
    Y.applyUpdate(other, Y.encodeStateAsUpdate(doc));
    expect(proseOf(other)).toEqual(proseOf(doc));
    return proseOf(doc);
  }

  function textIn(prose: Y.XmlFragment, ...path: number[]): Y.XmlText {
    let node: unknown = prose;
    for (const index of path) node = node instanceof Y.XmlFragment ? node.get(index) : undefined;
    if (node instanceof Y.XmlText) return node;
    throw new Error("There is no text.");
  }

  test("[XML-2] equal trees write nothing", () => {
    const doc = docWith(page);
    const before = Y.encodeStateAsUpdate(doc);
    doc.transact(() => restoreXml(doc.getXmlFragment("prose"), page));
    expect(Y.encodeStateAsUpdate(doc)).toEqual(before);
  });

  test("[XML-2] what others write in nodes that stay survives, before, after and inside what changed", () => {
    const result = restored(
      (prose) => {
        prose.delete(1, 1);
        textIn(prose, 2, 1, 0).insert(3, " changed");
      },
      (prose) => {
        textIn(prose, 0, 0).insert(5, "!");
        textIn(prose, 2, 0, 0).insert(0, "number ");
        textIn(prose, 2, 1, 0).insert(0, "number ");
      },
    );
    expect(result).toEqual([
      { element: "heading", attributes: { level: 1, meta: { a: [1, null] } }, children: [text("Title!")] },
      ...page.slice(1, 3),
      { element: "list", children: [p(text("number one")), p(text("number two"))] },
    ]);
  });

  test("[XML-3] in a text only what differs is edited, formats too", () => {
    const result = restored(
      (prose) => {
        textIn(prose, 1, 0).format(0, 5, { italic: true });
        textIn(prose, 1, 0).format(6, 4, { bold: null });
        textIn(prose, 1, 0).insert(10, " tail");
      },
      (prose) => textIn(prose, 1, 0).insert(2, "XX"),
    );
    expect(result).toEqual([
      page[0],
      p({ text: [{ insert: "plXXain " }, { insert: "bold", attributes: { bold: true, link: { href: "x" } } }] }),
      ...page.slice(2),
    ]);
  });

  test("[XML-3] an embedded object takes the place of another", () => {
    const embeds = (...names: string[]): Json => ({ text: names.map((name) => ({ insert: { name } })) });
    const doc = docWith([embeds("a", "b")]);
    doc.transact(() => restoreXml(doc.getXmlFragment("prose"), [embeds("a", "c")]));
    expect(proseOf(doc)).toEqual([embeds("a", "c")]);
  });

  test("[XML-3] attributes: what came goes, what changed is set, the rest is left", () => {
    const doc = docWith([{ element: "p", attributes: { a: 1, b: 2, c: { d: 3 } } }]);
    const events: string[] = [];
    doc.getXmlFragment("prose").observeDeep((all) => events.push(...all.flatMap((it) => [...it.changes.keys.keys()])));
    doc.transact(() =>
      restoreXml(doc.getXmlFragment("prose"), [{ element: "p", attributes: { b: 4, c: { d: 3 }, e: null } }]),
    );
    expect(new Set(events)).toEqual(new Set(["a", "b", "e"]));
    expect(proseOf(doc)).toEqual([{ element: "p", attributes: { b: 4, c: { d: 3 }, e: null } }]);
  });

  test("[XML-2] a node that JSON cannot hold stays when the tree has it, and is not made", () => {
    const doc = docWith([p(text("a"))]);
    const holder = new Y.XmlText();
    doc.getXmlFragment("prose").insert(1, [holder]);
    holder.insertEmbed(0, new Y.Map());
    doc.transact(() => restoreXml(doc.getXmlFragment("prose"), [null, p(text("b")), null]));
    expect(proseOf(doc)).toEqual([p(text("b")), null]);
    expect(doc.getXmlFragment("prose").get(1)).toBe(holder);
  });
});

describe("as a JSON change", () => {
  const xml = (...nodes: Json[]): Json => ({ $xml: nodes });

  test("[XML-2] replacing XML is an edit in its place, reported there; the same tree is no change", () => {
    const doc = replicaOf(docWith(page), 1);
    const kept = doc.getXmlFragment("prose").get(0);
    expect(applyJsonOps(doc, [{ op: "replace", path: "@prose", value: { $xml: page } }], null).paths).toEqual([]);
    const ops = [{ op: "replace", path: "@prose", value: { $xml: page.slice(0, 2) } }] as const;
    expect(applyJsonOps(doc, ops, null).paths).toEqual(["@prose"]);
    expect(doc.getXmlFragment("prose").get(0)).toBe(kept);
    expect(proseOf(doc)).toEqual(page.slice(0, 2));
  });

  test("[XML-1] XML can be written anywhere and tested; texts are stored in as few parts as may be", () => {
    const doc = docWith([]);
    const parts = [{ insert: "a" }, { insert: "" }, { insert: "b", attributes: {} }];
    applyJsonOps(doc, [{ op: "add", path: "/x", value: { $xml: p({ text: parts }) } }], null);
    const value = { $xml: p(text("ab")) };
    expect(readMarked(replicaOf(doc), "/x")).toEqual(value);
    expect(applyJsonOps(doc, [{ op: "test", path: "/x", value }], null).paths).toEqual([]);
    applyJsonOps(doc, [{ op: "replace", path: "/x", value: { $xml: { element: "q" } } }], null);
    expect(readMarked(doc, "/x")).toEqual({ $xml: { element: "q" } });
  });

  const deep = (levels: number): Json => {
    let node: Json = { element: "p" };
    for (let i = 1; i < levels; i++) node = { element: "p", children: [node] };
    return node;
  };

  test("[XML-4] nodes nest as deep as anything", () => {
    const doc = docWith([]);
    applyJsonOps(doc, [{ op: "add", path: "/x", value: { $xml: deep(LIMITS.depthMax - 2) } }], null);
    expect(readMarked(doc, "/x")).toEqual({ $xml: deep(LIMITS.depthMax - 2) });
    for (const levels of [LIMITS.depthMax + 1, 100_000]) {
      const value = { $xml: deep(levels) };
      expect(codeOf(() => applyJsonOps(doc, [{ op: "add", path: "/y", value }], null))).toEqual([
        "INVALID_CHANGE",
        "/y",
      ]);
    }
  });

  test.each<[string, Json]>([
    ["a string", "<p></p>"],
    ["null for a node", [null]],
    ["another member", { element: "p", name: "x" }],
    ["both an element and a text", { element: "p", text: [] }],
    ["no name", { element: "" }],
    ["a name that is a number", { element: 1 }],
    ["children that are no list", { element: "p", children: {} }],
    ["a delta with more in it", { text: [{ insert: "a", retain: 1 }] }],
    ["a delta that deletes", { text: [{ delete: 1 }] }],
    ["a number embedded", { text: [{ insert: 1 }] }],
    ["half a surrogate pair", { text: [{ insert: "\ud83d" }] }],
    ["attributes that are a list", { element: "p", attributes: [] }],
    ["a value that Yjs trips over", { element: "p", attributes: { a: JSON.parse('{"constructor":1}') } }],
    ["a prototype as an attribute", { element: "p", attributes: JSON.parse('{"__proto__":1}') }],
  ])("[XML-4] %s is refused, and nothing is written", (_, tree) => {
    const doc = docWith(page);
    const before = Y.encodeStateAsUpdate(doc);
    const ops = [{ op: "add", path: "/x", value: { $xml: tree } }] as const;
    expect(codeOf(() => applyJsonOps(doc, ops, null))).toEqual(["INVALID_CHANGE", "/x"]);
    expect(Y.encodeStateAsUpdate(doc)).toEqual(before);
  });

  test("[XML-4] a tree weighs what is in it", () => {
    const doc = docWith([]);
    const value = xml(...Array.from({ length: 11 }, () => text("m".repeat(LIMITS.stringCharsMax))));
    expect(codeOf(() => applyJsonOps(doc, [{ op: "add", path: "/x", value }], null))).toEqual(["TOO_LARGE", "/x"]);
  });
});

describe("all roots of a context", () => {
  function editor(): Y.Doc {
    const doc = docWith(page);
    doc.getMap("data").set("title", new Y.Text("Plan"));
    doc.getText("note").insert(0, "Hello");
    doc.getMap("settings").set("font", new Y.Map([["size", 12]]));
    doc.getArray("list").push([1, 2, 3]);
    return doc;
  }

  test("[JSON-18] go back to what they were, from whatever they became, also from nothing", () => {
    const old = readRoots(replicaOf(editor()));
    const changed = editor();
    changed.getText("note").insert(5, " you");
    changed.getMap("settings").set("color", "red");
    changed.getArray("list").delete(0, 2);
    changed.getXmlFragment("prose").delete(1, 2);
    const emptied = editor();
    emptied.getText("note").delete(0, 5);
    emptied.getMap("settings").delete("font");
    emptied.getArray("list").delete(0, 3);
    emptied.getXmlFragment("prose").delete(0, 4);
    for (const present of [changed, emptied, new Y.Doc()]) {
      const server = replicaOf(present, 1);
      applyJsonOps(server, diffRoots(readRoots(server), old), null, { isPlanned: true });
      expect(readRoots(replicaOf(server))).toEqual(old);
    }
  });

  test("[JSON-18] are emptied when they held nothing then", () => {
    const server = replicaOf(editor(), 1);
    applyJsonOps(server, diffRoots(readRoots(server), { data: {}, roots: {} }), null, { isPlanned: true });
    expect(readRoots(replicaOf(server))).toEqual({ data: {}, roots: {} });
  });

  test("[JSON-15] callers do not make roots", () => {
    const doc = new Y.Doc();
    const ops = [{ op: "replace", path: "@prose", value: { $xml: page } }] as const;
    expect(codeOf(() => applyJsonOps(doc, ops, null))).toEqual(["INVALID_CHANGE", "@prose"]);
  });
});
