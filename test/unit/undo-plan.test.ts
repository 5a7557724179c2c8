/** Undo of one actor's changes: theirs go, others' stay. */
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import type { Json } from "../../shared/json.ts";
import type { KeptPath } from "../../shared/history.ts";
import { planUndo } from "../../server/state/history/undo-plan.ts";
import type { UndoPlan } from "../../server/state/history/undo-plan.ts";
import { Past, actorOf, listAt, mapAt, textAt } from "../support/past.ts";
import { NODE } from "../support/stored-state.ts";

interface Asked {
  readonly actor?: string;
  readonly from?: number;
  readonly to?: number;
  readonly path?: string;
}

function planOf(past: Past, { actor = "ann", from = 0, to = past.version, path = "" }: Asked = {}): UndoPlan {
  const { base, entries } = past;
  return planUndo({ base, entries, nodeClientId: NODE, actor: actorOf(actor), from, to, path });
}

/** Carries the undo out; what the data is then. */
function undone(past: Past, asked: Asked = {}): { readonly data: Json; readonly kept: readonly KeptPath[] } {
  const { changes, kept } = planOf(past, asked);
  past.ops("undoer", changes);
  return { data: past.data, kept };
}

describe("keys", () => {
  test("[UNDO-1] what an actor alone wrote reads as before, and only in the range", () => {
    const past = new Past({ a: 1, b: { c: "x" } });
    past.edit("ann", (data) => data.set("before", true));
    past.edit("ann", (data) => data.set("a", 2));
    past.edit("ann", (data) => mapAt(data, "b").delete("c"));
    past.edit("ann", (data) => mapAt(data, "b").set("new", [1]));
    past.edit("ann", (data) => data.set("after", true));
    expect(planOf(past, { from: 1, to: 4 }).version).toBe(5);
    expect(undone(past, { from: 1, to: 4 })).toEqual({
      data: { a: 1, b: { c: "x" }, before: true, after: true },
      kept: [],
    });
  });

  test("[UNDO-2] another's value between two of theirs comes back, whoever has the higher client id", () => {
    for (const first of ["ann", "bob"]) {
      const past = new Past({ k: 0 });
      past.sees(first);
      past.edit("cid", (data) => data.set("k", "older"));
      past.edit("ann", (data) => data.set("k", 1));
      past.edit("bob", (data) => data.set("k", "bob's"));
      past.edit("ann", (data) => data.set("k", 2));
      expect(undone(past).data).toEqual({ k: "bob's" });
    }
  });

  test("[UNDO-2] another's later value stays and is told, with who wrote it", () => {
    const past = new Past({ k: 0 });
    past.edit("ann", (data) => data.set("k", 1));
    past.edit("bob", (data) => data.set("k", 2), "mine now");
    const { data, kept } = undone(past);
    expect(data).toEqual({ k: 2 });
    const by = { version: 2, actor: "bob", atMs: 1002, message: "mine now" };
    expect(kept).toEqual([{ path: "/k", reason: "changed-since", by }]);
  });

  test("[UNDO-2] what another deleted later stays deleted", () => {
    const past = new Past({ k: 0, o: { p: 1 } });
    past.edit("ann", (data) => data.set("k", 1));
    past.edit("ann", (data) => mapAt(data, "o").set("p", 2));
    past.edit("bob", (data) => data.delete("k"));
    past.edit("bob", (data) => data.delete("o"));
    const { data, kept } = undone(past);
    expect(data).toEqual({});
    expect(kept.map(({ path, by }) => [path, by?.version])).toEqual([
      ["/k", 3],
      ["/o/p", 4],
    ]);
  });

  test("[UNDO-3] a value that lost against theirs in a merge comes back", () => {
    const past = new Past({ k: 0 });
    past.sees("low");
    past.sees("ann");
    past.editApart("ann", (data) => data.set("k", "ann's"));
    past.editApart("low", (data) => data.set("k", "lost"));
    expect(past.data).toEqual({ k: "ann's" });
    expect(undone(past).data).toEqual({ k: "lost" });
  });

  test("[UNDO-2] only who wrote there after the actor is told", () => {
    const past = new Past({ k: 0 });
    past.edit("bob", (data) => data.set("k", 1));
    past.edit("ann", (data) => data.set("k", 1));
    expect(undone(past)).toEqual({ data: { k: 1 }, kept: [] });
  });

  test("[UNDO-1] the actor's own later value stays", () => {
    const past = new Past({ k: 0 });
    past.edit("ann", (data) => data.set("k", 1));
    past.edit("ann", (data) => data.set("k", 2));
    const { data, kept } = undone(past, { to: 1 });
    expect(data).toEqual({ k: 2 });
    expect(kept).toMatchObject([{ path: "/k", by: { actor: "ann", version: 2 } }]);
  });

  test("[UNDO-1] changes over REST are undone like live ones, also when both wrote under the server's id", () => {
    const past = new Past({ k: 0 });
    past.ops("ann", [{ op: "replace", path: "/k", value: 1 }]);
    past.ops("bob", [{ op: "add", path: "/b", value: 1 }]);
    past.ops("ann", [{ op: "add", path: "/a", value: { deep: { er: 1 } } }]);
    expect(undone(past).data).toEqual({ k: 0, b: 1 });
  });
});

