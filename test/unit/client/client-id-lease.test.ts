/** Which client id a replica takes and gives back: rule SDK-33 without a server. */
import { expect, test } from "vitest";
import { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";
import { ClientIdLease } from "../../../client/client-id-lease.ts";

const OFFERED = 77;

function lease() {
  const doc = new Y.Doc();
  const awareness = new Awareness(doc);
  awareness.setLocalState(null);
  const back: number[] = [];
  const it = new ClientIdLease(async (id) => void back.push(id));
  return { doc, awareness, back, it, end: () => awareness.destroy() };
}

test("[SDK-33] an offered id is taken for a document that is new, by editors' presence too", async () => {
  const { doc, awareness, back, it, end } = lease();
  it.greeted({ firstEpoch: 1, yjsClientId: OFFERED });
  it.settle(doc, awareness, true);
  expect([doc.clientID, awareness.clientID]).toEqual([OFFERED, OFFERED]);
  awareness.setLocalState({ name: "Ada" });
  expect([...awareness.getStates().keys()]).toEqual([OFFERED]);
  expect(back).toEqual([]);
  await it.release(doc, awareness);
  expect(back).toEqual([OFFERED]);
  expect(doc.clientID).not.toBe(OFFERED);
  expect(awareness.clientID).toBe(doc.clientID);
  end();
});

test.each([
  ["was shown", (_doc: Y.Doc, _awareness: Awareness) => false],
  ["was written", (doc: Y.Doc) => (doc.getMap("data").set("a", 1), true)],
  ["has presence", (_doc: Y.Doc, awareness: Awareness) => (awareness.setLocalState({}), true)],
])("[SDK-33] it is given back when the document %s", (_what, prepare) => {
  const { doc, awareness, back, it, end } = lease();
  const id = doc.clientID;
  const isNew = prepare(doc, awareness);
  it.greeted({ firstEpoch: 1, yjsClientId: OFFERED });
  it.settle(doc, awareness, isNew);
  expect(doc.clientID).toBe(id);
  expect(back).toEqual([OFFERED]);
  it.settle(doc, awareness, isNew);
  expect(back).toEqual([OFFERED]);
  end();
});

test("[SDK-33] an id under which nothing was written is not given back, nor one to a server that takes none", async () => {
  const { doc, awareness, back, it, end } = lease();
  it.greeted({ firstEpoch: 1 });
  await it.release(doc, awareness);
  it.greeted({});
  doc.getMap("data").set("a", 1);
  await it.release(doc, awareness);
  expect(back).toEqual([]);
  it.greeted({ firstEpoch: 1 });
  const id = doc.clientID;
  await it.release(doc, awareness);
  expect(back).toEqual([id]);
  end();
});
