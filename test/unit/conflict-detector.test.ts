/** Conflicts of live updates, scenario by scenario: rules CONFLICT-1…8. */
import * as Y from "yjs";
import { describe, expect, test } from "vitest";
import type { Json } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { readData } from "../../shared/read-data.ts";
import { CollectedPlaces } from "../../server/state/conflict/collected-places.ts";
import { ConflictProbe } from "../../server/state/conflict/conflict-detector.ts";
import type { Detected, ProbeOptions } from "../../server/state/conflict/conflict-detector.ts";
import { scanUpdate } from "../../server/state/update/update-scanner.ts";
import { TYPE, any, assemble, type } from "../support/update-assembler.ts";
import { ConflictLab, LabClient } from "../support/conflict-lab.ts";

const SERVER = 1_000_000;

type Change = (data: Y.Map<unknown>) => void;
type Side = Json | undefined;
/** Kind, path, and what won and lost; the incoming side in an array of its own. */
type Told = readonly [kind: string, path: string, winner: Side | [Side], loser: Side | [Side]];

interface Table {
  readonly lab: ConflictLab;
  readonly clients: readonly LabClient[];
}

/** A server with `start`, and clients that have it. Of two writers of one key the one with the higher id wins. */
function tableOf(start: Change, ...ids: readonly number[]): Table {
  const lab = new ConflictLab(SERVER);
  const maker = new LabClient(1);
  lab.take(maker.edit(start));
  return { lab, clients: ids.map((id) => new LabClient(id, lab.doc)) };
}

/** Two clients write without having seen each other; what the second one's update is told of. Texts as strings. */
function told(
  start: Change,
  [first, second]: readonly [Change, Change],
  order: "up" | "down",
  options: ProbeOptions = {},
): Told[] {
  const { lab, clients } = tableOf(start, ...(order === "up" ? [10, 20] : [20, 10]));
  const [a, b] = clients as [LabClient, LabClient];
  const updates = [a.edit(first), b.edit(second)] as const;
  expect(lab.take(updates[0])).toEqual([]);
  return lab.take(updates[1], options).map(short);
}

function short({ kind, path, winner, loser }: Detected): Told {
  const side = ({ value, isIncoming }: Detected["winner"]): Side | [Side] => (isIncoming ? [value] : value);
  return [kind, path, side(winner), side(loser)];
}

const map = (members: object): Y.Map<unknown> => new Y.Map(Object.entries(members));
const inner = (data: Y.Map<unknown>, key = "m"): Y.Map<unknown> => data.get(key) as Y.Map<unknown>;
const set =
  (key: string, value: unknown): Change =>
  (data) =>
    data.set(key, typeof value === "function" ? value() : value);
const del =
  (key: string): Change =>
  (data) =>
    data.delete(key);
const nothing: Change = () => undefined;

