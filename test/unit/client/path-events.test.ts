/** Subscriptions: which transactions they hear of, and what they are told. */
import { describe, expect, test, vi } from "vitest";
import * as Y from "yjs";
import { PathEvents } from "../../../client/path-events.ts";
import type { PathEvent } from "../../../client/path-events.ts";
import { COMMIT_RECORDS } from "../../../client/replica.ts";
import type { ChangeRecord } from "../../../shared/change.ts";
import { parseActor } from "../../../shared/ids.ts";

const SERVER = Symbol("server");

function setUp(): {
  doc: Y.Doc;
  data: Y.Map<unknown>;
  events: PathEvents;
  pathsAt: (path: string) => (readonly string[])[];
} {
  const doc = new Y.Doc();
  const data = doc.getMap("data");
  data.set("tasks", new Y.Map([["t1", new Y.Map([["title", "Ship it"]])]]));
  data.set("list", new Y.Array<unknown>());
  data.set("text", new Y.Text("abc"));
  const events = new PathEvents({ doc, isRemote: (origin) => origin === SERVER });
  return {
    doc,
    data,
    events,
    pathsAt(path) {
      const log: (readonly string[])[] = [];
      events.subscribe(path, ({ paths }) => log.push(paths));
      return log;
    },
  };
}

const mapAt = (parent: Y.Map<unknown>, key: string): Y.Map<unknown> => {
  const value = parent.get(key);
  if (!(value instanceof Y.Map)) throw new Error(`no map at ${key}`);
  return value;
};

describe("[SDK-16] subscriptions", () => {
  test("hear what happens below, at and above their path, nothing beside it", () => {
    const { data, pathsAt } = setUp();
    const [all, tasks, title, other] = ["", "/tasks", "/tasks/t1/title", "/tasks/t2"].map(pathsAt);
    mapAt(mapAt(data, "tasks"), "t1").set("title", "Ship");
    data.delete("tasks");
    expect(all).toEqual([["/tasks/t1/title"], ["/tasks"]]);
    expect(tasks).toEqual(all);
    expect(title).toEqual(all);
    expect(other).toEqual([["/tasks"]]);
  });

  test("hear of lists and texts, and of what is in them, by the list's path", () => {
    const { data, pathsAt } = setUp();
    const all = pathsAt("");
    const list = data.get("list");
    if (!(list instanceof Y.Array)) throw new Error("no list");
    list.push([new Y.Map()]);
    (list.get(0) as Y.Map<unknown>).set("a", 1);
    (data.get("text") as Y.Text).insert(0, "x");
    expect(all).toEqual([["/list"], ["/list"], ["/text"]]);
  });

  test("get one event for a transaction, with no path below another", () => {
    const { doc, data, pathsAt } = setUp();
    const all = pathsAt("");
    doc.transact(() => {
      mapAt(mapAt(data, "tasks"), "t1").set("title", "x");
      mapAt(data, "tasks").delete("t1");
      data.set("a/b", 1);
      doc.getMap("other").set("c", 1);
    });
    expect(all.map((paths) => [...paths].sort())).toEqual([["/a~1b", "/tasks/t1", "@other/c"]]);
  });

  test("carry the records of a commit that concern them, and read the value when asked", () => {
    const { doc, data, events } = setUp();
    const log: PathEvent[] = [];
    events.subscribe("/a", (event) => log.push(event));
    const record = (version: number, path: string): ChangeRecord => ({
      version,
      seq: version,
      actor: parseActor("bob"),
      origin: "rest",
      atMs: 1,
      paths: [path],
    });
    doc.transact((transaction) => {
      transaction.meta.set(COMMIT_RECORDS, [record(1, "/a"), record(2, "/b"), record(3, "")]);
      data.set("a", 1);
    }, SERVER);
    data.set("a", 2);
    data.delete("a");
    expect(log.map(({ origin, changes }) => [origin, changes.map(({ version }) => version)])).toEqual([
      ["remote", [1, 3]],
      ["local", []],
      ["local", []],
    ]);
    expect(log[0]?.value).toBeUndefined();
    data.set("a", 3);
    expect(log[0]?.value).toBe(3);
  });

  test("hear nothing of transactions that change nothing, nor after they were ended", () => {
    const { doc, data, events } = setUp();
    const listener = vi.fn();
    const unsubscribe = events.subscribe("", listener);
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(doc), SERVER);
    expect(listener).not.toHaveBeenCalled();
    unsubscribe();
    data.set("a", 1);
    expect(listener).not.toHaveBeenCalled();
  });

  test("hear of a replaced document as a whole", () => {
    const { events, pathsAt } = setUp();
    const log = pathsAt("/tasks/t1");
    const fresh = new Y.Doc();
    events.reset(fresh);
    fresh.getMap("data").set("tasks", 1);
    expect(log).toEqual([[""], ["/tasks"]]);
  });

  test("that throw disturb neither the others nor the document", () => {
    const { doc, data, events, pathsAt } = setUp();
    const reported = vi.fn();
    vi.stubGlobal("reportError", reported);
    events.subscribe("", () => {
      throw new Error("listener");
    });
    const log = pathsAt("");
    data.set("a", 1);
    data.set("b", 1);
    vi.unstubAllGlobals();
    expect(log).toHaveLength(2);
    expect(doc._transaction).toBeNull();
    expect(reported.mock.calls).toEqual([[new Error("listener")], [new Error("listener")]]);
  });

  test("to what is no path are refused", () => {
    expect(() => setUp().events.subscribe("tasks", () => {})).toThrow(
      expect.objectContaining({ code: "INVALID_REQUEST" }),
    );
  });
});
