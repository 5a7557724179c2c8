/** What an old document read like before its unsaved edits, and after each: the ground of rule SDK-31. */
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { KeepingDoc } from "../../../client/keeping-doc.ts";
import { OldDocument } from "../../../client/old-document.ts";
import { randomFrom, runHistory } from "../../support/editing-history.ts";

const SERVER = Symbol("server");

/** A replica, and the edits it makes from now on. */
function replica(fill: (data: Y.Map<unknown>) => void): { keeping: KeepingDoc; edits: Uint8Array[] } {
  const source = new Y.Doc();
  fill(source.getMap("data"));
  const keeping = new KeepingDoc();
  keeping.feedBy(SERVER);
  Y.applyUpdate(keeping.doc, Y.encodeStateAsUpdate(source), SERVER);
  const edits: Uint8Array[] = [];
  keeping.doc.on("update", (update: Uint8Array, origin: unknown) => void (origin === SERVER || edits.push(update)));
  return { keeping, edits };
}

const contents = (old: OldDocument): unknown[] =>
  Array.from({ length: old.length - old.confirmed + 1 }, (_, i) => old.after(old.confirmed + i).data);

describe("[SDK-31] an old document", () => {
  test("is known before and after each edit, also what they deleted and replaced", () => {
    const { keeping, edits } = replica((data) => {
      data.set("a", { deep: 1 });
      data.set("list", Y.Array.from([1, 2, 3]));
      data.set("text", new Y.Text("Hello world"));
    });
    const data = keeping.doc.getMap<unknown>("data");
    const [list, text] = [data.get("list"), data.get("text")];
    data.set("a", 2);
    if (list instanceof Y.Array) list.delete(0, 2);
    if (text instanceof Y.Text) text.delete(5, 6);
    data.delete("text");
    data.set("a", 3);
    const start = { a: { deep: 1 }, list: [1, 2, 3], text: { $text: "Hello world" } };
    const { text: _, ...rest } = start;
    expect(contents(new OldDocument(keeping.doc, edits))).toEqual([
      start,
      { ...start, a: 2 },
      { ...start, a: 2, list: [3] },
      { ...start, a: 2, list: [3], text: { $text: "Hello" } },
      { ...rest, a: 2, list: [3] },
      { ...rest, a: 3, list: [3] },
    ]);
  });

  test("what others deleted meanwhile stays deleted", () => {
    const { keeping, edits } = replica((data) => data.set("list", Y.Array.from(["a", "b", "c"])));
    const other = new Y.Doc();
    Y.applyUpdate(other, Y.encodeStateAsUpdate(keeping.doc));
    keeping.doc.getMap<Y.Array<string>>("data").get("list")?.insert(3, ["mine"]);
    other.getMap<Y.Array<string>>("data").get("list")?.delete(0, 2);
    Y.applyUpdate(keeping.doc, Y.encodeStateAsUpdate(other), SERVER);
    expect(contents(new OldDocument(keeping.doc, edits))).toEqual([{ list: ["c"] }, { list: ["c", "mine"] }]);
  });

  test("edits on which others built are confirmed", () => {
    const { keeping, edits } = replica(() => {});
    const data = keeping.doc.getMap<unknown>("data");
    data.set("mine", new Y.Map());
    data.set("later", 1);
    const other = new Y.Doc();
    Y.applyUpdate(other, edits[0] ?? new Uint8Array());
    const mine = other.getMap<Y.Map<unknown>>("data").get("mine");
    mine?.set("theirs", 1);
    Y.applyUpdate(
      keeping.doc,
      Y.encodeStateAsUpdate(other, Y.encodeStateVectorFromUpdate(edits[0] ?? new Uint8Array())),
      SERVER,
    );
    const old = new OldDocument(keeping.doc, edits);
    expect(old.confirmed).toBe(1);
    expect(contents(old)).toEqual([{ mine: { theirs: 1 } }, { mine: { theirs: 1 }, later: 1 }]);
  });

  test("says which edits JSON cannot tell", () => {
    const { keeping, edits } = replica((data) => data.set("text", new Y.Text("Hello")));
    const { doc } = keeping;
    const text = doc.getMap("data").get("text");
    if (!(text instanceof Y.Text)) throw new Error("no text");
    const page = doc.getXmlFragment("page");
    const steps: [formless: boolean, edit: () => void][] = [
      [false, () => text.insert(0, "plain ")],
      [true, () => text.format(0, 3, { bold: true })],
      [false, () => text.insert(8, "more")],
      [true, () => text.format(0, 3, { bold: null })],
      [true, () => text.insertEmbed(0, { image: "x" })],
      [true, () => text.delete(0, 1)],
      [false, () => text.delete(1, 2)],
      [true, () => text.setAttribute("align", "left")],
      [false, () => doc.getMap("data").set("whole", { bytes: Uint8Array.of(1), list: [null, "x"] })],
      [true, () => doc.getMap("data").set("lacks", { nothing: undefined })],
      [true, () => doc.getMap("data").set("big", 2n ** 70n)],
      [false, () => page.insert(0, [new Y.XmlText("words")])],
      [false, () => (page.get(0) as Y.XmlText).format(0, 2, { em: true })],
    ];
    for (const [, edit] of steps) edit();
    const old = new OldDocument(doc, edits);
    expect(edits.map((_, index) => old.isFormless(index, index + 1))).toEqual(steps.map(([formless]) => formless));
  });

  test("is what it was, in 20 random histories", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const server = new Y.Doc();
      const keeping = new KeepingDoc();
      keeping.feedBy(SERVER);
      const others: Uint8Array[] = [];
      runHistory(randomFrom(seed), 40, server, ({ update }) => {
        Y.applyUpdate(server, update);
        others.push(update);
      });
      for (const update of others) Y.applyUpdate(keeping.doc, update, SERVER);
      const edits: Uint8Array[] = [];
      const expected = [readable(keeping.doc)];
      keeping.doc.on("update", (update: Uint8Array) => {
        edits.push(update);
        expected.push(readable(keeping.doc));
      });
      const random = randomFrom(1000 + seed);
      const data = keeping.doc.getMap<unknown>("data");
      for (let i = 0; i < 12; i++) {
        const keys = [...data.keys()];
        const key = keys[Math.floor(random() * keys.length)] ?? "a";
        const value = data.get(key);
        if (value instanceof Y.Text && random() < 0.7) value.delete(0, Math.min(2, value.length));
        else if (value instanceof Y.Array && random() < 0.7) value.insert(value.length, [i]);
        else if (random() < 0.5) data.delete(key);
        else data.set(key, { made: i });
      }
      expect(contents(new OldDocument(keeping.doc, edits)), `seed ${seed}`).toEqual(expected);
    }
  });
});

