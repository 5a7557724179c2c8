/** Writes to typed contexts, tried on the shadow: rules TYPE-4 to TYPE-7. */
import { describe, expect, test, vi } from "vitest";
import * as Y from "yjs";
import { ServiceError } from "../../shared/errors.ts";
import type { JsonObject } from "../../shared/json.ts";
import { SERVER_ID, TypedDocument, mapIn } from "../support/typed-document.ts";

const TASKS: JsonObject = {
  type: "object",
  properties: {
    title: { type: "string", maxLength: 10, "x-crdt": "text" },
    tasks: {
      additionalProperties: {
        type: "object",
        required: ["name"],
        properties: { name: { type: "string" }, votes: { type: "integer", "x-crdt": "counter" } },
      },
    },
    list: { items: { properties: { votes: { "x-crdt": "counter" } } } },
  },
  additionalProperties: false,
};

const tasks = (): TypedDocument =>
  new TypedDocument(TASKS, {
    title: "Plan",
    tasks: { a: { name: "A", votes: 3 } },
    list: [{ votes: 1 }, { votes: 2 }],
  });

const violates = (refused: ServiceError | undefined, ...paths: string[]): void => {
  expect(refused).toMatchObject({ code: "SCHEMA_VIOLATION", details: { violations: paths.map((path) => ({ path })) } });
};

describe("what is accepted", () => {
  test("[TYPE-4] a JSON change that breaks the schema is refused, one that keeps it is not", () => {
    const it = tasks();
    violates(it.change([{ op: "add", path: "/tasks/b", value: {} }]), "/tasks/b");
    violates(it.change([{ op: "append_text", path: "/title", text: " of the year" }]), "/title");
    violates(it.change([{ op: "merge", path: "", value: { extra: 1 } }]), "/extra");
    expect(it.change([{ op: "add", path: "/tasks/b", value: { name: "B" } }])).toBeUndefined();
    expect(it.data).toMatchObject({ title: "Plan", tasks: { b: { name: "B" } } });
  });

  test("[TYPE-4] so is a live update", () => {
    const it = tasks();
    violates(
      it.edit((data) => data.set("extra", 1)),
      "/extra",
    );
    violates(
      it.edit((data) => mapIn(mapIn(data, "tasks"), "a").delete("name")),
      "/tasks/a",
    );
    expect(it.edit((data) => mapIn(mapIn(data, "tasks"), "a").set("name", "AA"))).toBeUndefined();
    expect(it.data).toMatchObject({ tasks: { a: { name: "AA" } } });
  });

  test("[TYPE-4] the whole of a change counts, not its steps", () => {
    const it = tasks();
    const ops = [
      { op: "remove", path: "/tasks/a/name" },
      { op: "add", path: "/tasks/a/name", value: "again" },
    ] as const;
    expect(it.change(ops)).toBeUndefined();
  });

  test("[TYPE-4] what broke the schema before does not stop other writes, nor its repair", () => {
    const it = new TypedDocument(TASKS, { extra: 1, tasks: { a: {} }, list: [] });
    expect(it.change([{ op: "add", path: "/title", value: "new" }])).toBeUndefined();
    expect(it.edit((data) => data.set("extra", 2))).toBeUndefined();
    violates(it.change([{ op: "add", path: "/tasks/b", value: {} }]), "/tasks/b");
    expect(it.change([{ op: "add", path: "/tasks/a/name", value: "A" }])).toBeUndefined();
    violates(it.change([{ op: "remove", path: "/tasks/a/name" }]), "/tasks/a");
    expect(it.change([{ op: "remove", path: "/extra" }])).toBeUndefined();
    violates(
      it.edit((data) => data.set("extra", 2)),
      "/extra",
    );
  });

  test("[TYPE-4] other roots are free", () => {
    const it = tasks();
    expect(it.change([{ op: "append_text", path: "/title", text: "s" }])).toBeUndefined();
    expect(it.edit((_data, doc) => doc.getText("notes").insert(0, "longer than ten characters"))).toBeUndefined();
    expect(it.edit((_data, doc) => doc.getText("notes").insert(0, "and "))).toBeUndefined();
    expect(it.change([{ op: "append_text", path: "@notes", text: "!" }])).toBeUndefined();
    expect(it.doc.getText("notes").toJSON()).toBe("and longer than ten characters!");
  });

  test("[TYPE-4] an update that touches nothing is part of what later ones build on", () => {
    const it = tasks();
    const client = it.replica();
    const sent: Uint8Array[] = [];
    client.on("update", (update: Uint8Array) => sent.push(update));
    client.getMap("data").set("title", "x");
    const lost = sent.splice(0);
    expect(it.edit((data) => data.set("title", "y"), 9)).toBeUndefined();
    client.getMap("data").set("title", "z");
    for (const update of [...lost, ...sent]) expect(it.receive(update)).toBeUndefined();
    violates(
      it.edit((data) => data.set("title", 1), 11),
      "/title",
    );
  });

  test("[TYPE-4] while the document's own transaction is open, too", () => {
    const it = tasks();
    it.doc.transact(() => {
      violates(
        it.edit((data) => data.set("extra", 1)),
        "/extra",
      );
      expect(it.edit((data) => data.set("title", "open"), 8)).toBeUndefined();
      violates(
        it.edit((data) => data.set("title", 1), 9),
        "/title",
      );
      expect(it.edit((data) => mapIn(data, "tasks").delete("a"), 10)).toBeUndefined();
    });
    expect(it.change([{ op: "add", path: "/tasks/a", value: { name: "new" } }])).toBeUndefined();
    expect(it.data).toMatchObject({ title: "open", tasks: { a: { name: "new" } } });
  });
});

