/** Refused edits on their way out: to their author, to everybody else, and in the topic: rules VOID-2, VOID-4, VOID-6, LOCK-11. */
import * as Y from "yjs";
import { beforeEach, describe, expect, test } from "vitest";
import { ERRORS, ServiceError } from "../../shared/errors.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import { ANONYMOUS, parseContextId } from "../../shared/ids.ts";
import { SYNC, encodeRequest, encodeStep1, encodeStep2, encodeUpdate } from "../../shared/protocol/frames.ts";
import { batchOf } from "../../server/sync/connection.ts";
import { Session } from "../../server/sync/session.ts";
import { Topic } from "../../server/sync/topic.ts";
import type { Member, Publication } from "../../server/sync/topic.ts";
import { RecordingConnection } from "../support/recording-connection.ts";
import type { ServerMessage } from "../support/recording-connection.ts";
import { PLAN, caller, openEditor, startPlan, turns } from "../support/service-rig.ts";
import type { Editor, ServiceRig } from "../support/service-rig.ts";

const SECRET = "what nobody is to see";

const shapeOf = (message: ServerMessage): string => {
  if (message.type === "sync") return `update ${message.bytes.join(",")}`;
  return message.type === "commit" ? `commit ${message.changes.map(({ version }) => version).join(",")}` : message.type;
};

describe("[VOID-2] a topic", () => {
  let topic: Topic;
  beforeEach(() => {
    topic = new Topic(PLAN, { seq: 6, version: 4, vector: new Map([[7, 3]]) });
  });

  function join(isExtended: boolean): { readonly connection: RecordingConnection; readonly session: Session } {
    const connection = new RecordingConnection();
    const info = { id: "s", contextId: PLAN, epoch: 1, firstEpoch: 1, actor: ANONYMOUS, isExtended };
    const session = new Session(info, topic, connection, {
      applyUpdate: () => undefined,
      encodeSince: () => Promise.resolve(batchOf([])),
      renew: async () => undefined,
      retired: () => new Set(),
      voids: () => new Map(),
      request: () => Promise.resolve({}),
      flushSoon: () => undefined,
      ended: () => undefined,
      lagging: () => undefined,
      nowMs: () => 0,
    });
    topic.sessions.add(session);
    session.start();
    session.receive(encodeStep1(Uint8Array.of(0)));
    connection.take();
    return { connection, session };
  }

  const entry = (kind: Publication["kind"], seq: number, version: number, author?: Member): Publication => ({
    kind,
    change: {
      seq,
      version,
      actor: ANONYMOUS,
      origin: "sync",
      atMs: 0,
      paths: [],
      update: Uint8Array.of(seq),
    },
    advances: [{ client: 9, to: seq }],
    author,
  });

  test("sends a void as an update in its place among the commits, to each kind of session", async () => {
    const [stock, extended] = [join(false), join(true)];
    await turns();
    stock.connection.take();
    extended.connection.take();
    topic.publish([entry("change", 7, 5), entry("change", 8, 6), entry("void", 9, 6), entry("change", 10, 7)]);
    topic.flush(0);
    expect(stock.connection.take().map(shapeOf)).toEqual(["update 7", "update 8", "update 9", "update 10"]);
    expect(extended.connection.take().map(shapeOf)).toEqual(["commit 5,6", "update 9", "commit 7"]);
    expect([topic.version, topic.vector.get(9)]).toEqual([7, 10]);
  });

  test("skips nothing and doubles nothing when a void has the version of the change before", () => {
    const { connection } = join(true);
    connection.take();
    // what it began with is at seq 6: the void after it has the same version and is news, the one before is not
    topic.publish([entry("void", 5, 4), entry("change", 6, 4), entry("void", 7, 4)]);
    topic.flush(0);
    topic.publish([entry("void", 8, 4), entry("change", 9, 5)]);
    topic.flush(0);
    topic.publish([entry("void", 10, 5)]);
    topic.flush(0);
    expect(connection.take().map(shapeOf)).toEqual(["update 7", "update 8", "commit 5", "update 10"]);
    expect(topic.version).toBe(5);
  });

  test("tells the author of all of it nothing of its voids but what it has to know of its changes", () => {
    const { connection, session } = join(true);
    connection.take();
    topic.publish([entry("change", 7, 5, session), entry("void", 8, 5, session)]);
    topic.flush(0);
    expect(connection.take().map(shapeOf)).toEqual(["commit 5"]);
  });

  test("resyncs who fell behind from before the void", async () => {
    const { connection } = join(false);
    await turns();
    connection.take();
    connection.bufferedBytes = Number.MAX_SAFE_INTEGER;
    topic.publish([entry("void", 7, 4)]);
    topic.flush(0);
    expect(connection.take()).toEqual([]);
    expect(topic.vector.get(9)).toBe(7);
  });
});

