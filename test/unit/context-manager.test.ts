/** The use cases on a gated memory log: rules CTX-1…6, and those of the wire that need a whole service. */
import * as Y from "yjs";
import { describe, expect, test } from "vitest";
import type { ChangeRecord } from "../../shared/change.ts";
import { ServiceError } from "../../shared/errors.ts";
import { parseContextId } from "../../shared/ids.ts";
import { encodeRequest, encodeStep1, encodeUpdate } from "../../shared/protocol/frames.ts";
import { RecordingConnection } from "../support/recording-connection.ts";
import { PLAN, caller, openEditor, startPlan, startService, turns } from "../support/service-rig.ts";

const ada = caller("ada");
const EMPTY_VECTOR = Uint8Array.from([0]);
const add = (path: string, value: number) => ({ ops: [{ op: "add" as const, path, value }] });
const lost = (): ServiceError => new ServiceError("STORE_UNAVAILABLE", "the disk is gone");

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "resolved",
    (error: unknown) => (error instanceof ServiceError ? error.code : String(error)),
  );

/** Whether the promise has settled after everything that can happen now has happened. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = (): void => void (settled = true);
  promise.then(note, note);
  await turns();
  return settled;
}

describe("[CTX-1] nothing leaves before it is durable", () => {
  test("replies, reads, feeds and states wait for the log", async () => {
    const rig = await startPlan();
    const editor = await openEditor(rig, "ada");
    const watcher = await openEditor(rig, "bob");
    const stock = await openEditor(rig, "carl", false);
    rig.log.hold();
    editor.edit((data) => data.set("x", 1));
    await turns();
    const write = rig.service.change(ada, PLAN, add("/y", 2));
    await turns();
    const read = rig.service.read(ada, PLAN, { path: "" });
    stock.session.receive(encodeStep1(EMPTY_VECTOR));
    expect(await isSettled(write)).toBe(false);
    expect(await isSettled(read)).toBe(false);
    const quiet = [editor, watcher, stock].map(({ connection }) => connection.take());
    expect(quiet).toEqual([[], [], []]);
    expect(await rig.service.changes(ada, PLAN, { since: 0, limit: 10 })).toEqual({ items: [], through: 0 });

    rig.log.release();
    expect(await write).toMatchObject({ version: 2, seq: 2, paths: ["/y"], replayed: false });
    expect(await read).toMatchObject({ data: { x: 1, y: 2 }, head: { version: 2, seq: 2 } });
    await turns();
    expect(watcher.connection.take()).toMatchObject([
      {
        type: "commit",
        changes: [
          { version: 1, actor: "ada", origin: "sync", paths: ["/x"] },
          { version: 2, origin: "rest" },
        ],
      },
    ]);
    expect(editor.connection.take().map(({ type }) => type)).toEqual(["commit", "ack"]);
    expect(
      stock.connection
        .take()
        .filter((message) => message.type === "sync")
        .map(({ step }) => step),
    ).toContain(1);
  });

  test("a session that opens meanwhile starts when what it would show is durable", async () => {
    const rig = await startPlan();
    rig.log.hold();
    const write = rig.service.change(ada, PLAN, add("/y", 2));
    await turns();
    const connection = new RecordingConnection();
    const opening = rig.service.openSession(ada, PLAN, { connection, isExtended: true, create: false });
    expect(await isSettled(opening)).toBe(false);
    expect(connection.take()).toEqual([]);
    rig.log.release();
    await write;
    await opening;
    expect(connection.take()[0]).toMatchObject({ type: "hello", hello: { version: 1 } });
  });
});

describe("[CTX-2] answers come in order", () => {
  test("acks of nothing new do not overtake those of edits before them", async () => {
    const rig = await startPlan();
    const editor = await openEditor(rig, "ada");
    rig.log.hold();
    editor.edit((data) => data.set("x", 1));
    await turns();
    editor.session.receive(encodeUpdate(Y.encodeStateAsUpdate(editor.doc)));
    await turns();
    expect(editor.connection.take()).toEqual([]);
    rig.log.release();
    await turns();
    const acks = editor.connection.take().flatMap((message) => (message.type === "ack" ? [message.ack] : []));
    expect(acks.at(-1)).toEqual({ frames: 2, version: 1 });
  });

  test("a refusal in a turn comes after the acks before it, and what was good stays", async () => {
    const rig = await startPlan();
    const editor = await openEditor(rig, "ada");
    editor.edit((data) => data.set("x", 1));
    editor.session.receive(encodeUpdate(Uint8Array.from([1, 2, 3])));
    await turns();
    expect(editor.connection.closedWith?.code).toBe(4400);
    expect(editor.connection.take()).toMatchObject([
      { type: "ack", ack: { frames: 1, version: 1 } },
      { type: "rejected", rejected: { frame: 2, code: "MALFORMED_UPDATE" } },
    ]);
    expect(await rig.service.read(ada, PLAN, { path: "" })).toMatchObject({ data: { x: 1 }, head: { version: 1 } });
  });
});

describe("[CTX-3] after a failed append", () => {
  test("the context is forgotten, its sessions end with 4503, callers may retry", async () => {
    const rig = await startPlan({ kept: true });
    const editor = await openEditor(rig, "ada");
    const bystander = await openEditor(rig, "bob", false);
    rig.log.hold();
    editor.edit((data) => data.set("x", 1));
    const write = rig.service.change(ada, PLAN, add("/y", 2));
    await turns();
    const read = rig.service.read(ada, PLAN, { path: "" });
    rig.log.fail(lost());
    expect(await codeOf(write)).toBe("STORE_UNAVAILABLE");
    expect(await codeOf(read)).toBe("STORE_UNAVAILABLE");
    await turns();
    expect(editor.connection.closedWith?.code).toBe(4503);
    expect(bystander.connection.closedWith?.code).toBe(4503);
    expect(editor.connection.take()).toEqual([]);
    rig.log.hold();
    rig.log.release();
    expect(await rig.service.read(ada, PLAN, { path: "" })).toMatchObject({
      data: { kept: true },
      head: { version: 0 },
    });
    expect(await rig.service.change(ada, PLAN, add("/y", 2))).toMatchObject({ version: 1 });
    expect(rig.logger.entries.map(({ message }) => message)).toContain("context dropped from memory");
  });
});

describe("[CTX-4] feeds", () => {
  test("a feed has every change once, from any version on, while changes come in", async () => {
    const rig = await startPlan();
    for (let i = 0; i < 5; i++) await rig.service.change(ada, PLAN, add(`/a${i}`, i));
    const stop = new AbortController();
    const feed = rig.service.follow(ada, PLAN, { since: 2, signal: stop.signal });
    const seen: ChangeRecord[] = [];
    const reading = (async () => {
      for await (const record of feed) {
        seen.push(record);
        if (record.version === 9) stop.abort();
      }
    })();
    for (let i = 5; i < 9; i++) await rig.service.change(ada, PLAN, add(`/a${i}`, i));
    await reading;
    expect(seen.map(({ version }) => version)).toEqual([3, 4, 5, 6, 7, 8, 9]);
  });

  test("a path narrows it to changes that can be seen there", async () => {
    const rig = await startPlan({ tasks: {}, notes: {} });
    for (const path of ["/tasks/t1", "/notes/n1", "/tasks/t2"]) await rig.service.change(ada, PLAN, add(path, 1));
    const page = await rig.service.changes(ada, PLAN, { since: 0, path: "/tasks", limit: 10 });
    expect(page.items.map(({ version }) => version)).toEqual([1, 3]);
  });

  test("pages follow one another", async () => {
    const rig = await startPlan();
    for (let i = 0; i < 5; i++) await rig.service.change(ada, PLAN, add(`/a${i}`, i));
    const first = await rig.service.changes(ada, PLAN, { since: 0, limit: 3 });
    expect([first.items.map(({ version }) => version), first.next]).toEqual([[1, 2, 3], "3"]);
    const rest = await rig.service.changes(ada, PLAN, { since: 3, limit: 3 });
    expect([rest.items.map(({ version }) => version), rest.next]).toEqual([[4, 5], undefined]);
  });

  test("it ends when the context goes", async () => {
    const rig = await startPlan();
    const feed = rig.service.follow(ada, PLAN, { since: 0, signal: new AbortController().signal });
    const code = codeOf(feed.next());
    await turns();
    await rig.service.delete(ada, PLAN);
    expect(await code).toBe("CONTEXT_NOT_FOUND");
  });
});

describe("[CTX-5] deleting", () => {
  test("[WIRE-17] sessions end with 4404; the next context of that id has the next epoch", async () => {
    const rig = await startPlan({ old: true });
    const editor = await openEditor(rig, "ada");
    await rig.service.delete(ada, PLAN);
    expect(editor.connection.closedWith?.code).toBe(4404);
    expect(await codeOf(rig.service.read(ada, PLAN, { path: "" }))).toBe("CONTEXT_NOT_FOUND");
    expect(await codeOf(rig.service.delete(ada, PLAN))).toBe("CONTEXT_NOT_FOUND");
    const again = await rig.service.create(ada, { id: PLAN });
    expect(again).toMatchObject({ data: {}, meta: { epoch: 2 }, head: { version: 0 } });
  });
});

describe("[CTX-6] stopping", () => {
  test("refuses new work, waits for what was admitted, and tells clients to come again", async () => {
    const rig = await startPlan();
    const editor = await openEditor(rig, "ada");
    rig.log.hold();
    const write = rig.service.change(ada, PLAN, add("/y", 2));
    await turns();
    const closing = rig.service.close();
    expect(await isSettled(closing)).toBe(false);
    expect(await codeOf(rig.service.change(ada, PLAN, add("/z", 3)))).toBe("SHUTTING_DOWN");
    rig.log.release();
    await closing;
    expect(await write).toMatchObject({ version: 1 });
    expect(editor.connection.closedWith?.code).toBe(4503);
  });
});

describe("creating and finding", () => {
  test("an id may be given or made; a taken one is refused", async () => {
    const { service } = await startService();
    const made = await service.create(ada, { data: { a: 1 } });
    expect(made.meta.id).toMatch(/^[0-9a-f-]{36}$/);
    await service.create(ada, { id: PLAN });
    expect(await codeOf(service.create(ada, { id: PLAN }))).toBe("ALREADY_EXISTS");
  });

  test("contexts are found by text, tag and type, page by page", async () => {
    const { service } = await startService();
    for (const [id, name, type] of [
      ["a", "Alpha", "plan"],
      ["b", "Beta", "note"],
      ["c", "Gamma", "plan"],
    ] as const) {
      await service.create(ada, { id: parseContextId(id), name, type, tags: [type] });
    }
    const ids = async (request: object): Promise<string[]> =>
      (await service.find(ada, { limit: 10, ...request })).items.map(({ meta }) => meta.id);
    expect(await ids({})).toEqual(["a", "b", "c"]);
    expect(await ids({ query: "amm" })).toEqual(["c"]);
    expect(await ids({ type: "plan" })).toEqual(["a", "c"]);
    expect(await ids({ tag: "note" })).toEqual(["b"]);
    const page = await service.find(ada, { limit: 2 });
    expect(page.next).toBe("b");
    expect(await ids({ after: parseContextId("b") })).toEqual(["c"]);
  });

  test("[WIRE-17] a session on a context that does not exist is refused, or makes it when asked to", async () => {
    const { service } = await startService();
    const open = (create: boolean): Promise<unknown> =>
      service.openSession(ada, PLAN, { connection: new RecordingConnection(), isExtended: false, create });
    expect(await codeOf(open(false))).toBe("CONTEXT_NOT_FOUND");
    expect(await Promise.all([codeOf(open(true)), codeOf(open(true))])).toEqual(["resolved", "resolved"]);
    expect(await service.read(ada, PLAN, { path: "" })).toMatchObject({ data: {} });
  });
});

test("[SYNC-6] those who ask for the same state at one position get the same batch", async () => {
  const rig = await startPlan({ text: "x".repeat(1000) });
  const editors = [await openEditor(rig, "ada", false), await openEditor(rig, "bob", false)];
  for (const { session } of editors) session.receive(encodeStep1(EMPTY_VECTOR));
  await turns();
  const [first, second] = editors.map(({ connection }) => connection.batches[0]);
  expect(first).toBeDefined();
  expect(first).toBe(second);
});

test("[WIRE-11] step 2 holds what the client lacks, and only that", async () => {
  const rig = await startPlan({ a: 1 });
  const { session, connection } = await openEditor(rig, "ada");
  session.receive(encodeStep1(EMPTY_VECTOR));
  await turns();
  const whole = connection.take();
  const doc = new Y.Doc();
  for (const message of whole) if (message.type === "sync") Y.applyUpdate(doc, message.bytes);
  expect(doc.getMap("data").toJSON()).toEqual({ a: 1 });
  session.receive(encodeStep1(Y.encodeStateVector(doc)));
  await turns();
  expect(connection.take()).toMatchObject([{ type: "sync", step: 1, bytes: Uint8Array.from([0, 0]) }]);
});

describe("requests of sessions", () => {
  test("a change is carried out as the session's actor", async () => {
    const rig = await startPlan();
    const { session, connection } = await openEditor(rig, "ada");
    session.receive(encodeRequest(1, "change", { changes: [{ op: "add", path: "/x", value: 1 }], message: "why" }));
    await turns(6);
    expect(connection.take()).toMatchObject([
      { type: "response", response: { id: 1, ok: true, result: { version: 1, paths: ["/x"], replayed: false } } },
      { type: "commit", changes: [{ actor: "ada", origin: "sdk", message: "why" }] },
    ]);
  });

  test.each([
    ["an unknown method", "format-disk", {}],
    ["parameters of the wrong form", "change", { changes: "all" }],
    ["an unknown field", "change", { changes: [{ op: "remove", path: "/x" }], ifversion: 1 }],
  ])("%s is refused and the session goes on", async (_what, method, params) => {
    const { session, connection } = await openEditor(await startPlan(), "ada");
    session.receive(encodeRequest(1, method, params));
    await turns();
    expect(connection.take()).toMatchObject([
      { type: "response", response: { ok: false, error: { code: "INVALID_REQUEST" } } },
    ]);
    expect(connection.closedWith).toBeUndefined();
  });
});