describe("deleted content", () => {
  test("[UNDO-4] a deleted subtree comes back whole, texts as texts", () => {
    const past = new Past({ doc: { title: { $text: "Title" }, list: [1, { x: 2 }] } });
    past.edit("bob", (data) => mapAt(data, "doc").set("by", "bob"));
    past.edit("ann", (data) => data.delete("doc"));
    const { changes } = planOf(past);
    expect(changes).toEqual([
      { op: "add", path: "/doc", value: { title: { $text: "Title" }, list: [1, { x: 2 }], by: "bob" } },
    ]);
    expect(undone(past).data).toEqual({ doc: { title: "Title", list: [1, { x: 2 }], by: "bob" } });
  });

  test("[UNDO-3] what others wrote into it without knowing comes back too", () => {
    const past = new Past({ doc: { title: { $text: "Title" }, k: 1 } });
    past.sees("bob");
    past.edit("ann", (data) => data.delete("doc"));
    past.editApart("bob", (data) => {
      textAt(data, "doc", "title").insert(5, "!");
      mapAt(data, "doc").set("k", 2);
      mapAt(data, "doc").set("new", new Y.Map([["x", 1]]));
    });
    expect(past.data).toEqual({});
    expect(undone(past).data).toEqual({ doc: { title: "Title!", k: 2, new: { x: 1 } } });
  });

  test("[UNDO-3] what was written into it comes back beside what had been deleted there", () => {
    const past = new Past({ doc: { t: { $text: "" } } });
    past.edit("bob", (data) => textAt(data, "doc", "t").insert(0, "abc"));
    past.edit("cid", (data) => textAt(data, "doc", "t").delete(0, 3));
    past.edit("ann", (data) => data.delete("doc"));
    past.editApart("bob", (data) => textAt(data, "doc", "t").insert(3, "d"));
    expect(undone(past).data).toEqual({ doc: { t: "d" } });
  });

  test("[UNDO-4] what another deleted of it before or since stays deleted", () => {
    const past = new Past({ list: [1, 2, 3, 4] });
    past.edit("bob", (data) => listAt(data, "list").delete(0));
    past.sees("bob");
    past.edit("ann", (data) => listAt(data, "list").delete(0, 2));
    past.editApart("bob", (data) => listAt(data, "list").delete(2));
    expect(past.data).toEqual({ list: [] });
    expect(undone(past).data).toEqual({ list: [2, 3] });
  });
});

describe("texts and arrays", () => {
  test("[UNDO-5] others' characters stay, before, between and after", () => {
    const past = new Past({ t: { $text: "The fox." } });
    past.edit("bob", (data) => textAt(data, "t").insert(0, "B1 "));
    past.edit("ann", (data) => textAt(data, "t").insert(6, " quick brown"));
    past.edit("bob", (data) => textAt(data, "t").insert(12, "B2"));
    past.edit("ann", (data) => textAt(data, "t").delete(0, 2));
    past.edit("bob", (data) => textAt(data, "t").insert(textAt(data, "t").length, " B3"));
    expect(undone(past).data).toEqual({ t: "B1 TheB2 fox. B3" });
  });

  test("[UNDO-5] a text's undo edits the text, so that what others type meanwhile stays", () => {
    const past = new Past({ t: { $text: "one two" } });
    past.edit("ann", (data) => textAt(data, "t").insert(3, " and a half"));
    const { changes } = planOf(past);
    past.sees("bob");
    past.editApart("bob", (data) => textAt(data, "t").insert(textAt(data, "t").length, " three"));
    past.ops(
      "undoer",
      changes.filter(({ op }) => op !== "test"),
    );
    past.editApart("bob", (data) => textAt(data, "t").insert(0, "zero "));
    expect(JSON.stringify(past.data)).toContain("zero one");
  });

  test("[UNDO-5] elements: others' stay in their order", () => {
    const past = new Past({ list: ["a", "b"] });
    past.edit("ann", (data) => listAt(data, "list").insert(1, ["x", "y"]));
    past.edit("bob", (data) => listAt(data, "list").insert(2, ["B"]));
    past.edit("ann", (data) => listAt(data, "list").delete(0));
    expect(past.data).toEqual({ list: ["x", "B", "y", "b"] });
    expect(undone(past).data).toEqual({ list: ["a", "B", "b"] });
  });
});

