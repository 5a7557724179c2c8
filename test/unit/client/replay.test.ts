/** Edits put into another document after one before them was refused. */
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { Replay } from "../../../client/replay.ts";
import { voidOf } from "../../../shared/void-update.ts";

/** A document in which edits are made; each call gives the update of one. */
function author(start?: Y.Doc): { doc: Y.Doc; edit: (change: (data: Y.Map<unknown>) => void) => Uint8Array } {
  const doc = new Y.Doc();
  if (start !== undefined) Y.applyUpdate(doc, Y.encodeStateAsUpdate(start));
  return {
    doc,
    edit: (change) => {
      const updates: Uint8Array[] = [];
      const listen = (update: Uint8Array): void => void updates.push(update);
      doc.on("update", listen);
      doc.transact(() => change(doc.getMap("data")));
      doc.off("update", listen);
      return updates[0] ?? new Uint8Array([0, 0]);
    },
  };
}

const dataOf = (doc: Y.Doc): unknown => doc.getMap("data").toJSON();

function voided(doc: Y.Doc, edit: Uint8Array): void {
  const ranges = Y.decodeUpdate(edit).structs.map(({ id: { client, clock }, length }) => ({
    client,
    from: clock,
    to: clock + length,
  }));
  Y.applyUpdate(
    doc,
    voidOf([{ client: ranges[0]?.client ?? 0, from: ranges[0]?.from ?? 0, to: ranges.at(-1)?.to ?? 0 }]) ?? edit,
  );
}

/** With the server's void of the refused edit, or without one: then its clocks are missing. */
describe.each([{ hasVoid: true }, { hasVoid: false }])("[SDK-11] after a refusal, void: $hasVoid", ({ hasVoid }) => {
  function afterRefusal(before: Y.Doc, refused: Uint8Array): Y.Doc {
    const fresh = new Y.Doc();
    Y.applyUpdate(fresh, Y.encodeStateAsUpdate(before));
    if (hasVoid) voided(fresh, refused);
    return fresh;
  }

  test("an edit elsewhere goes in, and what it becomes is enough for others", () => {
    const server = new Y.Doc();
    const { edit } = author();
    const refused = edit((data) => data.set("bad", "x"));
    const kept = edit((data) => data.set("good", 1));
    const fresh = afterRefusal(server, refused);
    const other = afterRefusal(server, refused);
    const update = new Replay(fresh, [refused]).put(kept, "origin");
    expect(dataOf(fresh)).toEqual({ good: 1 });
    Y.applyUpdate(other, update ?? new Uint8Array());
    expect(dataOf(other)).toEqual({ good: 1 });
    if (hasVoid) expect(update).toBe(kept);
  });

  test.each<[string, (data: Y.Map<unknown>) => void, (data: Y.Map<unknown>) => void]>([
    ["inside it", (data) => data.set("m", new Y.Map()), (data) => (data.get("m") as Y.Map<unknown>).set("late", 1)],
    ["right of it", (data) => note(data).insert(4, "bad"), (data) => note(data).insert(7, "late")],
    ["left of it", (data) => note(data).insert(4, "bad"), (data) => note(data).insert(4, "late")],
    ["in its key", (data) => data.set("k", "bad"), (data) => data.set("k", "late")],
  ])("an edit %s stays out whole, and so does what builds on that", (_where, bad, late) => {
    const server = new Y.Doc();
    server.getMap("data").set("note", new Y.Text("base"));
    const { doc, edit } = author(server);
    const refused = edit(bad);
    const builds = edit((data) => {
      data.set("half", 1);
      late(data);
    });
    const onThat = edit((data) => data.set("half", 2));
    const kept = edit((data) => data.set("good", 1));
    expect(JSON.stringify(dataOf(doc))).toContain("late");
    const fresh = afterRefusal(server, refused);
    const replay = new Replay(fresh, [refused]);
    expect([builds, onThat].map((update) => replay.put(update, "origin"))).toEqual([undefined, undefined]);
    expect(replay.put(kept, "origin")).toBeDefined();
    expect(dataOf(fresh)).toEqual({ note: "base", good: 1 });
    expect(fresh.store.pendingStructs).toBeNull();
  });

  test("an edit that takes the refused content back has nothing to do", () => {
    const server = new Y.Doc();
    const { edit } = author();
    const refused = edit((data) => data.set("bad", 1));
    const back = edit((data) => data.delete("bad"));
    const kept = edit((data) => data.set("good", 1));
    const fresh = afterRefusal(server, refused);
    const replay = new Replay(fresh, [refused]);
    for (const update of [back, kept]) expect(replay.put(update, "origin")).toBeDefined();
    expect(dataOf(fresh)).toEqual({ good: 1 });
    expect(fresh.store.pendingDs).toBeNull();
  });

  test("an edit before it, which has yet to arrive, goes in first", () => {
    const server = new Y.Doc();
    const { edit } = author();
    const before = edit((data) => data.set("before", 1));
    const refused = edit((data) => data.set("bad", 1));
    const after = edit((data) => data.set("after", 1));
    if (hasVoid) Y.applyUpdate(server, before);
    const fresh = afterRefusal(server, refused);
    const replay = new Replay(fresh, [refused]);
    for (const update of [before, after]) expect(replay.put(update, "origin")).toBeDefined();
    expect(dataOf(fresh)).toEqual({ before: 1, after: 1 });
  });
});

