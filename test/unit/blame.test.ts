/** Blame: who last wrote what, by Yjs ids. */
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { Attribution } from "../../server/state/history/attribution.ts";
import { Blame } from "../../server/state/history/blame.ts";
import { visitPieces } from "../../server/state/history/document-pieces.ts";
import type { Piece } from "../../server/state/history/document-pieces.ts";
import type { BlameLine } from "../../shared/history.ts";
import { Past, actorOf, listAt, mapAt, textAt } from "../support/past.ts";
import { NODE } from "../support/stored-state.ts";
import { any, assemble } from "../support/update-assembler.ts";

const CREATION = { version: 0, actor: actorOf("creator"), atMs: 1 };

function blameOf(past: Past, path = "", linesMax = 1000): BlameLine[] {
  const blame = new Blame(past.base, { nodeClientId: NODE, creation: CREATION });
  blame.apply(past.entries);
  return blame.lines(path, linesMax);
}

/** Lines as `path[index]@start "text" actor version`. */
const told = (lines: readonly BlameLine[]): string[] =>
  lines.map(({ path, index, start, text, actor, version }) =>
    [
      `${path}${index === undefined ? "" : `[${index}]`}`,
      ...(text === undefined ? [] : [`${start} ${JSON.stringify(text)}`]),
      actor ?? "?",
      version ?? "?",
    ].join(" "),
  );

describe("values", () => {
  test("[BLAME-1] a value is its last writer's, with version, time and message", () => {
    const past = new Past({ a: 1, b: 2 });
    past.edit("ann", (data) => data.set("a", 3), "because");
    past.ops("bob", [{ op: "add", path: "/c", value: true }]);
    expect(told(blameOf(past))).toEqual(["/a ann 1", "/b creator 0", "/c bob 2"]);
    expect(blameOf(past, "/a")).toEqual([{ path: "/a", version: 1, actor: "ann", atMs: 1001, message: "because" }]);
  });

  test("[BLAME-1] writing the same value again makes it one's own; a set that loses does not", () => {
    const past = new Past({ a: 1 });
    past.sees("low");
    past.sees("high");
    past.editApart("high", (data) => data.set("a", 2));
    past.editApart("low", (data) => data.set("a", 3));
    expect(past.data).toEqual({ a: 2 });
    expect(told(blameOf(past))).toEqual(["/a high 1"]);
    past.edit("low", (data) => data.set("a", 2));
    expect(told(blameOf(past))).toEqual(["/a low 3"]);
  });

  test("[BLAME-2] an object is told member by member, an empty one by itself", () => {
    const past = new Past({ tasks: { t1: { title: "x", sub: {} } } });
    past.edit("ann", (data) => mapAt(data, "tasks", "t1").set("done", true));
    past.edit("bob", (data) => mapAt(data, "tasks").set("t2", new Y.Map()));
    expect(told(blameOf(past, "/tasks"))).toEqual([
      "/tasks/t1/title creator 0",
      "/tasks/t1/sub creator 0",
      "/tasks/t1/done ann 1",
      "/tasks/t2 bob 2",
    ]);
    expect(told(blameOf(past, "/tasks/t1/done"))).toEqual(["/tasks/t1/done ann 1"]);
  });

  test("[BLAME-2] an object that a live client stored whole is one line, also when asked for a part of it", () => {
    const past = new Past({});
    past.edit("ann", (data) => data.set("o", { x: { y: 1 } }));
    expect(told(blameOf(past, "/o/x"))).toEqual(["/o ann 1"]);
  });

  test("[BLAME-3] elements are told as the array with their index, however deep they are", () => {
    const past = new Past({ list: [1, { title: "x" }, [2]] });
    past.edit("ann", (data) => listAt(data, "list").insert(1, ["a", "b"]));
    past.edit("bob", (data) => {
      const inner = listAt(data, "list").get(3);
      if (inner instanceof Y.Map) inner.set("by", "bob");
    });
    past.edit("cid", (data) => listAt(data, "list").delete(0));
    expect(told(blameOf(past, "/list"))).toEqual([
      "/list[0] ann 1",
      "/list[1] ann 1",
      "/list[2] creator 0",
      "/list[2] bob 2",
      "/list[3] creator 0",
    ]);
    expect(told(blameOf(past, "/list/2/by"))).toEqual(["/list[2] bob 2"]);
    expect(told(blameOf(past, "/list/1"))).toEqual(["/list[1] ann 1"]);
  });

  test("[BLAME-4] a path that names nothing is refused, and so are more lines than the limit", () => {
    const past = new Past({ a: 1, b: 2, list: [1] });
    for (const path of ["/x", "/a/b", "/list/1", "@other"]) {
      expect(() => blameOf(past, path)).toThrow(expect.objectContaining({ code: "PATH_NOT_FOUND" }));
    }
    expect(() => blameOf(past, "a")).toThrow(expect.objectContaining({ code: "INVALID_REQUEST" }));
    expect(blameOf(past, "", 3)).toHaveLength(3);
    expect(() => blameOf(past, "", 2)).toThrow(expect.objectContaining({ code: "TOO_LARGE" }));
  });
});

