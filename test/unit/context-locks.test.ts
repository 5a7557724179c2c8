/** What locks forbid at admission, whichever way somebody writes: rules LOCK-2, LOCK-3, LOCK-5, LOCK-11. */
import * as Y from "yjs";
import { describe, expect, test } from "vitest";
import type { JsonOp } from "../../shared/change.ts";
import { parseActor } from "../../shared/ids.ts";
import type { Conflict } from "../../shared/conflict.ts";
import type { ContextState } from "../../server/state/context-state.ts";
import { compileSchema } from "../../server/state/schema/context-schema.ts";
import { Admission } from "../support/admission.ts";
import type { Replica } from "../support/admission.ts";
import { stateFrom } from "../support/stored-state.ts";

const DATA = {
  task: { title: { $text: "Ship it" }, tags: ["a", "b"], who: { name: "Ann" } },
  other: { n: 1 },
  note: { $text: "free" },
};

const bytesOf = (state: ContextState): Uint8Array => Y.encodeStateAsUpdate(state.doc);

function mapAt(data: Y.Map<unknown>, ...keys: readonly string[]): Y.Map<unknown> {
  let map = data;
  for (const key of keys) {
    const value = map.get(key);
    if (!(value instanceof Y.Map)) throw new Error(`no map at ${key}`);
    map = value;
  }
  return map;
}

function textAt(map: Y.Map<unknown>, key: string): Y.Text {
  const value = map.get(key);
  if (value instanceof Y.Text) return value;
  throw new Error(`no text at ${key}`);
}

function listAt(map: Y.Map<unknown>, key: string): Y.Array<unknown> {
  const value = map.get(key);
  if (value instanceof Y.Array) return value;
  throw new Error(`no list at ${key}`);
}

/** A replica whose document has a root of its own, already on the server. */
function withRoots(admission: Admission): Replica {
  const replica = admission.client("bob", 200);
  replica.edit(() => replica.doc.getText("page").insert(0, "hello"));
  replica.edit(() => replica.doc.getXmlFragment("xml").push([new Y.XmlElement("p")]));
  return replica;
}

describe("[LOCK-3] live edits under somebody's lock", () => {
  test.each<[string, string, (data: Y.Map<unknown>, doc: Y.Doc) => void]>([
    ["a key at the path", "/task/who/name", (data) => mapAt(data, "task", "who").set("name", "Bob")],
    ["a key below it", "/task", (data) => mapAt(data, "task", "who").set("name", "Bob")],
    ["a new key below it", "/task", (data) => mapAt(data, "task").set("new", 1)],
    ["the deletion of what it names", "/task/who", (data) => mapAt(data, "task").delete("who")],
    ["the deletion of what is above", "/task/who/name", (data) => data.delete("task")],
    ["what is above replaced", "/task/who/name", (data) => data.set("task", new Y.Map())],
    ["the deletion of what is below", "/task", (data) => mapAt(data, "task", "who").delete("name")],
    ["letters typed into a text", "/task/title", (data) => textAt(mapAt(data, "task"), "title").insert(0, "x")],
    ["letters deleted from a text", "/task/title", (data) => textAt(mapAt(data, "task"), "title").delete(0, 2)],
    ["a format of a text", "/task/title", (data) => textAt(mapAt(data, "task"), "title").format(0, 2, { b: true })],
    ["an element inserted", "/task/tags", (data) => listAt(mapAt(data, "task"), "tags").insert(0, ["x"])],
    ["an element deleted", "/task/tags", (data) => listAt(mapAt(data, "task"), "tags").delete(0)],
    [
      "anything in a list of which an element is locked",
      "/task/tags/1",
      (data) => listAt(mapAt(data, "task"), "tags").push([1]),
    ],
    ["everything deleted", "/task/who/name", (data) => [...data.keys()].forEach((key) => data.delete(key))],
    [
      "one of many places",
      "/other",
      (data) => [1, 2].forEach((n) => (data.set(`free${n}`, n), mapAt(data, "other").set("n", n))),
    ],
    ["a key that is not there yet", "/files/src~1app.ts", (data) => data.set("files", new Y.Map())],
    ["another root", "@page", (_data, doc) => doc.getText("page").insert(0, "x")],
    ["another root, everything locked", "", (_data, doc) => doc.getText("page").insert(0, "x")],
    ["XML", "@xml", (_data, doc) => doc.getXmlFragment("xml").delete(0)],
    ["a new root, everything locked", "", (_data, doc) => doc.getMap("fresh").set("a", 1)],
    ["any key, everything locked", "", (data) => data.set("x", 1)],
  ])("%s is refused", (_what, locked, change) => {
    const admission = new Admission(DATA);
    const bob = withRoots(admission);
    const { token } = admission.lock("ann", [locked]);
    const before = admission.data;
    expect(bob.edit((data) => change(data, bob.doc))).toBe("LOCKED");
    expect(admission.data).toEqual(before);
    // and that of its holder is not
    const ann = admission.client("ann", 100);
    ann.leases.add({ lockId: "lock-1", fencingToken: token, paths: [locked] });
    expect(ann.edit((data) => change(data, ann.doc))).toBe("admitted");
  });

  test.each<[string, (data: Y.Map<unknown>, doc: Y.Doc) => void]>([
    ["beside it", (data) => mapAt(data, "task").set("who2", 1)],
    ["in another text", (data) => textAt(data, "note").insert(0, "x")],
    ["at a longer name", (data) => data.set("taskforce", 1)],
    ["in another root", (_data, doc) => doc.getText("page").insert(0, "x")],
  ])("an edit %s is free", (_what, change) => {
    const admission = new Admission(DATA);
    const bob = withRoots(admission);
    admission.lock("ann", ["/task/who", "/task/title"]);
    expect(bob.edit((data) => change(data, bob.doc))).toBe("admitted");
  });
});