describe("[VOID-4] how a session learns of a refusal", () => {
  test.each(Object.keys(ERRORS).filter((code): code is ErrorCode => code in ERRORS))("%s", (code) => {
    const connection = new RecordingConnection();
    const info = { id: "s", contextId: parseContextId("plan"), epoch: 1, firstEpoch: 1, actor: ANONYMOUS };
    const topic = new Topic(info.contextId, { seq: 0, version: 0, vector: new Map() });
    const error = new ServiceError(code, "because", { details: { why: 1 } });
    const session = new Session({ ...info, isExtended: true }, topic, connection, {
      applyUpdate: (_update, _source, done) => done(error),
      encodeSince: () => Promise.resolve(batchOf([])),
      renew: async () => undefined,
      retired: () => new Set(),
      voids: () => new Map(),
      request: () => Promise.resolve({}),
      flushSoon: () => undefined,
      ended: () => undefined,
      lagging: () => undefined,
      nowMs: () => 0,
    });
    session.start();
    connection.take();
    session.receive(encodeUpdate(Uint8Array.of(0, 0)));
    const { closeCode } = ERRORS[code];
    const isTrouble = closeCode >= 4500 || code === "RATE_LIMITED";
    const rejected = { type: "rejected", rejected: { frame: 1, code, message: "because", details: { why: 1 } } };
    expect(connection.take()).toEqual(isTrouble ? [] : [rejected]);
    expect(connection.closedWith).toMatchObject({ code: closeCode, reason: `${code}: because` });
  });

  test("a lock is told like any other refusal, with 4403", () => {
    expect([ERRORS.LOCKED.closeCode, ERRORS.FENCE_STALE.closeCode, ERRORS.SCHEMA_VIOLATION.closeCode]).toEqual([
      4403, 4403, 4403,
    ]);
  });
});

/** An editor that has the context's present content, and a Yjs client id of its own. */
async function present(rig: ServiceRig, name: string, clientId: number, isExtended = true): Promise<Editor> {
  const editor = await openEditor(rig, name, isExtended);
  Y.applyUpdate(editor.doc, (await rig.service.look(PLAN, (doc) => Y.encodeStateAsUpdate(doc))).result);
  editor.doc.clientID = clientId;
  return editor;
}

/** One transaction, sent as clients do: as it is, without what was deleted before. */
function edit({ doc, session }: Editor, change: (data: Y.Map<unknown>) => void): void {
  const send = (update: Uint8Array): void => session.receive(encodeUpdate(update));
  doc.on("update", send);
  doc.transact(() => change(doc.getMap("data")));
  doc.off("update", send);
}

/** What a client's document says after the messages, and that nothing in it waits. */
function dataAfter(messages: readonly ServerMessage[], base: Y.Doc): unknown {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, Y.encodeStateAsUpdate(base));
  for (const message of messages) {
    if (message.type === "sync" && message.step !== SYNC.step1) Y.applyUpdate(doc, message.bytes);
    if (message.type === "commit") for (const { update } of message.changes) Y.applyUpdate(doc, update);
  }
  expect(doc.store.pendingStructs).toBeNull();
  return doc.getMap("data").toJSON();
}

