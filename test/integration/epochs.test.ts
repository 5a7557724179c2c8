/** Compaction seen from outside: the real server, the SDK and stock clients over sockets. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as Y from "yjs";
import { connect } from "../../client/index.ts";
import type { Client, ConnectOptions, Context, ContextEvents, Refusal } from "../../client/index.ts";
import { fileStore } from "../../client/node/file-store.ts";
import { nodeCount } from "../support/start-server.ts";
import { PATIENT } from "../support/patience.ts";
import { Relay } from "../support/relay.ts";
import { startTestServer, until } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";
import { openStockClient } from "../support/stock-client.ts";

let server: TestServer;
let relay: Relay;
const clients: Client[] = [];
const folders: string[] = [];

beforeEach(async () => {
  server = await startTestServer();
  relay = await Relay.start(server.url);
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close().catch(() => {});
  await relay.close();
  await server.close();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

const DATA = { title: "plan", tasks: { t1: { done: false } }, list: [1, 2, 3], note: { $text: "Hello world" } };

async function open(actor: string, options: ConnectOptions = {}, url = server.url): Promise<Context> {
  const client = await connect(url, { actor, ...PATIENT, ...options });
  clients.push(client);
  return client.open("plan", { create: { data: DATA } });
}

/** A context whose line the test can cut. */
const openAfar = (actor = "ada", options: ConnectOptions = {}): Promise<Context> => open(actor, options, relay.url);

function next<Name extends keyof ContextEvents>(context: Context, name: Name): Promise<ContextEvents[Name]> {
  return new Promise((resolve) => {
    const off = context.on(name, (...args) => {
      off();
      resolve(args);
    });
  });
}

async function untilStatus(context: Context, status: Context["status"]): Promise<void> {
  while (context.status !== status) await next(context, "status");
}

async function goOffline(context: Context): Promise<void> {
  relay.isOpen = false;
  relay.cut();
  await untilStatus(context, "offline");
}

async function comeBack(context: Context): Promise<Refusal[]> {
  const refusals: Refusal[] = [];
  context.on("rejected", (refusal) => refusals.push(refusal));
  relay.isOpen = true;
  relay.isDeaf = false;
  await untilStatus(context, "online");
  await context.saved().catch(() => {});
  return refusals;
}

const code = (expected: string): object => expect.objectContaining({ code: expected });
const idsOf = (doc: Y.Doc): number[] => [...doc.store.clients.keys()];

describe("live clients", () => {
  test("[EPOCH-3] [SDK-30] the SDK goes on with the same data, version and history", async () => {
    const [ada, bob] = [await open("ada"), await open("bob")];
    await ada.update([{ op: "add", path: "/a", value: 1 }]);
    ada.data.getText("note").insert(11, "!");
    await ada.saved();
    const resets = [next(ada, "reset"), next(bob, "reset")];
    const compacted = await ada.compact();
    expect(compacted).toMatchObject({ version: 2, epoch: 2 });
    expect(compacted.bytesAfter).toBeLessThan(compacted.bytesBefore);
    await Promise.all(resets);
    expect(ada.get()).toEqual({ ...DATA, a: 1, note: "Hello world!" });
    expect(idsOf(ada.doc)).toHaveLength(1);
    expect(ada.version).toBe(2);
    await ada.update([{ op: "add", path: "/b", value: 2 }]);
    expect(ada.version).toBe(3);
    bob.data.root.set("c", 3);
    await bob.saved();
    await until(ada.doc, () => ada.data.root.has("c"));
    expect((await ada.at(1)).data).toMatchObject({ a: 1, note: "Hello world" });
    expect((await ada.history({})).changes.map(({ version }) => version)).toEqual([1, 2, 3, 4]);
  });

  test("[EPOCH-4] a stock client's old document is sent away, and nothing of it is there twice", async () => {
    const ada = await open("ada");
    const stock = openStockClient({ url: server.url, contextId: "plan", actor: "stock" });
    await stock.synced();
    stock.doc.getMap("data").set("mine", 1);
    await until(ada.doc, () => ada.data.root.has("mine"));
    const closed = new Promise<number>((resolve) =>
      stock.provider.on("connection-close", (event) => resolve(event?.code ?? 0)),
    );
    const before = ada.get();
    await ada.compact();
    expect(await closed).toBe(4409);
    await untilStatus(ada, "online");
    // it tries again with what it has, and with something new on top
    stock.doc.getMap("data").set("late", new Y.Map([["x", 1]]));
    const again = new Promise<number>((resolve) =>
      stock.provider.on("connection-close", (event) => resolve(event?.code ?? 0)),
    );
    stock.provider.connect();
    expect(await again).toBe(4409);
    stock.close();
    expect(ada.get()).toEqual(before);
    const fresh = openStockClient({ url: server.url, contextId: "plan", actor: "stock" });
    await fresh.synced();
    expect(fresh.doc.getMap("data").toJSON()).toEqual(before);
    fresh.close();
  });
});