const readable = (doc: Y.Doc): unknown => new OldDocument(doc, []).after(0).data;

describe("[SDK-31] what local edits deleted", () => {
  const kept = (doc: Y.Doc): number => Y.encodeStateAsUpdate(doc).byteLength;

  test("is kept until they are saved, what others deleted is not", () => {
    const { keeping, edits } = replica((data) => {
      data.set("mine", "x".repeat(1000));
      data.set("theirs", "y".repeat(1000));
    });
    const other = new Y.Doc();
    Y.applyUpdate(other, Y.encodeStateAsUpdate(keeping.doc));
    other.getMap("data").delete("theirs");
    Y.applyUpdate(keeping.doc, Y.encodeStateAsUpdate(other), SERVER);
    expect(kept(keeping.doc)).toBeLessThan(1200);
    keeping.doc.getMap("data").set("mine", 1);
    expect(kept(keeping.doc)).toBeGreaterThan(1000);
    for (const edit of edits) keeping.forget(edit);
    expect(kept(keeping.doc)).toBeLessThan(200);
    expect(keeping.doc.getMap("data").toJSON()).toEqual({ mine: 1 });
  });

  test("is kept when a stored replica is brought back, and nothing else", () => {
    const { keeping, edits } = replica((data) => data.set("a", "x".repeat(1000)));
    const state = Y.encodeStateAsUpdate(keeping.doc);
    const gone = new Y.Doc();
    Y.applyUpdate(gone, state);
    gone.getMap("data").set("b", "z".repeat(1000));
    const withB = Y.encodeStateAsUpdate(gone);
    gone.getMap("data").delete("b");
    keeping.doc.getMap("data").set("a", 2);
    const back = new KeepingDoc();
    back.restore([withB, Y.encodeStateAsUpdate(gone), ...edits], edits);
    expect(kept(back.doc)).toBeGreaterThan(1000);
    expect(kept(back.doc)).toBeLessThan(1500);
    expect(contents(new OldDocument(back.doc, edits))).toEqual([{ a: "x".repeat(1000) }, { a: 2 }]);
  });
});
