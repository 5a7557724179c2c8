/** What a judged update touches, and what it may not do to a document: rules SCAN-n. */
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { parsePath } from "../../shared/path.ts";
import { coverOf } from "../../server/state/path-cover.ts";
import { touchOf } from "../../server/state/update/touched-paths.ts";
import type { Touch } from "../../server/state/update/touched-paths.ts";
import { scanUpdate } from "../../server/state/update/update-scanner.ts";
import { AUTHOR, CLOCK, HOSTILE, victimDoc } from "../support/hostile-updates.ts";
import { TYPE, any, anyBytes, assemble, deleted, gc, text, type } from "../support/update-assembler.ts";
import type { Section } from "../support/update-assembler.ts";

const judge = (doc: Y.Doc, update: Uint8Array): Touch => touchOf(doc, scanUpdate(update));
const by = (...structs: readonly Uint8Array[]): Section => ({ client: HOSTILE, clock: 0, structs });

function ruleOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    if (error instanceof ServiceError) return error.details["rule"];
    throw error;
  }
  return "accepted";
}

/** A server's document and a client's, in the same state: data {a: {b: {c: 1}}, list: [{x: 1}], text: "hello"}. */
function pair(): { server: Y.Doc; client: Y.Doc; edit: (change: (data: Y.Map<unknown>) => void) => Uint8Array } {
  const client = new Y.Doc();
  client.clientID = 5;
  const data = client.getMap("data");
  const map = (entries: Record<string, unknown>): Y.Map<unknown> => new Y.Map(Object.entries(entries));
  data.set("a", map({ b: map({ c: 1 }) }));
  data.set("list", Y.Array.from([map({ x: 1 })]));
  data.set("text", new Y.Text("hello"));
  client.getXmlFragment("page").insert(0, [new Y.XmlElement("p")]);
  const server = new Y.Doc();
  server.getMap("data");
  Y.applyUpdate(server, Y.encodeStateAsUpdate(client));
  const edit = (change: (data: Y.Map<unknown>) => void): Uint8Array => {
    let update: Uint8Array = new Uint8Array();
    client.once("update", (bytes) => (update = bytes));
    client.transact(() => change(data));
    return update;
  };
  return { server, client, edit };
}

function child<T>(parent: unknown, key: string | number, shape: abstract new (...args: never[]) => T): T {
  const found: unknown =
    parent instanceof Y.Map ? parent.get(String(key)) : parent instanceof Y.Array ? parent.get(Number(key)) : undefined;
  if (found instanceof shape) return found;
  throw new Error("The fixture has another shape.");
}