describe("[CONFLICT-1] a key set twice", () => {
  test.each<[order: "up" | "down", expected: Told]>([
    ["up", ["set-set", "/k", ["second"], "first"]],
    ["down", ["set-set", "/k", "first", ["second"]]],
  ])("writers of rising or falling ids: %s", (order, expected) => {
    expect(told(nothing, [set("k", "first"), set("k", "second")], order)).toEqual([expected]);
    expect(told(set("k", "old"), [set("k", "first"), set("k", "second")], order)).toEqual([expected]);
    expect(told(nothing, [set("k", "first"), set("k", "second")], order, { isWhole: true })).toEqual([expected]);
  });

  test("one after the other is none", () => {
    const { lab, clients } = tableOf(set("k", 0), 20, 10);
    const [a, b] = clients as [LabClient, LabClient];
    for (let i = 1; i < 4; i++) {
      expect(lab.take(a.edit(set("k", i)))).toEqual([]);
      b.receive(lab.doc);
      expect(lab.take(b.edit(set("k", -i)))).toEqual([]);
      a.receive(lab.doc);
    }
  });

  test("three writers make two conflicts", () => {
    const { lab, clients } = tableOf(nothing, 10, 30, 20);
    const updates = clients.map((client, i) => client.edit(set("k", i)));
    expect(updates.flatMap((update) => lab.take(update).map(short))).toEqual([
      ["set-set", "/k", [1], 0],
      ["set-set", "/k", 1, [2]],
    ]);
  });

  test("a value upon one that came from elsewhere with it is no rival of that one", () => {
    const { lab, clients } = tableOf(nothing, 10, 20);
    const [a, b] = clients as [LabClient, LabClient];
    a.edit(set("k", "of another tab"));
    b.receive(a.doc);
    b.edit(set("k", "upon it"));
    expect(lab.take(b.wholeFor(lab.doc), { isWhole: true })).toEqual([]);
  });

  test("in a map that goes with the same update nothing is told of its keys", () => {
    const { lab, clients } = tableOf(
      set("m", () => map({})),
      10,
      20,
    );
    const [a, b] = clients as [LabClient, LabClient];
    lab.take(a.edit((data) => inner(data).set("k", 1)));
    b.edit((data) => inner(data).set("k", 2));
    b.edit(del("m"));
    expect(lab.take(Y.mergeUpdates(b.outbox), { isWhole: true })).toEqual([]);
  });

  test("the key is told by its path, in nested maps and in other roots", () => {
    const { lab, clients } = tableOf((data) => data.set("a/~", map({})), 10, 20);
    const [a, b] = clients as [LabClient, LabClient];
    const write = (data: Y.Map<unknown>, value: number): void => {
      inner(data, "a/~").set("x", value);
      data.doc?.getMap("notes").set("y", value);
    };
    lab.take(a.edit((data) => write(data, 1)));
    const found = lab.take(b.edit((data) => write(data, 2))).map(short);
    expect(found).toEqual([
      ["set-set", "/a~1~0/x", [2], 1],
      ["set-set", "@notes/y", [2], 1],
    ]);
  });

  test("inside an array element the path is the array's, and says so", () => {
    const { lab, clients } = tableOf((data) => data.set("list", Y.Array.from([map({ x: 0 })])), 10, 20);
    const [a, b] = clients as [LabClient, LabClient];
    const write = (value: number) => (data: Y.Map<unknown>) =>
      (data.get("list") as Y.Array<Y.Map<unknown>>).get(0).set("x", value);
    lab.take(a.edit(write(1)));
    const found = lab.take(b.edit(write(2)));
    expect(found.map(short)).toEqual([["set-set", "/list", [2], 1]]);
    expect(found[0]?.isNested).toBe(true);
  });

  test("a nested map that loses is told with all its content, whichever came first", () => {
    const tree = (): Y.Map<unknown> => map({ text: new Y.Text("hello"), list: Y.Array.from([1, map({ deep: true })]) });
    const json = { text: { $text: "hello" }, list: [1, { deep: true }] };
    const fresh = (data: Y.Map<unknown>): void => void data.set("k", tree());
    expect(told(nothing, [fresh, set("k", 1)], "up")).toEqual([["set-set", "/k", [1], json]]);
    expect(told(nothing, [set("k", 1), fresh], "down")).toEqual([["set-set", "/k", 1, [json]]]);
  });

  test("what was deleted in a lost map before is not told, also when it died in the same Yjs transaction", () => {
    const { lab, clients } = tableOf((data) => data.set("k", map({ gone: 1, text: new Y.Text("abcd") })), 10, 20);
    const [a, b] = clients as [LabClient, LabClient];
    const late = b.edit(set("k", "new"));
    const clean = a.edit((data) => {
      inner(data, "k").delete("gone");
      (inner(data, "k").get("text") as Y.Text).delete(1, 2);
    });
    const replaced = a.edit((data) => data.set("k", map({ kept: inner(data, "k").get("text")?.toString() })));
    let found: readonly Detected[] = [];
    lab.takeTogether([() => lab.take(clean), () => lab.take(replaced), () => void (found = lab.take(late))]);
    expect(found.map(short)).toEqual([["set-set", "/k", ["new"], { kept: "ad" }]]);
  });

  test("a value that its author had partly deleted again is told as the author left it", () => {
    const { lab, clients } = tableOf(nothing, 20, 10);
    const [a, b] = clients as [LabClient, LabClient];
    lab.take(a.edit(set("k", "wins")));
    b.edit(set("k", () => new Y.Text("abcdef")));
    b.edit((data) => (data.get("k") as Y.Text).delete(2, 2));
    const [found] = lab.take(Y.mergeUpdates(b.outbox), { isWhole: true });
    expect(found?.loser.value).toEqual({ $text: "abef" });
  });

  test("updates of one Yjs transaction are told apart", () => {
    const { lab, clients } = tableOf(nothing, 10, 20, 30);
    const [a, b, c] = clients as [LabClient, LabClient, LabClient];
    const updates = [a.edit(set("k", 1)), b.edit(set("k", 2)), b.edit(set("k", 3)), c.edit(set("k", 4))];
    const found: Told[][] = [];
    lab.takeTogether(updates.map((update) => () => void found.push(lab.take(update).map(short))));
    expect(found).toEqual([[], [["set-set", "/k", [2], 1]], [], [["set-set", "/k", [4], 3]]]);
  });
});