describe("[LOCK-3] JSON changes under somebody's lock", () => {
  test.each<[string, string, readonly JsonOp[]]>([
    ["add", "/task", [{ op: "add", path: "/task/new", value: 1 }]],
    ["replace", "/task/who/name", [{ op: "replace", path: "/task/who", value: {} }]],
    ["remove", "/task/who/name", [{ op: "remove", path: "/task" }]],
    ["move from", "/task/who", [{ op: "move", from: "/task/who", path: "/moved" }]],
    ["move to", "/task/who", [{ op: "move", from: "/other", path: "/task/who" }]],
    ["copy to", "/task/who", [{ op: "copy", from: "/other", path: "/task/who" }]],
    ["merge", "/task/who", [{ op: "merge", path: "/task", value: { who: { name: "Bob" } } }]],
    ["merge at the top", "/task/who", [{ op: "merge", path: "", value: { task: { who: null } } }]],
    ["increment", "/other/n", [{ op: "increment", path: "/other/n", by: 1 }]],
    ["edit_text", "/task/title", [{ op: "edit_text", path: "/task/title", old: "Ship", new: "Sail" }]],
    ["append_text", "/task", [{ op: "append_text", path: "/task/title", text: "!" }]],
    ["an element", "/task/tags/0", [{ op: "add", path: "/task/tags/-", value: "c" }]],
    ["everything", "/task/who", [{ op: "replace", path: "", value: {} }]],
    ["anything, everything locked", "", [{ op: "add", path: "/x", value: 1 }]],
    [
      "the last of many",
      "/other",
      [
        { op: "add", path: "/x", value: 1 },
        { op: "remove", path: "/other/n" },
      ],
    ],
  ])("%s is refused, as a whole; with the token it is not", (_what, locked, ops) => {
    const admission = new Admission(DATA);
    const { token } = admission.lock("ann", [locked]);
    const before = bytesOf(admission.state);
    expect(admission.ops("bob", ops)).toBe("LOCKED");
    expect(admission.ops("ann", ops)).toBe("LOCKED");
    expect(bytesOf(admission.state)).toEqual(before);
    expect(admission.ops("ann", ops, { tokens: [token] })).toBe("admitted");
  });

  test.each<[string, readonly JsonOp[], string]>([
    ["copying from there", [{ op: "copy", from: "/task/who", path: "/copied" }], "admitted"],
    ["testing", [{ op: "test", path: "/task/who", value: { name: "Ann" } }], "unchanged"],
    ["saying what is there", [{ op: "replace", path: "/task/who/name", value: "Ann" }], "unchanged"],
    ["merging elsewhere", [{ op: "merge", path: "", value: { other: { n: 2 }, task: { tags: [] } } }], "admitted"],
  ])("%s is free", (_what, ops, outcome) => {
    const admission = new Admission(DATA);
    admission.lock("ann", ["/task/who"]);
    expect(admission.ops("bob", ops)).toBe(outcome);
  });

  test.each(["restore", "undo", "resolver"] as const)("a change of origin %s is held to it too", (origin) => {
    const admission = new Admission(DATA);
    const { token } = admission.lock("ann", ["/other"]);
    const ops = () => [{ op: "replace" as const, path: "/other", value: { n: 0 } }];
    expect(admission.outcome({ kind: "ops", actor: parseActor("bob"), origin, ops })).toBe("LOCKED");
    const tokens = [token];
    expect(admission.outcome({ kind: "ops", actor: parseActor("ann"), origin, ops, tokens })).toBe("admitted");
  });

  test("a typed context refuses it before anything is tried, and goes on", () => {
    const schema = compileSchema({ type: "object", properties: { other: { type: "object" } } });
    const admission = new Admission(DATA, { schema });
    admission.lock("ann", ["/other"]);
    expect(admission.ops("bob", [{ op: "add", path: "/other/m", value: 2 }])).toBe("LOCKED");
    expect(admission.ops("bob", [{ op: "add", path: "/other", value: 2 }])).toBe("LOCKED");
    expect(admission.ops("bob", [{ op: "add", path: "/task/m", value: 2 }])).toBe("admitted");
    const bob = admission.client("bob", 200);
    expect(bob.edit((data) => mapAt(data, "other").set("n", 3))).toBe("LOCKED");
  });
});

