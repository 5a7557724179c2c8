/** The SDK against the real server. What the server does when it misbehaves: client.test.ts. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import type { Client, Context, PathEvent } from "../../client/index.ts";
import { fileStore } from "../../client/node/file-store.ts";
import { parseConfig } from "../../server/config.ts";
import { startServer } from "../support/start-server.ts";
import type { RunningServer } from "../../server/server.ts";
import { PATIENT } from "../support/patience.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { until } from "../support/running-server.ts";
import { openStockClient } from "../support/stock-client.ts";

let dataDir: string;
let server: RunningServer;
const clients: Client[] = [];

const start = (port = "0"): Promise<RunningServer> =>
  startServer(parseConfig({ port, dataDir }, {}), { logger: new RecordingLogger() });
const restart = async (): Promise<RunningServer> => start(new URL(server.url).port);

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "mcm-sdk-"));
  server = await start();
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close().catch(() => {});
  await server.close();
  await rm(dataDir, { recursive: true });
});

async function connected(actor: string): Promise<Client> {
  const client = await connect(server.url, { actor, ...PATIENT });
  clients.push(client);
  return client;
}

async function open(actor = "ada"): Promise<Context> {
  return (await connected(actor)).open("plan", { create: { data: { tasks: {}, note: { $text: "" } } } });
}

const code = (expected: string): object => expect.objectContaining({ code: expected });

const online = (context: Context): Promise<void> =>
  new Promise((resolve) => {
    if (context.status === "online") return resolve();
    const off = context.on("status", (status) => {
      if (status !== "online") return;
      off();
      resolve();
    });
  });

describe("whole contexts", () => {
  test("[SDK-2] are made, found, opened and deleted", async () => {
    const client = await connected("ada");
    const made = await client.create({ id: "plan", name: "The plan", tags: ["x"], data: { a: 1 } });
    expect(made).toMatchObject({ id: "plan", version: 0, epoch: 1, createdBy: "ada", data: { a: 1 } });
    await expect(client.create({ id: "plan" })).rejects.toEqual(code("ALREADY_EXISTS"));
    const { id } = await client.create();
    expect((await client.find()).contexts.map((context) => context.id).sort()).toEqual([id, "plan"].sort());
    expect((await client.find({ tag: "x", limit: 1 })).contexts).toMatchObject([{ id: "plan", name: "The plan" }]);
    const context = await client.open("plan");
    const closed = new Promise((resolve) => context.on("closed", resolve));
    await client.delete("plan");
    expect(await closed).toEqual(code("CONTEXT_NOT_FOUND"));
    await expect(client.delete("plan")).rejects.toEqual(code("CONTEXT_NOT_FOUND"));
    await expect(client.open("plan")).rejects.toEqual(code("CONTEXT_NOT_FOUND"));
    await expect(client.open("not an id")).rejects.toEqual(code("INVALID_REQUEST"));
  });

  test("[SDK-2] that are not there are made by those who open them, once", async () => {
    const contexts = await Promise.all(["a", "b", "c"].map(open));
    for (const context of contexts) expect(context.get()).toEqual({ tasks: {}, note: "" });
    expect((await (await connected("d")).find()).contexts).toHaveLength(1);
  });
});

describe("writing", () => {
  test("[SDK-8] update is durable and seen by all, with its version", async () => {
    const [ada, bob] = [await open("ada"), await open("bob")];
    const heard = new Promise<PathEvent>((resolve) => bob.subscribe("/tasks/t1", resolve));
    const { version } = await ada.update([{ op: "add", path: "/tasks/t1", value: { title: "Ship it" } }], {
      message: "first",
    });
    expect(version).toBe(1);
    expect([ada.version, ada.get("/tasks/t1/title")]).toEqual([1, "Ship it"]);
    const event = await heard;
    expect(event).toMatchObject({ origin: "remote", paths: ["/tasks/t1"], value: { title: "Ship it" } });
    expect(event.changes).toMatchObject([{ version: 1, actor: "ada", origin: "sdk", message: "first" }]);
    await expect(ada.update([{ op: "remove", path: "/tasks/t1" }], { ifVersion: 0 })).rejects.toEqual(
      code("VERSION_CONFLICT"),
    );
    await expect(ada.update([{ op: "remove", path: "/nothing" }])).rejects.toEqual(code("PATH_NOT_FOUND"));
  });

  test("[SDK-9] many updates at once all take effect, and one key once", async () => {
    const context = await open();
    await Promise.all(
      Array.from({ length: 200 }, (_, i) => context.update([{ op: "add", path: `/tasks/t${i}`, value: i }])),
    );
    expect(Object.keys(Object(context.get("/tasks")))).toHaveLength(200);
    expect(context.version).toBe(200);
    const add = () => context.update([{ op: "add", path: "/twice", value: 1 }], { idempotencyKey: "k" });
    expect(await Promise.all([add(), add()])).toEqual([{ version: 201 }, { version: 201 }]);
    await expect(context.update([], { idempotencyKey: "k" })).rejects.toEqual(code("INVALID_REQUEST"));
  });

  test("[SDK-4] live edits of SDK and stock clients merge, and are saved", async () => {
    const ada = await open();
    const stock = openStockClient({ url: server.url, contextId: "plan", actor: "stock" });
    await stock.synced();
    ada.data.getText("note").insert(0, "ada ");
    stock.doc.getMap("data").set("stock", true);
    await ada.saved();
    await until(ada.doc, () => ada.data.root.has("stock"));
    await until(stock.doc, () => JSON.stringify(stock.doc.getMap("data")).includes("ada "));
    expect(ada.get()).toEqual({ tasks: {}, note: "ada ", stock: true });
    const bob = await open("bob");
    expect(bob.get()).toEqual(ada.get());
    expect(bob.version).toBe(ada.version);
    stock.close();
  });

  test("[SDK-16] local edits are told at once, remote ones once they came, with no echo", async () => {
    const [ada, bob] = [await open("ada"), await open("bob")];
    const events: unknown[] = [];
    ada.subscribe("/tasks", ({ origin, changes }) => events.push([origin, ...changes.map(({ actor }) => actor)]));
    ada.data.getMap("tasks").set("mine", 1);
    expect(events).toEqual([["local"]]);
    await ada.saved();
    bob.data.getMap("tasks").set("theirs", 1);
    await bob.saved();
    await until(ada.doc, () => ada.data.getMap("tasks").has("theirs"));
    expect(events).toEqual([["local"], ["remote", "bob"]]);
  });
});

describe("when the server goes and comes back", () => {
  test("[SDK-5] offline edits and updates arrive once, and everybody converges", async () => {
    const [ada, bob] = [await open("ada"), await open("bob")];
    await ada.update([{ op: "add", path: "/tasks/before", value: 1 }]);
    const offline = new Promise<void>((resolve) => ada.on("status", () => resolve()));
    await server.close();
    await offline;
    for (let i = 0; i < 10; i++) ada.data.getText("note").insert(i, String(i));
    ada.data.getMap("tasks").delete("before");
    const updated = ada.update([{ op: "add", path: "/tasks/offline", value: 1 }]);
    server = await restart();
    await Promise.all([ada.saved(), updated, online(bob)]);
    const { version } = await bob.update([{ op: "test", path: "/note", value: "0123456789" }]);
    expect(version).toBe(13);
    expect(bob.get()).toEqual({ tasks: { offline: 1 }, note: "0123456789" });
    expect(ada.get()).toEqual(bob.get());
  });

  test("[SDK-18] a local copy brings offline edits of an earlier process", async () => {
    const persistence = fileStore(join(dataDir, "replicas"));
    const first = await connect(server.url, { actor: "ada", persistence });
    const before = await first.open("plan", { create: { data: { note: { $text: "abc" } } } });
    await server.close();
    before.data.getText("note").delete(0, 1);
    before.data.root.set("offline", 1);
    await first.close();

    const second = await connect(server.url, { actor: "ada", persistence, offline: true });
    clients.push(second);
    const after = await second.open("plan");
    expect(after.get()).toEqual({ note: "bc", offline: 1 });
    server = await restart();
    await after.saved();
    const other = await open("bob");
    expect(other.get()).toEqual({ note: "bc", offline: 1 });
  });
});

describe("refusals", () => {
  test("[SDK-11] an edit the server will not have is undone here, the rest lives on", async () => {
    const [ada, bob] = [await open("ada"), await open("bob")];
    const rejected = new Promise((resolve) => ada.on("rejected", ({ error }) => resolve(error.code)));
    const reset = new Promise((resolve) => ada.on("reset", resolve));
    ada.data.getMap("tasks").set("good", 1);
    await ada.saved();
    ada.data.getMap("tasks").set("k".repeat(400), 1);
    await expect(ada.saved()).rejects.toBeInstanceOf(Error);
    expect(await rejected).toEqual(expect.any(String));
    await reset;
    expect(ada.get("/tasks")).toEqual({ good: 1 });
    ada.data.getMap("tasks").set("after", 2);
    await ada.saved();
    await until(bob.doc, () => bob.data.getMap("tasks").has("after"));
    expect(bob.get()).toEqual(ada.get());
  });
});

describe("presence", () => {
  test("[SDK-15] is seen by others and goes with its context", async () => {
    const [ada, bob] = [await open("ada"), await open("bob")];
    const change = (size: number): Promise<void> =>
      new Promise((resolve) => {
        const off = bob.presence.subscribe((others) => {
          if (others.size !== size) return;
          off();
          resolve();
        });
      });
    const came = change(1);
    ada.presence.set({ name: "Ada" });
    await came;
    expect([...bob.presence.get().values()]).toMatchObject([{ name: "Ada" }]);
    const went = change(0);
    await ada.close();
    await went;
  });
});