describe("what is asked", () => {
  test("[UNDO-6] with a path only what lies at it is undone, and told", () => {
    const past = new Past({ a: { x: 1 }, b: { x: 1 } });
    past.edit("ann", (data) => {
      mapAt(data, "a").set("x", 2);
      mapAt(data, "b").set("x", 2);
    });
    past.edit("bob", (data) => mapAt(data, "b").set("x", 3));
    const { data, kept } = undone(past, { path: "/a" });
    expect(data).toEqual({ a: { x: 1 }, b: { x: 3 } });
    expect(kept).toEqual([]);
    expect(undone(past, { path: "/b/x" }).kept).toMatchObject([{ path: "/b/x" }]);
  });

  test("[UNDO-6] nothing to undo gives no operations: other actors, empty ranges, what was undone already", () => {
    const past = new Past({ a: 1 });
    past.edit("ann", (data) => data.set("a", 2));
    expect(planOf(past, { actor: "bob" }).changes).toEqual([]);
    expect(planOf(past, { from: 1 }).changes).toEqual([]);
    undone(past);
    expect(planOf(past, { to: 1 })).toMatchObject({ changes: [], kept: [] });
  });

  test("[UNDO-7] XML is undone where XML stands; where none does it cannot be written, and that is told", () => {
    const past = new Past({});
    const page = (doc: Y.Doc): Y.XmlFragment => doc.getXmlFragment("page");
    past.edit("bob", (data, doc) => {
      data.set("box", new Y.XmlElement("box"));
      data.set("plain", 1);
      page(doc).insert(0, [new Y.XmlElement("p")]);
    });
    past.edit("ann", (data, doc) => {
      data.delete("box");
      data.set("plain", 2);
      page(doc).insert(1, [new Y.XmlElement("q")]);
    });
    const { changes, kept } = planOf(past);
    expect(changes.map(({ op, path }) => [op, path])).toEqual([
      ["replace", "/plain"],
      ["replace", "@page"],
    ]);
    expect(kept).toEqual([{ path: "/box", reason: "not-json" }]);
    past.ops("undoer", changes);
    past.edit("eve", (data, doc) => data.set("page", page(doc).toJSON()));
    expect(past.data).toEqual({ plain: 1, page: "<p></p>" });
  });

  test("[UNDO-7] XML that stands in an array stays where it stands", () => {
    const past = new Past({ list: [1] });
    past.edit("bob", (data) => listAt(data, "list").push([new Y.XmlElement("box"), 2]));
    past.edit("ann", (data) => listAt(data, "list").insert(0, [0]));
    const { data, kept } = undone(past);
    expect(data).toEqual({ list: [1, "<box></box>", 2] });
    expect(kept).toEqual([]);
    past.edit("ann", (it) => listAt(it, "list").delete(1));
    expect(undone(past, { from: past.version - 1 })).toEqual({
      data: { list: [1, 2] },
      kept: [{ path: "/list", reason: "not-json" }],
    });
  });

  test("[UNDO-1] other roots are undone too", () => {
    const past = new Past({});
    past.edit("bob", (_, doc) => doc.getText("note").insert(0, "bob"));
    past.edit("ann", (_, doc) => doc.getText("note").insert(0, "ann "));
    const { changes } = planOf(past);
    past.ops("undoer", changes);
    past.edit("eve", (data, doc) => data.set("note", doc.getText("note").toJSON()));
    expect(past.data).toEqual({ note: "bob" });
  });

  test("[UNDO-6] voids and what is refused play no part", () => {
    const past = new Past({ a: 1 });
    past.void("ann");
    past.edit("ann", (data) => data.set("a", 2));
    past.void("ann");
    expect(undone(past)).toEqual({ data: { a: 1 }, kept: [] });
  });
});

describe("epochs", () => {
  test("[UNDO-8] changes of an earlier epoch are undone where nobody wrote since", () => {
    const past = new Past({ a: 1, k: 1, list: [1], t: { $text: "abc" } });
    past.edit("ann", (data) => {
      data.set("a", 2);
      data.set("k", 2);
      data.set("gone", 1);
      listAt(data, "list").push([2]);
      textAt(data, "t").insert(1, "xyz");
    });
    past.edit("bob", (data) => data.set("b", 1));
    past.recreate();
    past.edit("bob", (data) => {
      data.set("k", 3);
      listAt(data, "list").push([3]);
      textAt(data, "t").insert(2, "B");
    });
    past.edit("ann", (data) => data.set("late", true));
    const { data, kept } = undone(past, { to: 1 });
    expect(data).toEqual({ a: 1, k: 3, b: 1, list: [1, 3], t: "aBbc", late: true });
    expect(kept).toMatchObject([{ path: "/k", by: { actor: "bob" } }]);
    const gone = new Past({ k: 1 });
    gone.edit("ann", (it) => it.set("k", 2));
    gone.recreate();
    gone.edit("bob", (it) => it.delete("k"));
    expect(undone(gone)).toMatchObject({ data: {}, kept: [{ path: "/k", by: { actor: "bob" } }] });
    const between = new Past({ k: 1 });
    between.edit("ann", (it) => it.set("k", 2));
    between.recreate();
    between.edit("bob", (it) => it.set("k", 3));
    between.edit("ann", (it) => it.set("k", 4));
    expect(undone(between).data).toEqual({ k: 3 });
    const all = new Past({ a: 1 });
    all.edit("ann", (it) => it.set("a", 2));
    all.recreate();
    all.edit("ann", (it) => it.set("a", 3));
    expect(undone(all).data).toEqual({ a: 1 });
  });
});