describe("[CONFLICT-2] a key set and deleted", () => {
  const start = set("k", "old");

  test.each(["up", "down"] as const)("a set that had not seen the deletion wins (%s)", (order) => {
    expect(told(start, [del("k"), set("k", "new")], order)).toEqual([["set-delete", "/k", ["new"], undefined]]);
  });

  test.each(["up", "down"] as const)("a deletion that had not seen the set is lost (%s)", (order) => {
    expect(told(start, [set("k", "new"), del("k")], order)).toEqual([["set-delete", "/k", "new", [undefined]]]);
  });

  test("a key that others set and deleted unseen", () => {
    const both: Change = (data) => {
      data.set("k", "brief");
      data.delete("k");
    };
    expect(told(nothing, [both, set("k", "new")], "up")).toEqual([["set-delete", "/k", ["new"], undefined]]);
    expect(told(nothing, [both, set("k", "new")], "down")).toEqual([["set-delete", "/k", undefined, ["new"]]]);
    expect(told(nothing, [set("k", "new"), both], "up")).toEqual([["set-delete", "/k", [undefined], "new"]]);
    expect(told(nothing, [set("k", "new"), both], "down")).toEqual([["set-delete", "/k", "new", [undefined]]]);
  });

  test("set after the deletion was seen is none, also by another writer", () => {
    const { lab, clients } = tableOf(start, 20, 10);
    const [a, b] = clients as [LabClient, LabClient];
    lab.take(a.edit(del("k")));
    b.receive(lab.doc);
    expect(lab.take(b.edit(set("k", 1)))).toEqual([]);
    a.receive(lab.doc);
    expect(lab.take(a.edit(del("k")))).toEqual([]);
    expect(lab.take(a.edit(set("k", 2)))).toEqual([]);
  });

  test("two deletions are none", () => {
    expect(told(start, [del("k"), del("k")], "up")).toEqual([]);
  });

  test("a deletion and a set in one transaction count as the set", () => {
    const anew: Change = (data) => {
      data.delete("k");
      data.set("k", "anew");
    };
    expect(told(start, [set("k", "new"), anew], "up")).toEqual([["set-set", "/k", ["anew"], "new"]]);
    expect(told(start, [del("k"), anew], "up")).toEqual([["set-delete", "/k", ["anew"], undefined]]);
  });
});

