/** When two documents count as the same: part of rule DATA-6. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { sameDocument } from "../../server/state/same-document.ts";
import { randomFrom, runHistory } from "../support/editing-history.ts";

function docOf(updates: readonly Uint8Array[], together: boolean): Y.Doc {
  const doc = new Y.Doc();
  if (together) doc.transact(() => updates.forEach((update) => Y.applyUpdate(doc, update)));
  else for (const update of updates) Y.applyUpdate(doc, update);
  return doc;
}

test("[DATA-6] however it was put together, a document is itself", () => {
  fc.assert(
    fc.property(fc.integer(), (source) => {
      const server = new Y.Doc();
      const updates: Uint8Array[] = [];
      runHistory(randomFrom(source), 40, server, ({ update }) => {
        updates.push(update);
        Y.applyUpdate(server, update);
      });
      const whole = new Y.Doc();
      Y.applyUpdateV2(whole, Y.encodeStateAsUpdateV2(server));
      for (const other of [docOf(updates, false), docOf(updates, true), whole]) {
        expect(sameDocument(server, other)).toBe(true);
        expect(sameDocument(other, server)).toBe(true);
      }
    }),
    { seed: 20_261_127, numRuns: 40 },
  );
});

describe("[DATA-6] what is not the same", () => {
  /** Two documents with the same ids, of which one says something else under them. */
  const twins = (write: (doc: Y.Doc, which: "a" | "b") => void): [Y.Doc, Y.Doc] => {
    const made = (["a", "b"] as const).map((which) => {
      const doc = new Y.Doc();
      doc.clientID = 5;
      write(doc, which);
      return doc;
    });
    return [made[0] ?? new Y.Doc(), made[1] ?? new Y.Doc()];
  };

  test.each<[string, (doc: Y.Doc, which: "a" | "b") => void]>([
    ["a value", (doc, which) => doc.getMap("data").set("k", which)],
    ["a key", (doc, which) => doc.getMap("data").set(which, 1)],
    ["a value inside", (doc, which) => doc.getMap("data").set("k", { deep: [which] })],
    ["bytes", (doc, which) => doc.getMap("data").set("k", Uint8Array.of(1, which === "a" ? 2 : 3))],
    ["an array instead of an object", (doc, which) => doc.getMap("data").set("k", which === "a" ? [] : {})],
    ["a root's name", (doc, which) => doc.getText(which).insert(0, "x")],
    ["characters", (doc, which) => doc.getText("t").insert(0, which)],
    ["a format", (doc, which) => doc.getText("t").insert(0, "x", { bold: which })],
    ["an element's name", (doc, which) => doc.getXmlFragment("x").insert(0, [new Y.XmlElement(which)])],
    ["a kind of type", (doc, which) => doc.getMap("data").set("k", which === "a" ? new Y.Map() : new Y.Array())],
    ["elements", (doc, which) => doc.getArray("l").push(which === "a" ? [1, 2] : [2, 1])],
    [
      "what was deleted",
      (doc, which) => {
        doc.getText("t").insert(0, "xx");
        doc.getText("t").delete(which === "a" ? 0 : 1, 1);
      },
    ],
    [
      "how far a client got",
      (doc, which) => {
        doc.getMap("data").set("k", 1);
        if (which === "b") doc.getMap("data").set("k", 1);
      },
    ],
  ])("%s", (_, write) => {
    const [a, b] = twins(write);
    expect([sameDocument(a, b), sameDocument(b, a), sameDocument(a, a)]).toEqual([false, false, true]);
  });
});