describe("[SDK-31] edits made before the compaction", () => {
  test("offline ones are carried over, on top of what others did", async () => {
    const [ada, bob] = [await openAfar(), await open("bob")];
    await goOffline(ada);
    ada.data.root.set("mine", { deep: [1] });
    ada.data.getMap("tasks").set("t2", new Y.Map([["done", true]]));
    ada.data.getArray("list").push([4]);
    ada.data.getText("note").insert(0, "Oh! ");
    ada.data.root.delete("title");
    bob.data.getText("note").insert(11, ", said Bob");
    bob.data.getArray("list").insert(0, [0]);
    bob.data.getMap("tasks").set("t3", 3);
    await bob.saved();
    await bob.compact();
    expect(await comeBack(ada)).toEqual([]);
    const { title: _, ...rest } = DATA;
    expect(ada.get()).toEqual({
      ...rest,
      mine: { deep: [1] },
      tasks: { t1: { done: false }, t2: { done: true }, t3: 3 },
      list: [0, 1, 2, 3, 4],
      note: "Oh! Hello world, said Bob",
    });
    expect(ada.hasUnsavedChanges).toBe(false);
    await untilStatus(bob, "online");
    await bob.update([{ op: "test", path: "", value: ada.get() }]);
  });

  test("[SDK-32] what others changed meanwhile is not undone: that edit is handed over, the others are carried", async () => {
    const [ada, bob] = [await openAfar(), await open("bob")];
    await goOffline(ada);
    ada.data.root.set("title", "Ada's");
    ada.data.root.set("other", 1);
    bob.data.root.set("title", "Bob's");
    await bob.saved();
    await bob.compact();
    const refusals = await comeBack(ada);
    expect(refusals).toEqual([{ error: code("EPOCH_CHANGED"), update: expect.any(Uint8Array) }]);
    expect(ada.get()).toMatchObject({ title: "Bob's", other: 1 });
  });

  test("[SDK-32] what JSON cannot say is handed over", async () => {
    const [ada, bob] = [await openAfar(), await open("bob")];
    await goOffline(ada);
    ada.data.getText("note").format(0, 5, { bold: true });
    ada.data.root.set("other", 1);
    await bob.compact();
    expect(await comeBack(ada)).toEqual([{ error: code("EPOCH_CHANGED"), update: expect.any(Uint8Array) }]);
    expect(ada.get()).toEqual({ ...DATA, note: "Hello world", other: 1 });
  });

  test("one that arrived and was not acknowledged is there once", async () => {
    const [ada, bob] = [await openAfar(), await open("bob")];
    relay.isDeaf = true;
    ada.data.getArray("list").push(["once"]);
    ada.data.getText("note").insert(0, "Once. ");
    await until(bob.doc, () => bob.get("/note") === "Once. Hello world");
    expect(ada.hasUnsavedChanges).toBe(true);
    await goOffline(ada);
    ada.data.getText("note").insert(0, "Later. ");
    await bob.compact();
    expect(await comeBack(ada)).toEqual([]);
    expect(ada.get()).toMatchObject({ list: [1, 2, 3, "once"], note: "Later. Once. Hello world" });
  });

  test("an update() under way is answered once", async () => {
    const [ada, bob] = [await openAfar(), await open("bob")];
    relay.isDeaf = true;
    const updated = ada.update([{ op: "increment", path: "/n", by: 1 }]);
    await until(bob.doc, () => bob.data.root.has("n"));
    await goOffline(ada);
    await bob.compact();
    await comeBack(ada);
    expect(await updated).toEqual({ version: 1 });
    expect(ada.get("/n")).toBe(1);
  });

  test("two compactions later they are carried over too", async () => {
    const [ada, bob] = [await openAfar(), await open("bob")];
    await goOffline(ada);
    ada.data.root.set("mine", 1);
    for (const value of [1, 2]) {
      await bob.compact();
      await untilStatus(bob, "online");
      await bob.update([{ op: "add", path: "/bobs", value }]);
    }
    expect(await comeBack(ada)).toEqual([]);
    expect(ada.get()).toMatchObject({ mine: 1, bobs: 2 });
  });

  test("[SDK-36] a local copy of an old epoch is carried over when it is opened again", async () => {
    const folder = await mkdtemp(join(tmpdir(), "mcm-epochs-"));
    folders.push(folder);
    const persistence = fileStore(folder);
    const [ada, bob] = [await openAfar("ada", { persistence }), await open("bob")];
    await goOffline(ada);
    ada.data.root.set("mine", 1);
    ada.data.root.set("title", "Ada's");
    ada.data.root.delete("tasks");
    await ada.close();
    bob.data.root.set("title", "Bob's");
    await bob.saved();
    await bob.compact();
    await untilStatus(bob, "online");
    relay.isOpen = true;
    const again = await openAfar("ada", { persistence });
    const [refusal] = await next(again, "rejected");
    expect(refusal.error).toEqual(code("EPOCH_CHANGED"));
    const expected = { list: [1, 2, 3], note: "Hello world", mine: 1, title: "Bob's" };
    expect(again.get()).toEqual(expected);
    await again.close();
    const third = await openAfar("ada", { persistence });
    expect(third.get()).toEqual(expected);
    await third.saved();
    expect(idsOf(third.doc).length).toBeLessThanOrEqual(2);
  });

  test("[SDK-12] of a context that was deleted and made anew they are handed over", async () => {
    const [ada, bob] = [await openAfar(), await open("bob")];
    await goOffline(ada);
    ada.data.root.set("mine", 1);
    await clients[1]?.delete("plan");
    await bob.close();
    await clients[1]?.create({ id: "plan", data: { fresh: true } });
    expect(await comeBack(ada)).toEqual([{ error: code("EPOCH_CHANGED"), update: expect.any(Uint8Array) }]);
    expect(ada.get()).toEqual({ fresh: true });
  });
});