describe("[VOID-2] [VOID-4] a refusal in the whole service", () => {
  test("its author is told and ended; the others get its clocks, and what it writes next, and not what was refused", async () => {
    const rig = await startPlan({ a: 1 });
    const before = await present(rig, "reader", 1);
    const base = before.doc;
    const watchers = [before, await present(rig, "reader", 2, false)];
    watchers[1]?.session.receive(encodeStep1(Y.encodeStateVector(base)));
    await turns();
    watchers.forEach(({ connection }) => connection.take());
    await rig.service.locks.acquire(caller("ann"), PLAN, { paths: ["/a"] });
    const bob = await present(rig, "bob", 200);
    edit(bob, (data) => data.set("b", 1));
    edit(bob, (data) => data.set("a", SECRET));
    edit(bob, (data) => data.set("c", 2));
    await turns();
    expect(bob.connection.closedWith?.code).toBe(4403);
    const told = bob.connection.take().filter(({ type }) => type === "rejected");
    expect(told).toMatchObject([{ rejected: { frame: 2, code: "LOCKED", details: { holder: "ann" } } }]);
    // the same author comes again with the same document and goes on writing
    edit({ ...(await openEditor(rig, "bob")), doc: bob.doc }, (data) => data.set("d", 3));
    await turns();
    const wanted = { a: 1, b: 1, c: 2, d: 3 };
    expect((await rig.service.read(caller("ann"), PLAN, { path: "" })).data).toEqual(wanted);
    for (const { connection } of watchers) {
      const sent = connection.batches.flatMap(({ messages }) => messages);
      expect(sent.some((message) => Buffer.from(message).includes(SECRET))).toBe(false);
      expect(dataAfter(connection.take(), base)).toEqual(wanted);
    }
    const { items } = await rig.service.changes(caller("ann"), PLAN, { since: 0, limit: 10 });
    expect(items.map(({ version, paths }) => [version, ...paths])).toEqual([
      [1, "/b"],
      [2, "/c"],
      [3, "/d"],
    ]);
  });

  test("a stock session is ended without a word that it would not know", async () => {
    const rig = await startPlan({ a: 1 });
    await rig.service.locks.acquire(caller("ann"), PLAN, { paths: ["/a"] });
    const bob = await present(rig, "bob", 200, false);
    edit(bob, (data) => data.delete("a"));
    await turns();
    expect(bob.connection.closedWith).toMatchObject({ code: 4403 });
    expect(bob.connection.closedWith?.reason).toMatch(/^LOCKED: ann holds a lock on \/a/);
    expect(bob.connection.take()).toEqual([]);
    expect((await rig.service.read(caller("ann"), PLAN, { path: "" })).data).toEqual({ a: 1 });
  });
});

