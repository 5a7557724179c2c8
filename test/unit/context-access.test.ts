/** Access lists at admission, whichever way somebody writes: rules ACL-4 to ACL-7, ACL-13. */
import * as Y from "yjs";
import { describe, expect, test } from "vitest";
import type { JsonOp } from "../../shared/change.ts";
import { parseActor } from "../../shared/ids.ts";
import type { Grant } from "../../shared/permission.ts";
import { Admission } from "../support/admission.ts";
import { bearer } from "../support/callers.ts";
import { stateFrom } from "../support/stored-state.ts";

const DATA = { tasks: { t1: { title: { $text: "Ship it" }, tags: ["a"] }, t2: { n: 1 } }, notes: { $text: "free" } };
const bob = bearer("bob");

function admissionFor(...grants: readonly Grant[]): Admission {
  const admission = new Admission(DATA);
  expect(admission.acl(...grants)).toBe("admitted");
  return admission;
}
const writerAt = (...paths: readonly string[]): Grant => ({ principal: "bob", role: "writer", paths });
const mapAt = (data: Y.Map<unknown>, key: string): Y.Map<unknown> => {
  const value = data.get(key);
  if (value instanceof Y.Map) return value;
  throw new Error(`no map at ${key}`);
};
const kindsOf = ({ entries }: Admission): string[] => entries.map(({ kind }) => kind);

describe("[ACL-4] live edits of who may write at /tasks/t1", () => {
  test.each<[string, string, (data: Y.Map<unknown>, doc: Y.Doc) => void]>([
    ["below it", "admitted", (data) => mapAt(mapAt(data, "tasks"), "t1").set("done", true)],
    ["at it", "admitted", (data) => mapAt(data, "tasks").set("t1", new Y.Map())],
    ["its deletion", "admitted", (data) => mapAt(data, "tasks").delete("t1")],
    ["beside it", "FORBIDDEN", (data) => mapAt(mapAt(data, "tasks"), "t2").set("n", 2)],
    ["above it", "FORBIDDEN", (data) => data.set("tasks", new Y.Map())],
    ["a deletion above it", "FORBIDDEN", (data) => data.delete("tasks")],
    [
      "both here and there",
      "FORBIDDEN",
      (data) => {
        mapAt(mapAt(data, "tasks"), "t1").set("done", true);
        mapAt(mapAt(data, "tasks"), "t2").set("n", 2);
      },
    ],
    ["a text elsewhere", "FORBIDDEN", (_data, doc) => doc.getMap("data").get("notes") as Y.Text],
    ["another root", "FORBIDDEN", (_data, doc) => doc.getText("page").insert(0, "x")],
  ])("%s: %s", (what, expected, change) => {
    const admission = admissionFor(writerAt("/tasks/t1"));
    const replica = admission.client("bob", 200, bob);
    const edit = (data: Y.Map<unknown>): void => {
      if (what === "a text elsewhere") (data.get("notes") as Y.Text).insert(0, "x");
      else change(data, replica.doc);
    };
    const before = admission.data;
    expect(replica.edit(edit)).toBe(expected);
    if (expected === "FORBIDDEN") expect(admission.data).toEqual(before);
  });
});