function note(data: Y.Map<unknown>): Y.Text {
  const value = data.get("note");
  if (value instanceof Y.Text) return value;
  throw new Error("no note");
}

describe("[SDK-11] what the document knows already", () => {
  test("stays as it is, however far behind it the refused edit was", () => {
    const server = new Y.Doc();
    const { edit } = author();
    const arrived = ["a", "b", "c"].map((key) => edit((data) => data.set(key, 1)));
    const refused = edit((data) => data.set("bad", 1));
    const after = edit((data) => data.set("after", 1));
    for (const update of arrived) Y.applyUpdate(server, update);
    const other = new Y.Doc();
    Y.applyUpdate(other, Y.encodeStateAsUpdate(server));
    const replay = new Replay(server, [refused]);
    expect(arrived.map((update) => replay.put(update, "origin"))).toEqual(arrived);
    Y.applyUpdate(other, replay.put(after, "origin") ?? after);
    expect(dataOf(other)).toEqual({ a: 1, b: 1, c: 1, after: 1 });
  });

  test("counts as arrived while a part of it is there: others may have deleted the rest", () => {
    const server = new Y.Doc();
    const { edit } = author();
    const base = edit((data) => data.set("m", new Y.Map()));
    const both = edit((data) => {
      (data.get("m") as Y.Map<unknown>).set("a", 1);
      data.set("b", 1);
    });
    for (const update of [base, both]) Y.applyUpdate(server, update);
    server.getMap("data").delete("m");
    expect(new Replay(server, []).put(both, "origin")).toBe(both);
    expect(dataOf(server)).toEqual({ b: 1 });
  });

  test("was refused when nothing of it is there", () => {
    const server = new Y.Doc();
    const { edit } = author();
    const refused = edit((data) => data.set("bad", 1));
    voided(server, refused);
    expect(new Replay(server, []).put(refused, "origin")).toBeUndefined();
  });

  test("[SDK-55] includes an edit or not, whole, deletions too, and not as a void", () => {
    const server = new Y.Doc();
    const { edit } = author();
    const made = edit((data) => data.set("m", new Y.Map([["a", 1]])));
    const removed = edit((data) => (data.get("m") as Y.Map<unknown>).delete("a"));
    const refused = edit((data) => data.set("bad", 1));
    const never = edit((data) => data.set("late", 1));
    const builds = edit((data) => data.set("later", 1));
    for (const update of [made, removed]) Y.applyUpdate(server, update);
    voided(server, refused);
    const replay = new Replay(server, []);
    const all = [made, removed, refused, never, builds];
    expect(all.map((update) => replay.includes(update))).toEqual([true, true, false, false, false]);
    const before = new Y.Doc();
    Y.applyUpdate(before, made);
    expect([made, removed].map((update) => new Replay(before, []).includes(update))).toEqual([true, false]);
    expect(dataOf(server)).toEqual({ m: {} });
  });

  test("may have been written and removed by edits of ours", () => {
    const server = new Y.Doc();
    const { edit } = author();
    const made = edit((data) => data.set("m", new Y.Map([["a", 1]])));
    const removed = edit((data) => data.delete("m"));
    const replay = new Replay(server, []);
    for (const update of [made, removed]) expect(replay.put(update, "origin")).toBe(update);
    expect(dataOf(server)).toEqual({});
  });
});