describe("[CONFLICT-3] edits inside what is gone already", () => {
  const start: Change = (data) =>
    data.set("m", map({ title: "t", sub: map({ x: 1 }), text: new Y.Text("hello"), list: Y.Array.from([1, 2]) }));
  const text = (data: Y.Map<unknown>): Y.Text => inner(data).get("text") as Y.Text;
  const edits: readonly (readonly [string, Change, Json])[] = [
    ["a new key", (data) => inner(data).set("new", 5), [{ new: 5 }]],
    ["a nested map", (data) => inner(data).set("new", map({ a: 1 })), [{ new: { a: 1 } }]],
    ["characters at the end", (data) => text(data).insert(5, " you"), [" you"]],
    ["characters inside", (data) => text(data).insert(2, "…"), ["…"]],
    ["elements", (data) => (inner(data).get("list") as Y.Array<number>).insert(1, [7, 8]), [7, 8]],
    ["a key deeper inside", (data) => inner(inner(data), "sub").set("y", 2), [{ y: 2 }]],
  ];
  const inOneTransaction = (...changes: readonly Change[]): [Told[], Table] => {
    const table = tableOf(start, 10, 20);
    const [a, b] = table.clients as [LabClient, LabClient];
    const updates = [a.edit(changes[0] ?? nothing), b.edit(changes[1] ?? nothing)] as const;
    let found: readonly Detected[] = [];
    table.lab.takeTogether([() => table.lab.take(updates[0]), () => void (found = table.lab.take(updates[1]))]);
    return [found.map(short), table];
  };

  test.each(edits)("deleted: %s", (_, edit, written) => {
    expect(inOneTransaction(del("m"), edit)[0]).toEqual([["lost-edits", "/m", undefined, [written]]]);
  });

  test.each(edits)("replaced: %s", (_, edit, written) => {
    const expected = ["lost-edits", "/m", "other", [written]];
    expect(inOneTransaction(set("m", "other"), edit)[0]).toEqual([expected]);
    expect(told(start, [set("m", "other"), edit], "up")[0]?.slice(0, 3)).toEqual(expected.slice(0, 3));
  });

  test.each(edits)("collected: %s", (_, edit, written) => {
    const [found] = told(start, [del("m"), edit], "up");
    expect(found?.slice(0, 3)).toEqual(["lost-edits", "/m", undefined]);
    // the keys of collected places are not known any more, and types that were to be made are told by what is in them
    expect(leavesOf(found?.[3])).toEqual(leavesOf(written));
  });

  test("edits upon edits that were lost are told as well", () => {
    const { lab, clients } = tableOf(start, 10, 20);
    const [a, b] = clients as [LabClient, LabClient];
    lab.take(a.edit(del("m")));
    const updates = ["x", "y", "z"].map((letter) => b.edit((data) => text(data).insert(text(data).length, letter)));
    for (const [i, update] of updates.entries()) {
      expect(lab.take(update).map(short)).toEqual(
        [["lost-edits", "/m", undefined, [["x", "y", "z"][i]]]].map(incomingList),
      );
    }
  });

  test("a subtree is told once, under its outermost deleted place", () => {
    const { lab, clients } = tableOf(start, 10, 20);
    const [a, b] = clients as [LabClient, LabClient];
    lab.take(a.edit((data) => inner(data).delete("sub")));
    lab.take(a.edit(del("m")));
    const update = b.edit((data) => {
      inner(inner(data), "sub").set("x", 2);
      inner(inner(data), "sub").set("y", 3);
      text(data).insert(0, "a");
      inner(data).set("title", "u");
    });
    const found = lab.take(update);
    expect(found.map(({ kind, path }) => [kind, path])).toEqual([["lost-edits", "/m"]]);
    expect(leavesOf(found[0]?.loser.value)).toEqual([2, 3, "a", "u"]);
  });

  test("what the author deleted again is not told", () => {
    const change: Change = (data) => {
      text(data).insert(0, "typo");
      text(data).delete(0, 4);
      inner(data).set("title", "u");
      data.delete("m");
    };
    expect(told(start, [del("m"), change], "up")).toEqual([]);
    expect(inOneTransaction(del("m"), change)[0]).toEqual([]);
  });

  test("without the memory of places nothing is guessed", () => {
    const { lab, clients } = tableOf(start, 10, 20);
    const [a, b] = clients as [LabClient, LabClient];
    lab.take(a.edit(del("m")));
    const update = b.edit((data) => text(data).insert(5, "!"));
    expect(lab.take(update, { collected: new CollectedPlaces(lab.doc) })).toEqual([]);
  });

  test("next to a value that was written over long ago", () => {
    const { lab, clients } = tableOf(start, 10, 20);
    const [a, b] = clients as [LabClient, LabClient];
    lab.take(a.edit((data) => inner(data).set("title", "u")));
    lab.take(a.edit(del("m")));
    const found = lab.take(b.edit((data) => inner(data).set("title", "v")));
    expect(found.map(short)).toEqual([["lost-edits", "/m", undefined, [["v"]]]]);
  });

  test("neighbours in time are remembered in their own places", () => {
    const doc = new Y.Doc();
    const places = new CollectedPlaces(doc);
    const [a, b] = [map({}), map({})];
    const client = doc.clientID;
    doc.getMap("data").set("a", a);
    doc.getMap("data").set("b", b);
    a.set("x", 1);
    b.set("x", 1);
    doc.getMap("data").clear();
    expect([2, 3].map((clock) => places.holderOf({ client, clock })?.parentSub)).toEqual(["a", "b"]);
  });

  test("the memory of places is bounded, and forgets the oldest", () => {
    const doc = new Y.Doc();
    const places = new CollectedPlaces(doc, 2);
    const data = doc.getMap("data");
    const ids = ["a", "b", "c", "d", "e"].map((key) => {
      data.set(key, map({ x: 1 }));
      return { client: doc.clientID, clock: Y.getState(doc.store, doc.clientID) - 1 };
    });
    for (const key of [...data.keys()]) data.delete(key);
    const held = ids.map((id) => places.holderOf(id)?.parentSub);
    expect(held.slice(0, 2)).toEqual([undefined, undefined]);
    expect(held.slice(-2)).toEqual(["d", "e"]);
  });
});