describe("what is refused", () => {
  test("[TYPE-5] leaves the document as it was, byte for byte, and silent", () => {
    const it = tasks();
    const before = Y.encodeStateAsUpdate(it.doc);
    let events = 0;
    it.doc.on("update", () => events++);
    violates(it.change([{ op: "replace", path: "", value: { extra: 1 } }]), "/extra");
    violates(
      it.edit((data) => data.set("title", 1)),
      "/title",
    );
    expect(Y.encodeStateAsUpdate(it.doc)).toEqual(before);
    expect(events).toBe(0);
  });

  test("[TYPE-5] and what follows is judged by what the document says", () => {
    const it = tasks();
    violates(it.change([{ op: "replace", path: "/title", value: 1 }]), "/title");
    expect(
      it.change([
        { op: "test", path: "/title", value: "Plan" },
        { op: "append_text", path: "/title", text: "s" },
      ]),
    ).toBeUndefined();
    violates(
      it.edit((data) => data.set("title", 1)),
      "/title",
    );
    expect(it.change([{ op: "increment", path: "/tasks/a/votes", by: 1 }])).toBeUndefined();
    expect(it.data).toMatchObject({ title: "Plans", tasks: { a: { votes: 4 } } });
  });

  test("[TYPE-5] what the operations themselves refuse, or `beforeWrite`, needs no new shadow", () => {
    const it = tasks();
    expect(it.change([{ op: "remove", path: "/nothing" }])).toMatchObject({
      code: "PATH_NOT_FOUND",
      details: { opIndex: 0 },
    });
    const stale = new ServiceError("VERSION_CONFLICT", "stale");
    const seen: (readonly string[])[] = [];
    const beforeWrite = (paths: readonly string[]): void => {
      seen.push(paths);
      throw stale;
    };
    expect(it.change([{ op: "replace", path: "/title", value: 1 }], { beforeWrite })).toBe(stale);
    expect(
      it.change(
        [
          { op: "add", path: "/title", value: "x" },
          { op: "remove", path: "/list" },
        ],
        { beforeWrite },
      ),
    ).toBe(stale);
    expect(seen).toEqual([["/title"], ["/list", "/title"]]);
    expect(it.change([{ op: "test", path: "/title", value: "Plan" }])).toBeUndefined();
  });

  test("[TYPE-5] the server's Yjs client id stays in use, change after change", () => {
    const notices = vi.spyOn(console, "log");
    const it = tasks();
    for (const word of ["a", "b", "c"]) expect(it.change([{ op: "add", path: "/title", value: word }])).toBeUndefined();
    expect(it.edit((data) => data.set("tasks", new Y.Map()))).toBeUndefined();
    expect(it.change([{ op: "add", path: "/tasks/z", value: { name: "Z" } }])).toBeUndefined();
    expect(new Set(Y.decodeStateVector(Y.encodeStateVector(it.doc)).keys())).toEqual(new Set([SERVER_ID, 7]));
    const author = it.replica(SERVER_ID);
    const before = Y.encodeStateVector(author);
    author.getMap("data").delete("list");
    author.getMap("data").set("list", new Y.Array());
    it.rehearsal.tryUpdate(Y.encodeStateAsUpdate(author, before), ["/list"]);
    expect(notices).not.toHaveBeenCalled();
  });
});