describe("[SDK-33] Yjs client ids", () => {
  test("200 sessions of one actor leave one id", async () => {
    for (let i = 0; i < 200; i++) {
      const client = await connect(server.url, { actor: "ada", ...PATIENT });
      const context = await client.open("plan", { create: {} });
      context.data.root.set(`key ${i % 7}`, i);
      await client.close();
    }
    const context = await open("ada");
    // each node offers what was released at it
    expect(idsOf(context.doc).length).toBeLessThanOrEqual(nodeCount());
    expect(Object.keys(context.get("") ?? {})).toHaveLength(7);
  });

  test("sessions at one time have different ids, and others see the presence of one that is used again", async () => {
    const first = await connect(server.url, { actor: "ada", ...PATIENT });
    const used = await first.open("plan", { create: {} });
    used.data.root.set("a", 1);
    used.presence.set({ name: "first" });
    const id = used.doc.clientID;
    const bob = await open("bob");
    await first.close();
    const [ada, other] = [await open("ada"), await open("ada")];
    if (nodeCount() === 1) expect(ada.doc.clientID).toBe(id);
    expect(ada.awareness.clientID).toBe(ada.doc.clientID);
    expect(other.doc.clientID).not.toBe(ada.doc.clientID);
    const seen = new Promise<void>((resolve) =>
      bob.presence.subscribe((others) => [...others.values()].some(({ name }) => name === "again") && resolve()),
    );
    ada.presence.set({ name: "again" });
    await seen;
    ada.data.root.set("b", 1);
    other.data.root.set("c", 1);
    await Promise.all([ada.saved(), other.saved()]);
    await until(bob.doc, () => bob.data.root.size === 3);
  });

  test("none is taken over from an earlier epoch", async () => {
    const first = await connect(server.url, { actor: "ada", ...PATIENT });
    const used = await first.open("plan", { create: {} });
    used.data.root.set("a", 1);
    const id = used.doc.clientID;
    await first.close();
    const bob = await open("bob");
    await bob.compact();
    const ada = await open("ada");
    expect(ada.doc.clientID).not.toBe(id);
    ada.data.root.set("b", 1);
    await ada.saved();
  });
});