describe("[CONFLICT-4] content that the sender of a deletion had not seen", () => {
  const start: Change = (data) => data.set("m", map({ title: "t", text: new Y.Text("hello"), sub: map({ x: 1 }) }));
  const text = (data: Y.Map<unknown>): Y.Text => inner(data).get("text") as Y.Text;

  function unseen(edit: Change, deletion: Change, options: ProbeOptions = {}): Told[] {
    const { lab, clients } = tableOf(start, 10, 20);
    const [a, b] = clients as [LabClient, LabClient];
    const seen = Y.decodeStateVector(Y.encodeStateVector(b.doc));
    lab.take(a.edit(edit));
    const knows = (client: number, clock: number): boolean => client === 20 || clock < (seen.get(client) ?? 0);
    return lab.take(b.edit(deletion), { knows, ...options }).map(short);
  }

  test.each<[string, Change, Json]>([
    ["characters", (data) => text(data).insert(5, " you"), [" you"]],
    ["a key", (data) => inner(data).set("title", "u"), [{ title: "u" }]],
    ["a subtree, once", (data) => inner(inner(data), "sub").set("y", map({ a: 1, b: 2 })), [{ y: { a: 1, b: 2 } }]],
  ])("%s", (_, edit, written) => {
    expect(unseen(edit, del("m"))).toEqual([["lost-edits", "/m", [undefined], written]]);
    expect(unseen(edit, set("m", "new"))).toEqual([["lost-edits", "/m", ["new"], written]]);
  });

  test("is not told when all was seen, when nobody knows what was, and when it was deleted again", () => {
    expect(unseen(nothing, del("m"))).toEqual([]);
    expect(unseen((data) => text(data).insert(5, "!"), del("m"), { knows: () => true })).toEqual([]);
    const { lab, clients } = tableOf(start, 10, 20);
    const [a, b] = clients as [LabClient, LabClient];
    lab.take(a.edit((data) => text(data).insert(5, "!")));
    expect(lab.take(b.edit(del("m")))).toEqual([]);
    const again: Change = (data) => {
      text(data).insert(0, "typo");
      text(data).delete(0, 4);
    };
    expect(unseen(again, del("m"))).toEqual([]);
  });

  test("what went before in the same Yjs transaction was no loss", () => {
    const { lab, clients } = tableOf(start, 10, 20);
    const [a, b] = clients as [LabClient, LabClient];
    const updates = [
      a.edit((data) => text(data).insert(0, "typo")),
      a.edit((data) => text(data).delete(0, 4)),
      b.edit(del("m")),
    ];
    let found: readonly Detected[] = [];
    const knows = (client: number): boolean => client !== 10;
    lab.takeTogether(updates.map((update) => () => void (found = lab.take(update, { knows }))));
    expect(found).toEqual([]);
  });
});

