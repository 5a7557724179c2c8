/** Recreating documents: rules EPOCH-1 and EPOCH-2. Random documents: test/property/compaction.test.ts. */
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { readData } from "../../shared/read-data.ts";
import { recreate, recreateState } from "../../server/state/compaction.ts";
import { contentOf } from "../support/document-content.ts";
import { TYPE, any, assemble, json, type } from "../support/update-assembler.ts";

const AUTHOR = 4_000_000_001;

function recreated(doc: Y.Doc): Y.Doc {
  const made = new Y.Doc();
  Y.applyUpdate(made, recreate(doc, AUTHOR));
  return made;
}

function edited(edit: (doc: Y.Doc) => void): Y.Doc {
  const doc = new Y.Doc();
  edit(doc);
  // as a server has it: come in an update, roots without a type
  const copy = new Y.Doc();
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
  return copy;
}

function expectSame(doc: Y.Doc): Y.Doc {
  const made = recreated(doc);
  expect(contentOf(made)).toEqual(contentOf(doc));
  expect(made.store.pendingStructs).toBeNull();
  expect([...made.store.clients.keys()]).toEqual(made.store.clients.size === 0 ? [] : [AUTHOR]);
  return made;
}

describe("[EPOCH-1] a recreated document reads the same", () => {
  test("an empty one", () => {
    expect(recreate(new Y.Doc(), AUTHOR)).toEqual(Y.encodeStateAsUpdate(new Y.Doc()));
  });

  test("nested data, in the order of its keys, with whole objects, bytes and undefined", () => {
    const doc = edited((it) => {
      const data = it.getMap("data");
      for (const key of ["z", "a", "m", "__proto__", ""]) data.set(key, key);
      data.set(
        "a",
        new Y.Map<unknown>([
          ["y", 1],
          ["b", new Y.Array()],
        ]),
      );
      data.set("whole", { list: [1, { deep: null }], nothing: undefined });
      data.set("bytes", Uint8Array.of(1, 2, 3));
      data.set("list", Y.Array.from([1, "two", { three: 3 }, Uint8Array.of(4), null]));
      data.delete("m");
    });
    const made = expectSame(doc);
    expect([...made.getMap("data").keys()]).toEqual([...doc.getMap("data").keys()]);
    expect(JSON.stringify(readData(made, ""))).toBe(JSON.stringify(readData(doc, "")));
  });

  test("rich text: formats across runs, embeds, embedded types, attributes of the text itself", () => {
    const doc = edited((it) => {
      const text = it.getText("prose");
      text.insert(0, "Hello bold and italic world");
      text.format(6, 4, { bold: true });
      text.format(8, 13, { italic: true, color: "red" });
      text.insertEmbed(3, { image: "x" }, { width: 3 });
      text.insertEmbed(9, new Y.Map(Object.entries({ inside: "an embed" })));
      text.setAttribute("align", "left");
      text.delete(12, 3);
      text.format(0, 30, { bold: null });
    });
    const made = expectSame(doc);
    const deltaOf = (it: Y.Doc): unknown => JSON.parse(JSON.stringify(it.getText("prose").toDelta()));
    expect(deltaOf(made)).toEqual(deltaOf(doc));
    expect(made.getText("prose").getAttributes()).toEqual(doc.getText("prose").getAttributes());
  });

  test("XML: elements, attributes, formatted text", () => {
    const doc = edited((it) => {
      const page = it.getXmlFragment("page");
      const paragraph = new Y.XmlElement("p");
      const words = new Y.XmlText("words");
      page.insert(0, [paragraph, new Y.XmlText("tail")]);
      paragraph.setAttribute("class", "a b");
      paragraph.insert(0, [words, new Y.XmlElement("br")]);
      words.format(0, 2, { em: {} });
    });
    const made = expectSame(doc);
    expect(made.getXmlFragment("page").toJSON()).toBe(doc.getXmlFragment("page").toJSON());
  });

  test("what only old or unusual clients store", () => {
    const update = assemble([
      {
        client: 7,
        clock: 0,
        structs: [
          json({ key: "legacy" }, '{"old":1}'),
          any({ key: "several" }, 1, 2, 3),
          type({ parent: "list" }, TYPE.array),
          any({ parent: [7, 4] }, "inner"),
          any({ origin: [7, 4] }, "after"),
          type({ parent: "page" }, TYPE.hook, "widget"),
          any({ parent: [7, 7], key: "size" }, "big"),
        ],
      },
    ]);
    const doc = new Y.Doc();
    Y.applyUpdate(doc, update);
    const made = expectSame(doc);
    expect(made.getMap("data").toJSON()).toEqual({ legacy: { old: 1 }, several: 3 });
    expect(made.getXmlFragment("page").get(0)).toMatchObject({ hookName: "widget" });
    expect(made.getArray("list").toJSON()).toEqual([["inner"], "after"]);
  });
});

test("[EPOCH-2] nothing is left of what was deleted, nor of the clients that wrote", () => {
  const doc = new Y.Doc();
  for (let client = 1; client <= 200; client++) {
    const other = new Y.Doc();
    other.clientID = client;
    Y.applyUpdate(other, Y.encodeStateAsUpdate(doc));
    other.getMap("data").set(`key ${client % 5}`, client);
    other.getMap("data").set(`gone ${client}`, "x".repeat(100));
    other.getMap("data").delete(`gone ${client}`);
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(other));
  }
  const made = recreateState({ state: Y.encodeStateAsUpdateV2(doc), authorId: AUTHOR });
  const fresh = new Y.Doc();
  Y.applyUpdate(fresh, made.update);
  expect(fresh.getMap("data").toJSON()).toEqual(doc.getMap("data").toJSON());
  expect([...fresh.store.clients.keys()]).toEqual([AUTHOR]);
  expect(Y.createDeleteSetFromStructStore(fresh.store).clients.size).toBe(0);
  expect(made.bytes).toBe(Y.encodeStateAsUpdateV2(fresh).byteLength);
  expect(made.bytes * 10).toBeLessThan(Y.encodeStateAsUpdateV2(doc).byteLength);
});

test("[EPOCH-2] what was typed letter by letter is one item again", () => {
  const doc = new Y.Doc();
  const text = doc.getText("prose");
  for (const letter of "tpyed ni redro") text.insert(0, letter);
  expect(recreated(doc).store.clients.get(AUTHOR)).toHaveLength(1);
});