describe("ids", () => {
  test("[BLAME-1] what came with no change is nobody's, what is sent again its first writer's", () => {
    const attribution = new Attribution();
    const [first, second] = [{ version: 1 }, { version: 2 }];
    attribution.addRanges([[{ client: 1, clock: 0, length: 3 }, first]]);
    const gap = assemble([{ client: 1, clock: 5, structs: [any({ parent: "data", key: "a" }, 1, 2)] }]);
    attribution.addUpdate(gap, second);
    const again = assemble([
      { client: 1, clock: 1, structs: [any({ parent: "data", key: "a" }, 1, 2, 3, 4, 5, 6, 7)] },
    ]);
    attribution.addUpdate(again, { version: 3 });
    const writers = [0, 1, 2, 3, 4, 5, 6, 7].map((clock) => attribution.of(1, clock)?.version);
    expect(writers).toEqual([1, 1, 1, undefined, undefined, 2, 2, 3]);
    expect(attribution.of(2, 0)).toBeUndefined();
  });

  test("[BLAME-1] of several values that one item holds for a key, the last is the one that shows", () => {
    const base = new Past({});
    const update = assemble([{ client: 9, clock: 0, structs: [any({ parent: "data", key: "k" }, "one", "two")] }]);
    const seen: Piece[] = [];
    const doc = new Y.Doc();
    Y.applyUpdateV2(doc, base.base.state);
    Y.applyUpdate(doc, update);
    visitPieces(doc, [], (piece) => void seen.push(piece));
    expect(seen).toMatchObject([{ client: 9, clock: 1, steps: ["data", "k"] }]);
  });
});