describe("[CONFLICT-5] what is no conflict, and what is told once", () => {
  test("both sides say the same", () => {
    expect(told(nothing, [set("k", "same"), set("k", "same")], "up")).toEqual([]);
    expect(told(nothing, [set("k", [1, { a: 2, b: 3 }]), set("k", [1, { b: 3, a: 2 }])], "down")).toEqual([]);
    const tree: Change = (data) => data.set("k", map({ text: new Y.Text("t"), n: 1 }));
    expect(told(nothing, [tree, tree], "up")).toEqual([]);
    const string: Change = (data) => data.set("k", map({ text: "t", n: 1 }));
    expect(told(nothing, [tree, string], "up")).toHaveLength(1);
  });

  test("sent again", () => {
    const { lab, clients } = tableOf(set("k", 0), 20, 10);
    const [a, b] = clients as [LabClient, LabClient];
    const updates = [a.edit(set("k", 1)), a.edit(del("k")), b.edit(set("k", 2)), b.edit(set("m", () => map({ x: 1 })))];
    for (const update of updates) lab.take(update);
    for (const update of updates) expect(lab.take(update, { isWhole: true })).toEqual([]);
    expect(lab.take(Y.encodeStateAsUpdate(lab.doc), { isWhole: true })).toEqual([]);
  });

  test("where values tell that it is sent again, nobody has to say so", () => {
    const { lab, clients } = tableOf(set("k", 0), 10, 20);
    const [a, b] = clients as [LabClient, LabClient];
    const update = a.edit(set("k", 1));
    lab.take(update);
    b.receive(lab.doc);
    lab.take(b.edit(set("k", 2)));
    expect(lab.take(update)).toEqual([]);
  });

  test("a deletion that came too late, if its sender had seen what shows", () => {
    const { lab, clients } = tableOf(set("k", 0), 10, 20);
    const [a, b] = clients as [LabClient, LabClient];
    lab.take(a.edit(set("k", 1)));
    const late = b.edit(del("k"));
    expect(lab.take(late, { knows: () => true })).toEqual([]);
    expect(lab.take(late, { knows: (client) => client !== 10 })).toHaveLength(1);
  });

  test("all that a client has, with values that the server knows in part", () => {
    const { lab, clients } = tableOf(nothing, 10);
    const [a] = clients as [LabClient];
    lab.take(a.edit(set("k", 1)));
    a.edit(set("k", 2));
    a.edit(set("k", 3));
    expect(lab.take(Y.encodeStateAsUpdate(a.doc), { isWhole: true })).toEqual([]);
    expect(readData(lab.doc, "/k")).toBe(3);
  });

  test("offline work that comes at once is told once for each key, with the newest value", () => {
    const { lab, clients } = tableOf(nothing, 20, 10);
    const [a, b] = clients as [LabClient, LabClient];
    lab.take(a.edit(set("k", "server")));
    lab.take(a.edit(set("l", "server")));
    for (const value of [1, 2, 3]) for (const key of ["k", "l"]) b.edit(set(key, value));
    const expected = [
      ["set-set", "/k", "server", [3]],
      ["set-set", "/l", "server", [3]],
    ];
    const copy = new ConflictLab(SERVER);
    copy.take(Y.encodeStateAsUpdate(lab.doc), { isWhole: true });
    expect(lab.take(Y.mergeUpdates(b.outbox), { isWhole: true }).map(short)).toEqual(expected);
    expect(copy.take(b.wholeFor(copy.doc), { isWhole: true }).map(short)).toEqual(expected);
  });
});

describe("[CONFLICT-6] an update whose deletions tell nothing", () => {
  const start = set("k", "old");

  test("is told only of what its values show", () => {
    expect(told(start, [del("k"), set("k", "new")], "up", { isWhole: true })).toEqual([]);
    expect(told(start, [set("k", "new"), del("k")], "up", { isWhole: true })).toEqual([]);
    expect(told(start, [set("k", "first"), set("k", "new")], "up", { isWhole: true })).toHaveLength(1);
  });

  test("a client that comes back with what it has seen since is told of nothing that it settled itself", () => {
    const { lab, clients } = tableOf(start, 20, 10);
    const [a, b] = clients as [LabClient, LabClient];
    lab.take(a.edit(set("k", "server")));
    b.edit(set("k", "offline"));
    b.receive(lab.doc);
    expect(b.data.get("k")).toBe("server");
    b.edit(del("k"));
    lab.take(a.edit(set("k", "again")));
    expect(lab.take(Y.mergeUpdates(b.outbox), { isWhole: true })).toEqual([]);
  });
});