test("[LOCK-3] what a conflict policy would write under a lock is left, and the conflict stays open", () => {
  const schema = compileSchema({ properties: { status: { "x-conflict": "first-wins" } } });
  const admission = new Admission({ status: "new" }, { schema });
  const [first, second] = [admission.client("ann", 1), admission.client("bob", 2)];
  const { lockId } = second.lock(["/status"]);
  const [early, late] = [first, second].map((replica, at) => replica.make((data) => data.set("status", at)));
  if (early === undefined || late === undefined) throw new Error("two edits");
  // ann's was under way before bob had the lock
  expect(
    admission.outcome({ kind: "lock", actor: parseActor("bob"), origin: "rest", event: { op: "release", lockId } }),
  ).toBe("admitted");
  expect(admission.outcome(first.write(early))).toBe("admitted");
  second.lock(["/status"]);
  expect(admission.outcome(second.write(late))).toBe("admitted");
  expect(admission.resolve()).toEqual(["LOCKED"]);
  const conflicts: readonly Conflict[] = admission.entries.flatMap((entry) =>
    entry.kind === "change" ? entry.conflicts : [],
  );
  expect(conflicts).toMatchObject([{ path: "/status", policy: "first-wins", status: "open" }]);
  expect(admission.data).toEqual({ status: 1 });
});

describe("[LOCK-2] who holds a lock", () => {
  test("another session of the same actor does not", () => {
    const admission = new Admission(DATA);
    const [holder, sibling] = [admission.client("ann", 1), admission.client("ann", 2)];
    holder.lock(["/other"]);
    expect(sibling.edit((data) => mapAt(data, "other").set("n", 2))).toBe("LOCKED");
    expect(holder.edit((data) => mapAt(data, "other").set("n", 3))).toBe("admitted");
  });

  test("a shared lock lets nobody write, its holders included; reading and locking with others is free", () => {
    const admission = new Admission(DATA);
    const { token } = admission.lock("ann", ["/other"], { mode: "shared" });
    admission.lock("bob", ["/other/n"], { mode: "shared" });
    const set: readonly JsonOp[] = [{ op: "replace", path: "/other/n", value: 2 }];
    expect(admission.ops("ann", set, { tokens: [token] })).toBe("LOCKED");
    expect(() => admission.lock("eve", ["/other"])).toThrow("LOCKED");
  });

  test("a refusal says who has it, for what and how long, and nothing of the content", () => {
    const admission = new Admission(DATA);
    admission.lock("ann", ["/other"], { ttlMs: 500 });
    admission.nowMs = 100;
    const write = {
      kind: "ops",
      actor: parseActor("bob"),
      origin: "rest",
      ops: [{ op: "remove", path: "/other" }],
    } as const;
    const [verdict] = admission.admit(write);
    expect(verdict).toMatchObject({
      error: { code: "LOCKED", details: { holder: "ann", paths: ["/other"], mode: "exclusive", leftMs: 400 } },
    });
  });
});