describe("texts", () => {
  test("[BLAME-5] concurrent edits of three agents: each run is its writer's", () => {
    const past = new Past({ t: { $text: "The end." } });
    for (const name of ["ann", "bob", "cid"]) past.sees(name);
    past.editApart("ann", (data) => textAt(data, "t").insert(4, "happy "));
    past.editApart("bob", (data) => textAt(data, "t").insert(0, "> "));
    past.editApart("cid", (data) => textAt(data, "t").delete(4, 4));
    past.edit("ann", (data) => textAt(data, "t").insert(2, "Yes. "));
    expect(past.data).toEqual({ t: "> Yes. The happy " });
    expect(told(blameOf(past, "/t"))).toEqual([
      '/t 0 "> " bob 2',
      '/t 2 "Yes. " ann 4',
      '/t 7 "The " creator 0',
      '/t 11 "happy " ann 1',
    ]);
  });

  test("[BLAME-5] neighbouring runs of one change are one line, of two changes two", () => {
    const past = new Past({ t: { $text: "" } });
    past.edit("ann", (data) => {
      textAt(data, "t").insert(0, "ac");
      textAt(data, "t").insert(1, "b");
    });
    past.edit("ann", (data) => textAt(data, "t").insert(3, "def"));
    expect(told(blameOf(past))).toEqual(['/t 0 "abc" ann 1', '/t 3 "def" ann 2']);
  });

  test("[BLAME-5] an empty text is told by itself, an embedded object is a character", () => {
    const past = new Past({});
    past.edit("ann", (data) => data.set("t", new Y.Text()));
    expect(told(blameOf(past))).toEqual(["/t ann 1"]);
    past.edit("bob", (data) => textAt(data, "t").insertEmbed(0, { image: 1 }));
    past.edit("cid", (data) => textAt(data, "t").format(0, 1, { bold: true }));
    expect(told(blameOf(past))).toEqual(['/t 0 "\uFFFC" bob 2']);
  });

  test("[BLAME-6] other roots are told under their names; XML is one line, of whoever changed it last", () => {
    const past = new Past({ a: 1 });
    past.edit("ann", (_, doc) => doc.getText("note").insert(0, "hi"));
    past.edit("ann", (_, doc) => doc.getXmlFragment("page").insert(0, [new Y.XmlElement("p")]));
    past.edit("bob", (_, doc) => {
      const paragraph = doc.getXmlFragment("page").get(0);
      if (paragraph instanceof Y.XmlElement) paragraph.setAttribute("class", "x");
    });
    expect(told(blameOf(past)).sort()).toEqual(["/a creator 0", '@note 0 "hi" ann 1', "@page bob 3"]);
    expect(told(blameOf(past, "@note"))).toEqual(['@note 0 "hi" ann 1']);
    past.edit("ann", (_, doc) => doc.getXmlFragment("page").insert(1, [new Y.XmlElement("q")]));
    past.edit("cid", (_, doc) => {
      const paragraph = doc.getXmlFragment("page").get(0);
      if (paragraph instanceof Y.XmlElement) paragraph.setAttribute("class", "y");
    });
    expect(told(blameOf(past, "@page"))).toEqual(["@page cid 5"]);
    past.recreate();
    expect(told(blameOf(past, "@page"))).toEqual(["@page cid 5"]);
  });
});

describe("what is older", () => {
  test("[BLAME-7] what the base holds has no version, and an actor when a live client wrote it", () => {
    const past = new Past({ a: 1, t: { $text: "" } });
    past.edit("ann", (data) => textAt(data, "t").insert(0, "old"));
    past.edit("ann", (data) => data.set("b", 1));
    const blame = new Blame(past.base, { nodeClientId: NODE });
    blame.apply(past.entries);
    const doc = new Y.Doc();
    Y.applyUpdateV2(doc, past.base.state);
    for (const { update } of past.entries) Y.applyUpdate(doc, update);
    const base = {
      ...past.base,
      seq: 2,
      version: 2,
      state: Y.encodeStateAsUpdateV2(doc),
      owners: [[100, actorOf("ann")]] as const,
    };
    past.edit("bob", (data) => textAt(data, "t").insert(3, "new"));
    const later = new Blame(base, { nodeClientId: NODE });
    later.apply(past.entries.slice(2));
    expect(told(later.lines("", 100))).toEqual(["/a ? ?", '/t 0 "old" ann ?', '/t 3 "new" bob 3', "/b ann ?"]);
  });

  test("[BLAME-8] a new epoch changes no line, and what comes after it is told on top", () => {
    const past = new Past({ t: { $text: "one " }, list: [1, 2], o: { e: {} } });
    past.edit("ann", (data) => textAt(data, "t").insert(4, "two "));
    past.edit("bob", (data) => listAt(data, "list").insert(1, ["x"]));
    past.edit("cid", (data) => mapAt(data, "o").set("k", 1));
    past.edit("bob", (data) => textAt(data, "t").insert(0, "zero "));
    const before = blameOf(past);
    past.recreate();
    expect(blameOf(past)).toEqual(before);
    past.edit("dan", (data) => textAt(data, "t").insert(7, "-"));
    past.edit("dan", (data) => listAt(data, "list").delete(0));
    past.recreate();
    past.edit("eve", (data) => mapAt(data, "o", "e").set("f", 1));
    past.edit("eve", (data) => mapAt(data, "o", "e").delete("f"));
    expect(told(blameOf(past))).toEqual([
      '/t 0 "zero " bob 4',
      '/t 5 "on" creator 0',
      '/t 7 "-" dan 5',
      '/t 8 "e " creator 0',
      '/t 10 "two " ann 1',
      "/list[0] bob 2",
      "/list[1] creator 0",
      "/o/e creator 0",
      "/o/k cid 3",
    ]);
  });
});