describe("[CONFLICT-7] what is kept of the sides", () => {
  test("a side says which Yjs id wrote it", () => {
    const { lab, clients } = tableOf(set("k", 0), 10, 20);
    const [a, b] = clients as [LabClient, LabClient];
    lab.take(a.edit(set("k", 1)));
    const [found] = lab.take(b.edit(set("k", 2)));
    expect([found?.winner.id, found?.loser.id]).toEqual([
      { client: 20, clock: 0 },
      { client: 10, clock: 0 },
    ]);
  });

  test("a value beyond the limit is unfolded as deep as fits", () => {
    const many = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`key${i}`, i]));
    const loser = (value: unknown): Side | [Side] | undefined =>
      told(nothing, [set("k", value), set("k", 1)], "up")[0]?.[3];
    expect(loser({ small: 1, many })).toEqual({ small: 1, many: { $object: 3000 } });
    expect(loser([Array.from({ length: 9000 }, () => 0)])).toEqual([{ $array: 9000 }]);
    expect(loser("x".repeat(LIMITS.conflictValueBytesMax))).toEqual({ $string: LIMITS.conflictValueBytesMax });
    expect(loser("x".repeat(1000))).toBe("x".repeat(1000));
    expect(loser(() => map(many))).toEqual({ $object: 3000 });
    expect(loser(() => new Y.Text("é".repeat(10_000)))).toEqual({ $string: 10_000 });
    expect(loser(() => Y.Array.from([map(many), "s"]))).toEqual([{ $object: 3000 }, "s"]);
  });

  test("what JSON has no word for is marked", () => {
    const loser = (value: unknown): Side | [Side] | undefined =>
      told(nothing, [set("k", value), set("k", 1)], "up")[0]?.[3];
    expect(loser(Uint8Array.of(1, 2))).toEqual({ $bytes: "AQI=" });
    expect(loser([undefined, null, -0.5])).toEqual([null, null, -0.5]);
    const text = (): Y.Text => {
      const made = new Y.Text("ab");
      made.insertEmbed(1, { image: "x" });
      return made;
    };
    expect(loser(text)).toEqual({ $text: "a\uFFFCb" });
    const page = (): Y.XmlFragment => {
      const made = new Y.XmlFragment();
      made.insert(0, [new Y.XmlElement("p")]);
      return made;
    };
    expect(loser(page)).toEqual({ $xml: [{ element: "p", attributes: {}, children: [] }] });
  });

  test("at most so many conflicts are told of one change", () => {
    const keys = Array.from({ length: 3 * LIMITS.conflictsPerChangeMax }, (_, i) => `k${i}`);
    const write =
      (value: number): Change =>
      (data) =>
        keys.forEach((key) => data.set(key, value));
    expect(told(nothing, [write(1), write(2)], "up")).toHaveLength(LIMITS.conflictsPerChangeMax);
  });
});

describe("[CONFLICT-8] whatever is admitted is judged", () => {
  test("several writers' values in one update, each unseen by the others", () => {
    const doc = new Y.Doc();
    doc.getMap("data");
    const keyed = (value: unknown): Uint8Array => any({ key: "k" }, value);
    const update = assemble([3, 2, 1].map((client) => ({ client, clock: 0, structs: [keyed(client)] })));
    let found: readonly Detected[] = [];
    doc.transact(() => {
      const probe = new ConflictProbe(doc, scanUpdate(update), { isWhole: true });
      Y.applyUpdate(doc, update);
      found = probe.conflicts();
    });
    expect(found.map(short)).toEqual([
      ["set-set", "/k", [3], [2]],
      ["set-set", "/k", [3], [1]],
    ]);
  });

  test("values of many writers that each deleted theirs, and places in what is made by the update", () => {
    const doc = new Y.Doc();
    const structs = [type({ key: "k" }, TYPE.map), any({ parent: [1, 0], key: "x" }, 1), any({ origin: [1, 1] }, 2)];
    const update = assemble([{ client: 1, clock: 0, structs }], [[1, 1, 1]]);
    const probe = new ConflictProbe(doc, scanUpdate(update));
    Y.applyUpdate(doc, update);
    expect(probe.conflicts()).toEqual([]);
    expect(doc.getMap("data").toJSON()).toEqual({ k: { x: 2 } });
  });
});

function incomingList(line: readonly unknown[]): readonly unknown[] {
  return [...line.slice(0, 3), [line[3]]];
}

/** What a value says, without the names of keys. */
function leavesOf(value: unknown): unknown[] {
  if (typeof value !== "object" || value === null) return [value];
  return Object.values(value).flatMap(leavesOf);
}