describe("[LOCK-4] tokens", () => {
  const SET: readonly JsonOp[] = [{ op: "add", path: "/free", value: 1 }];

  test("a stale one refuses the write, wherever it writes", () => {
    const admission = new Admission(DATA);
    const { lockId, token } = admission.lock("ann", ["/other"], { ttlMs: 10 });
    expect(admission.ops("bob", SET, { tokens: [token] })).toBe("FENCE_STALE");
    expect(admission.ops("ann", SET, { tokens: [token + 1] })).toBe("FENCE_STALE");
    admission.nowMs = 10;
    expect(admission.ops("ann", SET, { tokens: [token] })).toBe("FENCE_STALE");
    expect(admission.expire(lockId)).toBe("admitted");
    const next = admission.lock("ann", ["/other"]);
    expect(next.token).toBeGreaterThan(token);
    expect(admission.ops("ann", SET, { tokens: [next.token, token] })).toBe("FENCE_STALE");
    expect(admission.ops("ann", SET, { tokens: [next.token] })).toBe("admitted");
  });

  test("[LOCK-6] a lock over its time is nobody's, not even its holder's, until its expire entry", () => {
    const admission = new Admission(DATA);
    const ann = admission.client("ann", 1);
    const { lockId } = ann.lock(["/other"], 10);
    admission.nowMs = 10;
    expect(ann.edit((data) => mapAt(data, "other").set("n", 2))).toBe("FENCE_STALE");
    expect(admission.ops("bob", [{ op: "remove", path: "/other" }])).toBe("LOCKED");
    expect(() => admission.lock("bob", ["/other"])).toThrow("LOCKED");
    expect(admission.expire(lockId)).toBe("admitted");
    expect(admission.expire(lockId)).toBe("unchanged");
    expect(admission.ops("bob", [{ op: "remove", path: "/other" }])).toBe("admitted");
  });

  test("[LOCK-10] come back with the state, from checkpoint and tail, with a new time", () => {
    const admission = new Admission(DATA);
    const { lockId, token } = admission.lock("ann", ["/other"], { ttlMs: 10 });
    admission.lock("bob", ["/note"], { mode: "shared", ttlMs: 10 });
    const again = stateFrom(admission.stored, { monotonicMs: 1_000_000 });
    expect(again.locks.table.list()).toEqual(admission.state.locks.table.list());
    expect(again.locks.leftMs({ lockId }, 1_000_004)).toBe(6);
    const write = { kind: "ops", actor: parseActor("ann"), origin: "rest", ops: SET, tokens: [token] } as const;
    expect(again.admit([write], { atMs: 0, monotonicMs: 1_000_009 })).toMatchObject([{ kind: "admitted" }]);
    expect([again.seq, again.version]).toEqual([3, 1]);
  });
});

describe("[LOCK-11] a session's requests take their places among its edits", () => {
  const set = (n: number) => (data: Y.Map<unknown>) => void mapAt(data, "other").set("n", n);

  test("in one turn: before the lock, under it, and after it was given back", () => {
    const admission = new Admission(DATA);
    const ann = admission.client("ann", 1);
    const event = { op: "acquire", lockId: "x", paths: ["/other"], mode: "exclusive", ttlMs: 10 } as const;
    const asks = { kind: "lock", actor: parseActor("ann"), origin: "sdk", leases: ann.leases } as const;
    const verdicts = admission.admit(
      ann.write(ann.make(set(2))),
      { ...asks, event },
      ann.write(ann.make(set(3))),
      { ...asks, event: { op: "release", lockId: "x" } },
      ann.write(ann.make(set(4))),
    );
    expect(verdicts.map(({ kind }) => kind)).toEqual(Array.from({ length: 5 }, () => "admitted"));
    expect(ann.leases.list()).toEqual([]);
  });

  test("giving back what was lost ends the bar", () => {
    const admission = new Admission(DATA);
    const ann = admission.client("ann", 1);
    const { lockId } = ann.lock(["/other"], 10);
    admission.nowMs = 10;
    admission.expire(lockId);
    expect(ann.edit(set(2))).toBe("FENCE_STALE");
    const release = { op: "release", lockId } as const;
    const asks = { kind: "lock", actor: parseActor("ann"), origin: "sdk", leases: ann.leases } as const;
    expect(admission.outcome({ ...asks, event: release })).toBe("LOCK_NOT_FOUND");
    expect(ann.edit((data) => mapAt(data, "other").set("m", 3))).toBe("admitted");
  });

  test("a session that comes again takes over the lock of the one before by renewing it", () => {
    const admission = new Admission(DATA);
    const { lockId } = admission.client("ann", 1).lock(["/other"]);
    const again = admission.client("ann", 2);
    const event = { op: "renew", lockId, ttlMs: 1000 } as const;
    const asks = { kind: "lock", actor: parseActor("ann"), origin: "sdk", leases: again.leases, event } as const;
    expect(admission.outcome(asks)).toBe("unchanged");
    expect(again.edit(set(2))).toBe("admitted");
    const bob = admission.client("bob", 3);
    expect(admission.outcome({ ...asks, actor: parseActor("bob"), leases: bob.leases })).toBe("FORBIDDEN");
    expect(bob.leases.list()).toEqual([]);
  });
});