describe("texts", () => {
  test("[TYPE-6] strings become texts, and stay the same text when they are written again", () => {
    const it = tasks();
    const title = it.doc.getMap("data").get("title");
    expect(title).toBeInstanceOf(Y.Text);
    expect(it.change([{ op: "replace", path: "/title", value: "Plan B" }])).toBeUndefined();
    expect(it.doc.getMap("data").get("title")).toBe(title);
    expect(it.change([{ op: "merge", path: "", value: { title: null } }])).toBeUndefined();
    expect(it.change([{ op: "merge", path: "", value: { title: "C" } }])).toBeUndefined();
    expect(it.doc.getMap("data").get("title")).toBeInstanceOf(Y.Text);
  });
});

describe("counters", () => {
  const counted = (refused: ServiceError | undefined, path: string): void => {
    violates(refused, path);
    expect(refused?.message).toMatch(/"increment"/);
  };

  test("[TYPE-7] increment changes them, whatever else the change does", () => {
    const it = tasks();
    expect(
      it.change([
        { op: "increment", path: "/tasks/a/votes", by: 2 },
        { op: "replace", path: "/tasks/a/name", value: "AA" },
        { op: "increment", path: "/tasks/a/votes", by: 0.5 },
        { op: "increment", path: "/tasks/a/votes", by: -1.5 },
      ]),
    ).toBeUndefined();
    expect(it.data).toMatchObject({ tasks: { a: { name: "AA", votes: 4 } } });
    expect(it.change([{ op: "increment", path: "/list/1/votes", by: 5 }])).toBeUndefined();
    expect(it.data).toMatchObject({ list: [{ votes: 1 }, { votes: 7 }] });
  });

  test.each<[string, Parameters<TypedDocument["change"]>[0]]>([
    ["replace", [{ op: "replace", path: "/tasks/a/votes", value: 9 }]],
    ["add", [{ op: "add", path: "/tasks/a/votes", value: 9 }]],
    ["remove", [{ op: "remove", path: "/tasks/a/votes" }]],
    ["merge", [{ op: "merge", path: "/tasks/a", value: { votes: 9 } }]],
    ["merge that removes", [{ op: "merge", path: "", value: { tasks: { a: { votes: null } } } }]],
    [
      "copy over it",
      [
        { op: "add", path: "/tasks/b", value: { name: "", votes: 1 } },
        { op: "copy", from: "/tasks/b/votes", path: "/tasks/a/votes" },
      ],
    ],
    ["move away", [{ op: "move", from: "/tasks/a/votes", path: "/tasks/a/was" }]],
    ["another object in its place", [{ op: "replace", path: "/tasks/a", value: { name: "A", votes: 9 } }]],
    [
      "out and in again",
      [
        { op: "remove", path: "/tasks/a" },
        { op: "add", path: "/tasks/a", value: { name: "A", votes: 0 } },
      ],
    ],
    ["all data anew", [{ op: "replace", path: "", value: { tasks: { a: { name: "A", votes: 9 } } } }]],
    [
      "an increment, and more",
      [
        { op: "increment", path: "/tasks/a/votes", by: 1 },
        { op: "replace", path: "/tasks/a/votes", value: 9 },
      ],
    ],
  ])("[TYPE-7] not changed by JSON: %s", (_name, ops) => {
    const it = tasks();
    const before = it.data;
    counted(it.change(ops), "/tasks/a/votes");
    expect(it.data).toEqual(before);
    expect(it.change(ops, { maySetCounters: true })).toBeUndefined();
  });

  test.each<[string, (data: Y.Map<unknown>) => void, string]>([
    ["set", (data) => mapIn(mapIn(data, "tasks"), "a").set("votes", 9), "/tasks/a/votes"],
    ["deleted", (data) => mapIn(mapIn(data, "tasks"), "a").delete("votes"), "/tasks/a/votes"],
    [
      "set among much else",
      (data) => {
        for (let at = 0; at < 200; at++) mapIn(data, "tasks").set(`t${at}`, new Y.Map([["name", "x"]]));
        mapIn(mapIn(data, "tasks"), "a").set("votes", 9);
      },
      "/tasks/a/votes",
    ],
    [
      "in a new object",
      (data) =>
        mapIn(data, "tasks").set(
          "a",
          new Y.Map<unknown>([
            ["name", "A"],
            ["votes", 9],
          ]),
        ),
      "/tasks/a/votes",
    ],
    ["in a whole object", (data) => mapIn(data, "tasks").set("a", { name: "A", votes: 9 }), "/tasks/a/votes"],
    [
      "in a list",
      (data) => {
        const list = data.get("list");
        const first: unknown = list instanceof Y.Array ? list.get(0) : undefined;
        if (first instanceof Y.Map) first.set("votes", 9);
      },
      "/list",
    ],
  ])("[TYPE-7] not changed by a live update: %s", (_name, edit, path) => {
    const it = tasks();
    counted(it.edit(edit), path);
  });

  test("[TYPE-7] made, kept, and removed with what they lie in, they are free", () => {
    const it = tasks();
    expect(it.change([{ op: "add", path: "/tasks/b", value: { name: "B", votes: 7 } }])).toBeUndefined();
    expect(
      it.change([
        { op: "add", path: "/tasks/c", value: { name: "C" } },
        { op: "increment", path: "/tasks/c/votes", by: 1 },
      ]),
    ).toBeUndefined();
    expect(it.change([{ op: "replace", path: "/tasks/b", value: { name: "BB", votes: 7 } }])).toBeUndefined();
    expect(it.change([{ op: "move", from: "/tasks/b", path: "/tasks/d" }])).toBeUndefined();
    expect(it.change([{ op: "remove", path: "/tasks/d" }])).toBeUndefined();
    expect(it.edit((data) => mapIn(data, "tasks").delete("c"))).toBeUndefined();
    expect(
      it.edit(
        (data) =>
          mapIn(data, "tasks").set(
            "e",
            new Y.Map<unknown>([
              ["name", "E"],
              ["votes", 5],
            ]),
          ),
        8,
      ),
    ).toBeUndefined();
    expect(it.change([{ op: "remove", path: "/tasks" }])).toBeUndefined();
  });

  test("[TYPE-7] elements of a list move and go, and take their counters along", () => {
    const it = tasks();
    expect(it.change([{ op: "add", path: "/list/0", value: { votes: 0 } }])).toBeUndefined();
    expect(
      it.edit((data) => {
        const list = data.get("list");
        if (list instanceof Y.Array) list.delete(1);
      }),
    ).toBeUndefined();
    expect(it.data).toMatchObject({ list: [{ votes: 0 }, { votes: 2 }] });
    counted(it.change([{ op: "replace", path: "/list/1/votes", value: 3 }]), "/list");
    expect(
      it.change([
        { op: "remove", path: "/list/0" },
        { op: "increment", path: "/list/0/votes", by: 1 },
      ]),
    ).toBeUndefined();
    expect(it.data).toMatchObject({ list: [{ votes: 3 }] });
  });

  test("[TYPE-7] what is no number is no counter yet", () => {
    const it = new TypedDocument({ properties: { n: { "x-crdt": "counter" } } }, { n: null });
    expect(it.change([{ op: "replace", path: "/n", value: 1 }])).toBeUndefined();
    counted(it.change([{ op: "replace", path: "/n", value: "1" }]), "/n");
    expect(it.change([{ op: "replace", path: "/n", value: 1 }])).toBeUndefined();
  });
});