describe("paths", () => {
  type Case = readonly [name: string, paths: readonly string[], change: (data: Y.Map<unknown>) => void];
  const a = (data: Y.Map<unknown>) => child(data, "a", Y.Map);
  const cases: readonly Case[] = [
    ["a new key", ["/new"], (data) => data.set("new", 1)],
    ["a nested key", ["/a/b/c"], (data) => child(a(data), "b", Y.Map).set("c", 2)],
    ["a deleted key", ["/a/b"], (data) => a(data).delete("b")],
    ["a key with both escapes", ["/a/~0~1"], (data) => a(data).set("~/", 2)],
    ["the empty key", ["/a/"], (data) => a(data).set("", 2)],
    ["two keys", ["/a/x", "/y"], (data) => (data.set("y", 1), a(data).set("x", 1))],
    ["a key and one below it", ["/a"], (data) => (child(a(data), "b", Y.Map).set("c", 3), data.set("a", 0))],
    ["a list", ["/list"], (data) => child(data, "list", Y.Array).push([2])],
    ["the inside of a list element", ["/list"], (data) => child(child(data, "list", Y.Array), 0, Y.Map).set("x", 2)],
    ["a text", ["/text"], (data) => child(data, "text", Y.Text).insert(2, "xx")],
    ["a text format", ["/text"], (data) => child(data, "text", Y.Text).format(0, 3, { bold: true })],
    ["a deletion in a text", ["/text"], (data) => child(data, "text", Y.Text).delete(1, 2)],
    [
      "a new tree, once",
      ["/tree"],
      (data) => data.set("tree", new Y.Map([["k", Y.Array.from([new Y.Map([["z", 1]])])]])),
    ],
    ["another root's key", ["@meta/k"], (data) => data.doc?.getMap("meta").set("k", 1)],
    ["another root's text", ["@prose"], (data) => data.doc?.getText("prose").insert(0, "x")],
    ["XML children", ["@page"], (data) => data.doc?.getXmlFragment("page").push([new Y.XmlText("x")])],
    ["an XML attribute further down", ["@page"], (data) => element(data.doc).setAttribute("id", "1")],
    ["a root with escapes", ["@a~1b/k"], (data) => data.doc?.getMap("a/b").set("k", 1)],
    ["the root without a name", [""], (data) => data.doc?.getMap("").set("k", 1)],
  ];
  const element = (doc: Y.Doc | null): Y.XmlElement => {
    const found = doc?.getXmlFragment("page").get(0);
    if (found instanceof Y.XmlElement) return found;
    throw new Error("The fixture has another shape.");
  };

  test.each(cases)("[SCAN-5] %s", (_, paths, change) => {
    const { server, edit } = pair();
    const update = edit(change);
    expect(judge(server, update).paths).toEqual(paths);
    Y.applyUpdate(server, update);
    expect(judge(server, update)).toMatchObject({ paths: [], advances: [], isNoop: true });
  });

  test("[SCAN-5] every path can be parsed, however long its keys and names are", () => {
    const { server, client, edit } = pair();
    const update = edit((data) => {
      let map = data;
      for (let i = 0; i < 30; i++) {
        const next = new Y.Map<unknown>();
        map.set("/".repeat(100), next);
        map = next;
      }
    });
    Y.applyUpdate(server, update);
    const deep = edit((data) => {
      let map = data;
      for (let next = map.get("/".repeat(100)); next instanceof Y.Map; next = map.get("/".repeat(100))) map = next;
      map.set("leaf", 1);
    });
    const { paths } = judge(server, deep);
    expect(paths).toHaveLength(1);
    expect(parsePath(paths[0] ?? "")).toEqual(["data", ...Array.from({ length: 5 }, () => "/".repeat(100))]);
    expect(client.getMap("data").size).toBe(4);
  });

  test("[SCAN-6] items where the parent shows none are accepted under the parent's path", () => {
    const doc = victimDoc();
    const before = doc.getMap("data").toJSON();
    const update = assemble([
      by(
        any({ parent: "data" }, "element of a map"),
        any({ parent: [AUTHOR, CLOCK.list], key: "k" }, "key of an array"),
        any({ parent: [AUTHOR, CLOCK.note] }, { not: "text" }),
      ),
    ]);
    expect(judge(doc, update).paths).toEqual([""]);
    expect(judge(doc, assemble([by(any({ parent: [AUTHOR, CLOCK.list], key: "k" }, 1))])).paths).toEqual(["/list"]);
    Y.applyUpdate(doc, update);
    expect(doc.getMap("data").toJSON()).toEqual(before);
  });

  test("[SCAN-7] deleting what is live touches it; what is deleted or collected already is not touched again", () => {
    const doc = victimDoc();
    const list = assemble([], [[AUTHOR, CLOCK.elements + 1, 1]]);
    expect(judge(doc, list)).toMatchObject({ paths: ["/list"], advances: [], isNoop: false });
    Y.applyUpdate(doc, list);
    expect(judge(doc, list)).toMatchObject({ paths: [], advances: [], isNoop: true });
    expect(judge(doc, assemble([], [[AUTHOR, CLOCK.gone, 2]])).isNoop).toBe(true);
    expect(judge(doc, assemble([], [[AUTHOR, CLOCK.elements, 2]])).isNoop).toBe(false);
    expect(judge(doc, assemble([], [[AUTHOR, CLOCK.end - 1, 1]])).paths).toEqual(["/fragment"]);
  });

  test("[SCAN-8] paths are minimal, sorted and folded into parents beyond the limit", () => {
    expect(coverOf(new Set(["/b/c", "/a", "/b", "/a-b", "/a/b"]), 9)).toEqual(["/a", "/a-b", "/b"]);
    expect(coverOf(new Set(["/a", "", "@x/y"]), 9)).toEqual([""]);
    expect(coverOf(new Set(["@x", "@x/y", "@xy", "/x"]), 9)).toEqual(["/x", "@x", "@xy"]);
    expect(coverOf(new Set(), 9)).toEqual([]);
    const keys = (count: number, above: string) => Array.from({ length: count }, (_, i) => `${above}/${i}`);
    expect(coverOf(new Set([...keys(9, "/a"), "/b"]), 9)).toEqual(["/a", "/b"]);
    expect(coverOf(new Set([...keys(9, "/a/x"), ...keys(9, "@r/y")]), 9)).toEqual(["/a/x", "@r/y"]);
    expect(coverOf(new Set(keys(10, "")), 9)).toEqual([""]);
    expect(coverOf(new Set([...keys(9, ""), "@r/k"]), 9)).toEqual([""]);
    const { server, edit } = pair();
    const set = (count: number) =>
      edit((data) => keys(count, "").forEach((key) => child(data, "a", Y.Map).set(key, 1)));
    expect(judge(server, set(LIMITS.touchedPathsMax)).paths).toHaveLength(LIMITS.touchedPathsMax);
    expect(judge(pair().server, assemble([by(...keys(99, "k").map((key) => any({ key }, 1)))])).paths).toEqual([""]);
  });
});