describe("[VOID-6] an author that did not hear of a refusal", () => {
  /** A new session, in which the document answers what the server asks. */
  async function comeBack({ service }: ServiceRig, name: string, doc: Y.Doc, isExtended = false) {
    const connection = new RecordingConnection();
    const options = { connection, isExtended, create: false };
    const session = await service.openSession({ ...caller(name), origin: "sdk" }, PLAN, options);
    const asked = connection.take().find((message) => message.type === "sync" && message.step === SYNC.step1);
    if (asked?.type !== "sync") throw new Error("nothing was asked");
    session.receive(encodeStep2(Y.encodeStateAsUpdate(doc, asked.bytes)));
    await turns();
    return connection.closedWith;
  }

  function inA(data: Y.Map<unknown>): Y.Map<unknown> {
    const a = data.get("a");
    if (a instanceof Y.Map) return a;
    throw new Error("a is no map");
  }

  /** Bob edits in a, which is locked, and loses his line before he is told. */
  async function unheard(isExtended: boolean): Promise<{ readonly rig: ServiceRig; readonly doc: Y.Doc }> {
    const rig = await startPlan({ a: {} });
    const { lockId } = await rig.service.locks.acquire(caller("ann"), PLAN, { paths: ["/a"] });
    const bob = await present(rig, "bob", 200, isExtended);
    edit(bob, (data) => data.set("c", 1));
    edit(bob, (data) => inA(data).set(SECRET, 1));
    await turns();
    await rig.service.locks.release(caller("ann"), PLAN, lockId);
    return { rig, doc: bob.doc };
  }

  test.each([true, false])("is asked for it again, and refused again (mcm.v1: %s)", async (isExtended) => {
    const { rig, doc } = await unheard(isExtended);
    doc.getMap("data").set("b", 1);
    expect((await comeBack(rig, "bob", doc, isExtended))?.reason).toMatch(/^FORBIDDEN: /);
    expect((await rig.service.read(caller("ann"), PLAN, { path: "" })).data).toEqual({ a: {}, c: 1 });
  });

  test("also when it has deleted that edit itself: others would see what follows in another order", async () => {
    const { rig, doc } = await unheard(false);
    inA(doc.getMap("data")).delete(SECRET);
    expect((await comeBack(rig, "bob", doc))?.reason).toMatch(/^FORBIDDEN: /);
  });

  test("also when what it typed goes on in what it types next: Yjs makes one item of both", async () => {
    const rig = await startPlan({ t: { $text: "" } });
    const bob = await present(rig, "bob", 200, false);
    const type = (text: string): void =>
      edit(bob, (data) => {
        const there = data.get("t");
        if (there instanceof Y.Text) there.insert(there.length, text);
      });
    type("taken, ");
    const { lockId } = await rig.service.locks.acquire(caller("ann"), PLAN, { paths: ["/t"] });
    type("refused, ");
    await turns();
    await rig.service.locks.release(caller("ann"), PLAN, lockId);
    type("new");
    expect((await comeBack(rig, "bob", bob.doc))?.reason).toMatch(/^FORBIDDEN: /);
    expect((await rig.service.read(caller("ann"), PLAN, { path: "" })).data).toEqual({ t: "taken, " });
  });

  test("has its other edits taken when the place of that one is gone, of which nothing is told", async () => {
    const { rig, doc } = await unheard(false);
    const eve = await present(rig, "eve", 300, false);
    eve.session.receive(encodeStep1(Uint8Array.of(0)));
    await rig.service.change(caller("ann"), PLAN, { ops: [{ op: "remove", path: "/a" }] });
    doc.getMap("data").set("b", 1);
    expect(await comeBack(rig, "bob", doc)).toBeUndefined();
    expect((await rig.service.read(caller("ann"), PLAN, { path: "" })).data).toEqual({ b: 1, c: 1 });
    const shown = eve.connection.batches.flatMap(({ messages }) => messages);
    const logged = (await rig.log.read(PLAN, 0, 100)).map(({ update }) => update);
    expect([...shown, ...logged].some((bytes) => Buffer.from(bytes).includes(SECRET))).toBe(false);
  });

  test("and nobody else is refused: a document that has the void says so", async () => {
    const { rig } = await unheard(false);
    const { doc } = await present(rig, "eve", 300);
    doc.getMap("data").set("b", 1);
    expect(await comeBack(rig, "eve", doc)).toBeUndefined();
    expect((await rig.service.read(caller("ann"), PLAN, { path: "" })).data).toEqual({ a: {}, b: 1, c: 1 });
  });
});

describe("[LOCK-11] a session that does not wait for answers", () => {
  const lockId = "7d9c0a51-5d0c-4b52-8a3e-0f0b1c2d3e4f";

  test("edits, locks, edits, gives back and edits: all of it is taken", async () => {
    const rig = await startPlan({ a: 0 });
    const bob = await present(rig, "bob", 200);
    edit(bob, (data) => data.set("a", 1));
    bob.session.receive(encodeRequest(1, "lock", { lockId, paths: ["/a"] }));
    edit(bob, (data) => data.set("a", 2));
    bob.session.receive(encodeRequest(2, "unlock", { lockId }));
    edit(bob, (data) => data.set("a", 3));
    await turns();
    expect(bob.connection.closedWith).toBeUndefined();
    expect((await rig.service.read(caller("ann"), PLAN, { path: "" })).data).toEqual({ a: 3 });
    const kinds = (await rig.log.read(PLAN, 0, 100)).map(({ kind, lock }) => lock?.op ?? kind);
    expect(kinds).toEqual(["change", "acquire", "change", "release", "change"]);
  });

  test("and takes over, before it sends what it wrote offline, what its session before had taken", async () => {
    const rig = await startPlan({ a: 0 });
    const first = await present(rig, "bob", 200);
    first.session.receive(encodeRequest(1, "lock", { lockId, paths: ["/a"] }));
    await turns();
    first.session.closed();
    const second = await present(rig, "bob", 201);
    second.session.receive(encodeRequest(1, "renew-lock", { lockId }));
    edit(second, (data) => data.set("a", 1));
    await turns();
    expect(second.connection.closedWith).toBeUndefined();
    expect((await rig.service.read(caller("ann"), PLAN, { path: "" })).data).toEqual({ a: 1 });
  });
});