describe("[ACL-4] JSON changes of who may write at /tasks/t1", () => {
  test.each<[string, string, JsonOp[]]>([
    ["below it", "admitted", [{ op: "add", path: "/tasks/t1/done", value: true }]],
    ["a text below it", "admitted", [{ op: "append_text", path: "/tasks/t1/title", text: "!" }]],
    ["beside it", "FORBIDDEN", [{ op: "replace", path: "/tasks/t2/n", value: 2 }]],
    ["a move out of it", "FORBIDDEN", [{ op: "move", from: "/tasks/t1/tags", path: "/tags" }]],
    ["a move into it", "FORBIDDEN", [{ op: "move", from: "/tasks/t2/n", path: "/tasks/t1/n" }]],
    ["a copy from elsewhere", "admitted", [{ op: "copy", from: "/tasks/t2/n", path: "/tasks/t1/n" }]],
    [
      "a test elsewhere",
      "admitted",
      [
        { op: "test", path: "/tasks/t2/n", value: 1 },
        { op: "add", path: "/tasks/t1/x", value: 1 },
      ],
    ],
    [
      "one of several",
      "FORBIDDEN",
      [
        { op: "add", path: "/tasks/t1/x", value: 1 },
        { op: "remove", path: "/notes" },
      ],
    ],
    ["everything merged", "FORBIDDEN", [{ op: "merge", path: "", value: { tasks: null } }]],
    ["a merge that changes only there", "admitted", [{ op: "merge", path: "", value: { tasks: { t1: { x: 1 } } } }]],
  ])("%s: %s", (_what, expected, ops) => {
    const admission = admissionFor(writerAt("/tasks/t1"));
    const before = admission.data;
    expect(admission.ops("bob", ops, { identity: bob })).toBe(expected);
    if (expected === "FORBIDDEN") expect(admission.data).toEqual(before);
  });

  test("what the server writes by itself is not asked", () => {
    expect(admissionFor(writerAt("/x")).ops("bob", [{ op: "remove", path: "/notes" }])).toBe("admitted");
  });
});

describe("[ACL-5] a refused live edit", () => {
  test("of who may write elsewhere is voided: what they write there next still fits", () => {
    const admission = admissionFor(writerAt("/notes"));
    const replica = admission.client("bob", 200, bob);
    expect(replica.edit((data) => mapAt(data, "tasks").set("t3", "secret"))).toBe("FORBIDDEN");
    expect(replica.edit((data) => (data.get("notes") as Y.Text).insert(0, "ok "))).toBe("admitted");
    expect(kindsOf(admission)).toEqual(["meta", "void", "change"]);
    expect(admission.entries[1]).toMatchObject({ message: "FORBIDDEN", paths: ["/tasks/t3"] });
    expect(admission.data).toMatchObject({ notes: "ok free", tasks: { t1: {}, t2: { n: 1 } } });
  });

  test.each([
    ["a reader", [{ principal: "bob", role: "reader" }]],
    ["somebody without a role", []],
  ] satisfies [string, Grant[]][])("of %s leaves nothing: no entry, no clock, no client id", (_who, grants) => {
    const admission = admissionFor(...grants);
    expect(admission.client("bob", 200, bob).edit((data) => data.set("x", 1))).toBe("FORBIDDEN");
    expect(kindsOf(admission)).toEqual(["meta"]);
    expect([Y.getState(admission.state.doc.store, 200), admission.state.clientIds.size]).toEqual([0, 0]);
  });
});

test("[ACL-6] a reader may send what the server has: its step 2, its local copy, somebody's deletion again", () => {
  const admission = admissionFor({ principal: "bob", role: "reader" });
  const writer = admission.client("ann", 100);
  const made = writer.make((data) => data.set("x", 1));
  expect(admission.outcome(writer.write(made))).toBe("admitted");
  const gone = writer.make((data) => data.delete("x"));
  expect(admission.outcome(writer.write(gone))).toBe("admitted");
  const reader = admission.client("bob", 200, bob);
  const whole = reader.write(Y.encodeStateAsUpdate(admission.state.doc));
  expect(admission.outcome({ ...whole, isAnswer: true })).toBe("unchanged");
  for (const known of [made, gone]) expect(admission.outcome(reader.write(known))).toBe("unchanged");
  // a deletion that lost against something is told as a conflict in a writer's name, never in a reader's
  const stale = admission.client("bob", 201, bob);
  const late = stale.make((data) => data.delete("notes"));
  expect(admission.ops("ann", [{ op: "replace", path: "/notes", value: 1 }])).toBe("admitted");
  expect(admission.outcome(stale.write(late))).toBe("unchanged");
});