describe("clocks", () => {
  test("[SCAN-9] tells which ids of which clients are new, so that ownership can be judged", () => {
    const doc = victimDoc();
    const squat = assemble([{ client: AUTHOR, clock: CLOCK.end, structs: [gc(5)] }, by(any({ key: "k" }, 1), gc(2))]);
    expect(judge(doc, squat)).toMatchObject({
      paths: ["/k"],
      advances: [
        { client: HOSTILE, from: 0, to: 3 },
        { client: AUTHOR, from: CLOCK.end, to: CLOCK.end + 5 },
      ],
      isNoop: false,
    });
  });

  test("[SCAN-10] a struct that is known in part is accepted if it goes on where the known part is", () => {
    const doc = victimDoc();
    const more: Section = {
      client: AUTHOR,
      clock: CLOCK.letters,
      structs: [text({ parent: [AUTHOR, CLOCK.note] }, "hello")],
    };
    expect(judge(doc, assemble([more]))).toMatchObject({ paths: [], advances: [], isNoop: true });
    const typed = new Y.Doc();
    typed.clientID = HOSTILE;
    typed.getText("t").insert(0, "ab");
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(typed));
    typed.getText("t").insert(2, "cd");
    const whole = Y.encodeStateAsUpdate(typed);
    expect(judge(doc, whole)).toMatchObject({
      paths: ["@t"],
      advances: [{ client: HOSTILE, from: 2, to: 4 }],
      isNoop: false,
    });
    Y.applyUpdate(doc, whole);
    expect(doc.getText("t").toJSON()).toBe("abcd");
  });

  test("[SCAN-10] the rest of a struct whose beginning was voided is refused, not half applied", () => {
    const doc = victimDoc();
    Y.applyUpdate(doc, assemble([by(gc(2))]));
    expect(ruleOf(() => judge(doc, assemble([by(text({ parent: [AUTHOR, CLOCK.note] }, "abcd"))])))).toBe("voided");
  });

  test("[SCAN-11] accepts a client's own collected content and what it wrote around content that the server voided", () => {
    const doc = victimDoc();
    const voided = assemble([by(gc(3))]);
    Y.applyUpdate(doc, voided);
    const later: Section = {
      client: HOSTILE,
      clock: 3,
      structs: [
        text({ origin: [HOSTILE, 2], rightOrigin: [AUTHOR, CLOCK.letters] }, "x"),
        any({ parent: [HOSTILE, 0], key: "k" }, 1),
        any({ origin: [HOSTILE, 3] }, 2),
        any({ parent: [AUTHOR, CLOCK.gone], key: "late" }, 1),
        deleted({ parent: [AUTHOR, CLOCK.note] }, 2),
        gc(3),
      ],
    };
    const update = assemble([later], [[HOSTILE, 0, 3]]);
    expect(judge(doc, update)).toMatchObject({
      paths: ["/note"],
      advances: [{ client: HOSTILE, from: 3, to: 12 }],
      isNoop: false,
    });
    const before = doc.getMap("data").toJSON();
    Y.applyUpdate(doc, update);
    expect(doc.store.pendingStructs).toBeNull();
    expect(doc.getMap("data").toJSON()).toEqual(before);
  });

  test("[SCAN-12] clients may refer to each other within an update, in any order", () => {
    const one: Section = {
      client: 700,
      clock: 0,
      structs: [text({ parent: "t" }, "a"), text({ origin: [701, 0] }, "c")],
    };
    const two: Section = {
      client: 701,
      clock: 0,
      structs: [text({ origin: [700, 0] }, "b"), text({ origin: [700, 1] }, "d")],
    };
    for (const sections of [
      [one, two],
      [two, one],
    ]) {
      const doc = new Y.Doc();
      const update = assemble(sections, [[701, 1, 1]]);
      expect(judge(doc, update).paths).toEqual(["@t"]);
      Y.applyUpdate(doc, update);
      expect(doc.getText("t").toJSON()).toBe("abc");
    }
  });
});

