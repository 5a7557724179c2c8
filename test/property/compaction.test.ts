/** Recreating what random editors made: everything reads the same, and goes on being editable. */
import { expect, test } from "vitest";
import * as Y from "yjs";
import { recreate } from "../../server/state/compaction.ts";
import { contentOf } from "../support/document-content.ts";
import { randomFrom, runHistory } from "../support/editing-history.ts";

const RUNS = 150;
const AUTHOR = 4_000_000_001;

function load(update: Uint8Array): Y.Doc {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, update);
  return doc;
}

test(`[EPOCH-1] ${RUNS} documents of random editors are recreated as they are`, () => {
  for (let seed = 1; seed <= RUNS; seed++) {
    const server = new Y.Doc();
    runHistory(randomFrom(seed), 120, server, ({ update }) => Y.applyUpdate(server, update));
    const doc = load(Y.encodeStateAsUpdate(server));
    const made = load(recreate(doc, AUTHOR));
    expect(contentOf(made), `seed ${seed}`).toEqual(contentOf(doc));
    expect(made.getText("prose").toDelta(), `seed ${seed}`).toEqual(doc.getText("prose").toDelta());
    expect(made.getXmlFragment("page").toJSON()).toBe(doc.getXmlFragment("page").toJSON());
    expect(JSON.stringify(made.getMap("data"))).toBe(JSON.stringify(doc.getMap("data")));
    // recreating twice changes nothing more
    expect(recreate(made, AUTHOR)).toEqual(recreate(doc, AUTHOR));
    made.getText("prose").insert(0, "on");
    expect(load(Y.encodeStateAsUpdate(made)).getText("prose").toJSON().startsWith("on")).toBe(true);
  }
});