describe("[ACL-7] a list", () => {
  test("is an entry without version; what comes after it in a turn is judged by it", () => {
    const admission = new Admission(DATA);
    const grant = (...grants: readonly Grant[]) =>
      ({ kind: "meta", actor: parseActor("ann"), origin: "rest", change: { acl: { grants } } }) as const;
    const write = {
      kind: "ops",
      actor: parseActor("bob"),
      identity: bob,
      origin: "rest",
      ops: [{ op: "increment", path: "/tasks/t2/n", by: 1 }],
    } as const;
    const verdicts = admission.admit(write, grant({ principal: "bob", role: "writer" }), write, grant(), write);
    expect(verdicts.map((it) => (it.kind === "refused" ? it.error.code : it.kind))).toEqual([
      "FORBIDDEN",
      "admitted",
      "admitted",
      "admitted",
      "FORBIDDEN",
    ]);
    expect([admission.state.seq, admission.state.version]).toEqual([3, 1]);
  });

  test("that is the same says nothing; the context loaded again has it", () => {
    const grants: readonly Grant[] = [writerAt("/tasks")];
    const admission = admissionFor(...grants);
    expect(admission.acl(...grants)).toBe("unchanged");
    const stored = admission.stored;
    const again = stateFrom({ ...stored, meta: { ...stored.meta, acl: { grants } } });
    expect(again.access.mayWriteAt("/tasks/t1", { identity: bob })).toBe(true);
    expect(again.access.mayWriteAt("/notes", { identity: bob })).toBe(false);
    expect(again.seq).toBe(1);
  });

  test("is changed by admins only", () => {
    const admission = admissionFor({ principal: "bob", role: "writer" });
    const change = { acl: { grants: [{ principal: "bob", role: "admin" }] } } as const;
    const write = { kind: "meta", actor: parseActor("bob"), origin: "rest", change } as const;
    expect(admission.outcome({ ...write, identity: bob })).toBe("FORBIDDEN");
    expect(admission.outcome({ ...write, identity: bearer("anonymous") })).toBe("admitted"); // its creator
    expect(admission.outcome({ ...write, change: { acl: { grants: [] } }, identity: bob })).toBe("admitted");
  });
});

describe("[ACL-13] locks", () => {
  const asks = (op: "acquire" | "renew" | "release", more: object = {}) => {
    const paths = ["/tasks/t1"];
    const event =
      op === "acquire"
        ? ({ op, lockId: "l", paths, mode: "exclusive", ttlMs: 1000 } as const)
        : op === "renew"
          ? ({ op, lockId: "l", ttlMs: 2000 } as const)
          : ({ op, lockId: "l" } as const);
    return { kind: "lock", actor: parseActor("bob"), identity: bob, origin: "rest", event, ...more } as const;
  };

  test("are taken and renewed where one may write, and given back anyway", () => {
    const admission = admissionFor(writerAt("/notes"));
    expect(admission.outcome(asks("acquire"))).toBe("FORBIDDEN");
    admission.acl(writerAt("/tasks"));
    expect(admission.outcome(asks("acquire"))).toBe("admitted");
    admission.acl(writerAt("/notes"));
    expect(admission.outcome(asks("renew"))).toBe("FORBIDDEN");
    expect(admission.outcome(asks("release"))).toBe("admitted");
  });

  test("[ACL-12] are released by force by an admin, and by nobody else", () => {
    const admission = admissionFor(writerAt("/tasks"));
    expect(admission.outcome(asks("acquire"))).toBe("admitted");
    const eve = { actor: parseActor("eve"), identity: bearer("eve"), isForced: true };
    expect(admission.outcome(asks("release", eve))).toBe("FORBIDDEN");
    const creator = { actor: parseActor("anonymous"), identity: bearer("anonymous") };
    expect(admission.outcome(asks("release", creator))).toBe("FORBIDDEN");
    expect(admission.outcome(asks("renew", { ...creator, isForced: true }))).toBe("FORBIDDEN");
    expect(admission.outcome(asks("release", { ...creator, isForced: true }))).toBe("admitted");
  });
});