describe("limits", () => {
  test("[SCAN-13] types nest as deep as the limit, over several updates too", () => {
    const doc = new Y.Doc();
    doc.getMap("data");
    const link = (i: number): Section => ({
      client: HOSTILE,
      clock: i,
      structs: [type(i === 0 ? { key: "k" } : { parent: [HOSTILE, i - 1], key: "k" }, TYPE.map)],
    });
    for (let i = 0; i < LIMITS.depthMax; i++) {
      judge(doc, assemble([link(i)]));
      Y.applyUpdate(doc, assemble([link(i)]));
    }
    expect(ruleOf(() => judge(doc, assemble([link(LIMITS.depthMax)])))).toBe("type-depth");
    const value: Section = {
      client: HOSTILE,
      clock: LIMITS.depthMax,
      structs: [any({ parent: [HOSTILE, LIMITS.depthMax - 1], key: "k" }, 1)],
    };
    expect(parsePath(judge(doc, assemble([value])).paths[0] ?? "")).toHaveLength(LIMITS.pathStepsMax + 1);
  });

  test("[SCAN-13] roots are counted with those that the document has", () => {
    const doc = victimDoc();
    const roots = (first: number, count: number) =>
      assemble([by(...Array.from({ length: count }, (_, i) => any({ parent: `r${first + i}` }, 1)))]);
    judge(doc, roots(0, LIMITS.rootTypesMax - 1));
    for (let i = 1; i < LIMITS.rootTypesMax; i++) doc.get(`r${i}`);
    expect(ruleOf(() => judge(doc, roots(LIMITS.rootTypesMax, 1)))).toBe("roots");
    judge(doc, roots(1, LIMITS.rootTypesMax - 1));
  });

  const elements = 400_000;
  const wide = (): Y.Doc => {
    const doc = new Y.Doc();
    Y.applyUpdate(doc, assemble([by(anyBytes({ parent: "l" }, elements, new Uint8Array(elements).fill(126)))]));
    return doc;
  };

  test("[SCAN-14] cutting a long list's content into pieces again and again is refused", () => {
    const doc = wide();
    const scattered = (count: number) =>
      assemble(
        [],
        Array.from({ length: count }, (_, i) => [HOSTILE, 1 + i * 3, 1] as const),
      );
    judge(doc, scattered(50));
    expect(ruleOf(() => judge(doc, scattered(5000)))).toBe("work");
    const inserts = Array.from({ length: 5000 }, (_, i) =>
      any({ origin: [HOSTILE, i * 3], rightOrigin: [HOSTILE, i * 3 + 1] }, 1),
    );
    expect(ruleOf(() => judge(doc, assemble([{ client: 7, clock: 0, structs: inserts }])))).toBe("work");
    const known = Array.from({ length: 5000 }, (_, i) => text({ origin: [HOSTILE, i * 3] }, "x"));
    Y.applyUpdate(doc, assemble([{ client: 7, clock: 0, structs: [gc(5000)] }]));
    expect(ruleOf(() => judge(doc, assemble([{ client: 7, clock: 0, structs: known }])))).toBe("work");
  });

  test("[SCAN-14] one insertion that claims to be concurrent with all of a long text is counted item by item", () => {
    const doc = new Y.Doc();
    const typed = Array.from({ length: 3000 }, (_, i) =>
      text(i === 0 ? { parent: "t" } : { rightOrigin: [HOSTILE, i - 1] }, "a"),
    );
    Y.applyUpdate(doc, assemble([by(...typed)]));
    const claims = (count: number) =>
      assemble([{ client: 700, clock: 0, structs: Array.from({ length: count }, () => text({ parent: "t" }, "b")) }]);
    judge(doc, claims(1));
    expect(ruleOf(() => judge(doc, claims(2000)))).toBe("work");
  });

  test("[SCAN-14] deleting a rich text letter by letter is counted", () => {
    const doc = new Y.Doc();
    const note = doc.getText("t");
    note.insert(0, "x".repeat(40_000));
    const scattered = assemble(
      [],
      Array.from({ length: 20_000 }, (_, i) => [doc.clientID, i * 2, 1] as const),
    );
    judge(doc, scattered);
    note.format(0, 1, { bold: true });
    expect(ruleOf(() => judge(doc, scattered))).toBe("work");
  });

  test("[SCAN-14] merging long offline work of several writers passes", () => {
    const [server, ...writers] = Array.from({ length: 4 }, (_, i) => Object.assign(new Y.Doc(), { clientID: 10 + i }));
    writers.forEach((writer, nth) => {
      const note = writer.getText("t");
      for (let i = 0; i < 3000; i++) note.insert((i * 7919 * (nth + 1)) % (note.length + 1), "x");
      if (server === undefined) return;
      const update = Y.encodeStateAsUpdate(writer);
      judge(server, update);
      Y.applyUpdate(server, update);
    });
    expect(server?.getText("t").length).toBe(9000);
  });
});
