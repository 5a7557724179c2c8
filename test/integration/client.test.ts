/** The SDK against a server that misbehaves on demand. The real server: sdk.test.ts. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import * as Y from "yjs";
import { connect } from "../../client/index.ts";
import type {
  Client,
  ConnectOptions,
  Context,
  ContextEvents,
  PathEvent,
  Persistence,
  Refusal,
} from "../../client/index.ts";
import { fileStore } from "../../client/node/file-store.ts";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { FakeSyncServer } from "../support/fake-sync-server.ts";
import { PATIENT } from "../support/patience.ts";

let server: FakeSyncServer;
const clients: Client[] = [];
const folders: string[] = [];

beforeEach(async () => {
  server = await FakeSyncServer.start();
});

afterEach(async () => {
  for (const it of clients.splice(0)) await it.close().catch(() => {});
  await server.stop();
  for (const path of folders.splice(0)) await rm(path, { recursive: true });
});

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "mcm-replicas-"));
  folders.push(path);
  return path;
}

async function client(options: ConnectOptions = {}): Promise<Client> {
  const it = await connect(server.url, { actor: "ada", ...PATIENT, ...options });
  clients.push(it);
  return it;
}

const open = async (options: ConnectOptions = {}): Promise<Context> => (await client(options)).open("plan");

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

/** The state of a promise after everything that is ready has run. */
async function stateOf(promise: Promise<unknown>): Promise<"pending" | "resolved" | "rejected"> {
  const settled = promise.then(() => "resolved" as const).catch(() => "rejected" as const);
  const later = new Promise<"pending">((resolve) => setImmediate(() => setImmediate(() => resolve("pending"))));
  return Promise.race([settled, later]);
}

const code = (expected: string): object => expect.objectContaining({ code: expected });
const set = (context: Context, key: string, value: unknown): void => void context.data.root.set(key, value);

const REFUSAL = new ServiceError("FORBIDDEN", "You may not write here.");

/** Refuses edits that have these bytes. */
const refusing = (key: string) => (update: Uint8Array) =>
  new TextDecoder("latin1").decode(update).includes(key) ? REFUSAL : undefined;

/** An echo through the server and back: what was sent before has arrived, what it sent before has been handled. */
const roundTrip = (context: Context): Promise<unknown> => context.update([{ op: "test", path: "", value: {} }]);

describe("connect and open", () => {
  test("[SDK-1] connect resolves when the server answers", async () => {
    await expect(client()).resolves.toBeDefined();
  });

  test("[SDK-1] connect rejects when nothing answers, or something else does", async () => {
    server.isHealthy = false;
    await expect(connect(server.url)).rejects.toEqual(code("UNREACHABLE"));
    const { url } = server;
    await server.stop();
    await expect(connect(url)).rejects.toEqual(code("UNREACHABLE"));
    await expect(connect(url, { offline: true })).resolves.toBeDefined();
    server = await FakeSyncServer.start();
  });

  test("[SDK-1] an address that is none is refused", async () => {
    await expect(connect("plan")).rejects.toEqual(code("INVALID_REQUEST"));
    await expect(connect("ftp://127.0.0.1")).rejects.toEqual(code("INVALID_REQUEST"));
  });

  test("[SDK-2] open resolves with the server's content and version", async () => {
    server.edit((data) => data.set("title", "Ship it"));
    const context = await open();
    expect(context.get()).toEqual({ title: "Ship it" });
    expect(context.version).toBe(1);
    expect(context.status).toBe("online");
  });

  test("[SDK-2] open rejects with the code of the server's close frame", async () => {
    server.turnsAway = { code: 4404, reason: "CONTEXT_NOT_FOUND: There is no context with this id." };
    await expect(open()).rejects.toEqual(code("CONTEXT_NOT_FOUND"));
    server.turnsAway = { code: 4401, reason: "a proxy says no" };
    await expect(open()).rejects.toEqual(code("UNAUTHENTICATED"));
  });

  test("[SDK-2] open gives up after its time when the server does not sync", async () => {
    server.greets = false;
    await expect(open({ timeoutMs: 50 })).rejects.toEqual(code("UNREACHABLE"));
  });

  test("[SDK-3] says who it is: a name in the address, a token beside it", async () => {
    await open({ actor: "Ada L." });
    await open({ token: "t.o.k" });
    expect(server.urls.map(({ pathname, search }) => pathname + search)).toEqual([
      "/sync/plan?actor=Ada%20L.",
      "/sync/plan",
    ]);
    expect(server.offered).toEqual(["mcm.v1", "mcm.v1,mcm.token.t.o.k"]);
  });
});

describe("saving", () => {
  test("[SDK-4] saved() waits for the ack, also of an edit that only deletes", async () => {
    server.edit((data) => data.set("a", 1));
    const context = await open();
    server.acksUpdates = false;
    context.data.root.delete("a");
    const saved = context.saved();
    await server.until(() => server.updates.length === 1);
    expect(await stateOf(saved)).toBe("pending");
    expect(context.hasUnsavedChanges).toBe(true);
    const event = next(context, "saved");
    server.ack();
    await saved;
    await event;
    expect(context.hasUnsavedChanges).toBe(false);
    expect(server.data).toEqual({});
  });

  test("[SDK-4] saved() covers the edits before it, not those after", async () => {
    const context = await open();
    server.acksUpdates = false;
    set(context, "a", 1);
    const saved = context.saved();
    await server.until(() => server.updates.length === 1);
    server.ack();
    set(context, "b", 1);
    await saved;
    expect(context.hasUnsavedChanges).toBe(true);
    await server.until(() => server.updates.length === 2);
    server.ack();
  });

  test("[SDK-5] edits made offline arrive after a reconnect, each once and in order", async () => {
    const context = await open();
    server.cut();
    await untilStatus(context, "offline");
    for (const value of [1, 2, 3]) set(context, "a", value);
    set(context, "b", true);
    await context.saved();
    expect(server.updates).toHaveLength(4);
    expect(server.data).toEqual({ a: 3, b: true });
    expect(server.version).toBe(4);
  });

  test("[SDK-5] an edit that was sent but not acked is sent again", async () => {
    const context = await open();
    server.acksUpdates = false;
    set(context, "a", 1);
    await server.until(() => server.updates.length === 1);
    server.acksUpdates = true;
    server.cut();
    await context.saved();
    expect(server.updates).toHaveLength(2);
    expect(server.updates[1]).toEqual(server.updates[0]);
  });

  test("[SDK-6] an edit between connecting and the first sync does not overtake offline edits", async () => {
    const context = await open();
    server.greets = false;
    server.cut();
    await untilStatus(context, "offline");
    set(context, "a", 1);
    await server.until(() => server.sessionCount === 1);
    set(context, "a", 2);
    await server.settled();
    expect(server.updates).toHaveLength(0);
    server.greets = true;
    server.cut();
    await context.saved();
    expect(server.data).toEqual({ a: 2 });
    expect(hasGap(server.doc)).toBe(false);
  });

  test("[SDK-22] asked again, it sends all that the server lacks, and counts the frame", async () => {
    const context = await open();
    server.acksUpdates = false;
    set(context, "a", 1);
    await server.until(() => server.updates.length === 1);
    server.ask(Y.encodeStateVector(new Y.Doc()));
    await server.until(() => server.updates.length === 2);
    set(context, "b", 1);
    await server.until(() => server.updates.length === 3);
    server.ack(2);
    await roundTrip(context);
    expect(context.unsaved).toHaveLength(1);
    server.ack();
    await context.saved();
    const everything = new Y.Doc();
    Y.applyUpdate(everything, server.updates[1] ?? new Uint8Array());
    expect(everything.getMap("data").toJSON()).toEqual({ a: 1 });
    server.acksUpdates = true;
    set(context, "c", 1);
    await context.saved();
  });

  test("[SDK-7] edits of others are not sent back", async () => {
    const context = await open();
    server.edit((data) => data.set("a", 1));
    await roundTrip(context);
    expect(context.get("/a")).toBe(1);
    expect(server.updates).toEqual([]);
  });
});

const hasGap = (doc: Y.Doc): boolean => doc.store.pendingStructs !== null;

describe("update", () => {
  test("[SDK-8] is visible in the replica when it resolves", async () => {
    const context = await open();
    const { version } = await context.update([{ op: "add", path: "/a", value: { b: 1 } }], {
      message: "why",
      ifVersion: 0,
    });
    expect(version).toBe(1);
    expect(context.version).toBe(1);
    expect(context.get("/a/b")).toBe(1);
    expect(server.requests[0]?.params).toMatchObject({
      message: "why",
      ifVersion: 0,
      idempotencyKey: expect.any(String),
    });
  });

  test("[SDK-8] waits for its commit when the answer is quicker", async () => {
    const context = await open();
    server.publishes = false;
    const updated = context.update([{ op: "add", path: "/a", value: 1 }]);
    await server.until(() => server.requests.length === 1);
    const other = await open();
    expect(other.get("/a")).toBe(1);
    expect(await stateOf(updated)).toBe("pending");
    server.release();
    await updated;
    expect(context.get("/a")).toBe(1);
  });

  test("[SDK-9] is sent again with the same key until it is answered, and takes effect once", async () => {
    const context = await open();
    server.answersRequests = false;
    const updated = context.update([{ op: "add", path: "/a", value: 1 }]);
    await server.until(() => server.requests.length === 1);
    server.cut();
    await server.until(() => server.requests.length === 2);
    server.answersRequests = true;
    server.cut();
    await expect(updated).resolves.toEqual({ version: 1 });
    const keys = server.requests.map(({ params }) => (params as { idempotencyKey: string }).idempotencyKey);
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect(server.version).toBe(1);
  });

  test("[SDK-9] a signal ends the waiting", async () => {
    const context = await open();
    server.answersRequests = false;
    const controller = new AbortController();
    const updated = context.update([{ op: "add", path: "/a", value: 1 }], { signal: controller.signal });
    await server.until(() => server.requests.length === 1);
    controller.abort(new Error("enough"));
    await expect(updated).rejects.toThrow("enough");
  });

  test("[SDK-8] version stays behind a gap until the server has sent the sum", async () => {
    const context = await open();
    server.edit((data) => data.set("skipped", 1), { publishes: false });
    server.doc.clientID++; // what follows does not build on what was skipped
    server.edit((data) => data.set("b", 1));
    set(context, "x", 1);
    await context.saved();
    expect(context.version).toBe(0);
    expect(context.get("/b")).toBe(1);
    const seen = new Promise<void>((resolve) => context.subscribe("/skipped", () => resolve()));
    server.resync();
    await seen;
    await roundTrip(context);
    expect(context.version).toBeGreaterThanOrEqual(3);
  });
});

describe("when it ends badly", () => {
  test("[SDK-10] a terminal close tells everybody who waits, and keeps what was not saved", async () => {
    const context = await open();
    server.acksUpdates = false;
    server.answersRequests = false;
    set(context, "a", 1);
    const [saved, updated, closed] = [context.saved(), roundTrip(context), next(context, "closed")];
    await server.until(() => server.requests.length === 1);
    server.end(4401, "UNAUTHENTICATED: The token was revoked.");
    await expect(saved).rejects.toEqual(code("UNAUTHENTICATED"));
    await expect(updated).rejects.toEqual(code("UNAUTHENTICATED"));
    expect(await closed).toEqual([code("UNAUTHENTICATED")]);
    expect(context.status).toBe("closed");
    expect(context.get("/a")).toBe(1);
    const rescued = new Y.Doc();
    for (const update of context.unsaved) Y.applyUpdate(rescued, update);
    expect(rescued.getMap("data").toJSON()).toEqual({ a: 1 });
    await expect(context.saved()).rejects.toEqual(code("UNAUTHENTICATED"));
    await expect(roundTrip(context)).rejects.toEqual(code("UNAUTHENTICATED"));
    await server.until(() => server.sessionCount === 0);
  });

  test("[SDK-10] 45xx and 4429 are no ends", async () => {
    const context = await open();
    for (const closeCode of [4503, 4429]) {
      server.end(closeCode, "");
      await untilStatus(context, "offline");
      await untilStatus(context, "online");
    }
  });

  test("[SDK-11] a refused edit is handed over, undone, and what builds on it with it; the rest is kept", async () => {
    const context = await open();
    const other = await open();
    server.cut();
    await untilStatus(context, "offline");
    const text = "forbidden";
    server.refuses = refusing(text);
    set(context, "kept", 1);
    set(context, text, new Y.Map([["a", 1]]));
    const refused = context.data.getMap(text);
    refused.set("late", 2);
    const old = context.doc;
    const refusals: Refusal[] = [];
    context.on("rejected", (refusal) => refusals.push(refusal));
    const saved = context.saved();
    await expect(saved).rejects.toEqual(code("FORBIDDEN"));
    await next(context, "reset");
    expect(refusals.map(({ error }) => error.code)).toEqual(["FORBIDDEN", "MALFORMED_UPDATE"]);
    expect(context.doc).not.toBe(old);
    expect(context.get()).toEqual({ kept: 1 });
    set(context, "after", 2);
    await context.saved();
    await roundTrip(other);
    expect(server.data).toEqual({ kept: 1, after: 2 });
    expect(other.get()).toEqual(context.get());
  });

  test("[SDK-11] the old document stays in view, and takes edits, until the new one is synced", async () => {
    server.edit((data) => data.set("base", 0));
    const context = await open();
    server.refuses = refusing("bad");
    server.greets = false;
    set(context, "bad", 1);
    await next(context, "rejected");
    expect(context.get("/base")).toBe(0);
    expect(context.doc.getMap("data").has("bad")).toBe(true);
    const reset = next(context, "reset");
    server.greets = true;
    server.cut();
    const [doc] = await reset;
    expect(doc.getMap("data").toJSON()).toEqual({ base: 0 });
    expect(context.doc).toBe(doc);
  });

  test("[SDK-11] subscriptions and presence go on after a reset", async () => {
    const context = await open();
    const other = await open();
    context.presence.set({ name: "Ada" });
    await new Promise<void>((resolve) => other.presence.subscribe((others) => others.size === 1 && resolve()));
    const events: PathEvent[] = [];
    context.subscribe("/b", (event) => events.push(event));
    server.refuses = refusing("bad");
    const again = new Promise<void>((resolve) =>
      other.presence.subscribe((others) => [...others.keys()].includes(context.doc.clientID) && resolve()),
    );
    set(context, "bad", 1);
    await next(context, "reset");
    await again;
    set(other, "b", 1);
    await other.saved();
    await roundTrip(context);
    expect(events.map(({ paths }) => paths)).toEqual([[""], ["/b"]]);
  });

  test("[SDK-12] a context that was made anew is not mixed with the old one", async () => {
    server.edit((data) => data.set("old", 1));
    const context = await open();
    server.acksUpdates = false;
    set(context, "mine", 1);
    await server.until(() => server.updates.length === 1);
    const [rejected, reset] = [next(context, "rejected"), next(context, "reset")];
    server.recreate();
    server.edit((data) => data.set("new", 1));
    expect(await rejected).toEqual([{ error: code("EPOCH_CHANGED"), update: expect.any(Uint8Array) }]);
    await reset;
    expect(context.get()).toEqual({ new: 1 });
    expect(context.version).toBe(1);
    expect(server.data).toEqual({ new: 1 });
  });

  test("[SDK-13] an edit that no frame can hold is refused here", async () => {
    const context = await open();
    const rejected = next(context, "rejected");
    set(context, "big", "x".repeat(LIMITS.frameBytesMax));
    const saved = context.saved();
    await expect(saved).rejects.toEqual(code("TOO_LARGE"));
    expect((await rejected)[0].error.code).toBe("TOO_LARGE");
    await next(context, "reset");
    expect(context.get()).toEqual({});
    expect(server.updates).toEqual([]);
  });

  test.each([
    ["an empty message", new Uint8Array(0)],
    ["text", "hello"],
    ["half a frame", new Uint8Array([103, 5, 1])],
    ["a frame of the future", new Uint8Array([111, 1])],
  ])("[SDK-14] %s does no harm", async (_name, message) => {
    const context = await open();
    server.send(message);
    set(context, "a", 1);
    await context.saved();
    server.edit((data) => data.set("b", 1));
    await roundTrip(context);
    expect(context.get()).toEqual({ a: 1, b: 1 });
  });
});

describe("presence and events", () => {
  test("[SDK-15] presence reaches the others, and goes with its context", async () => {
    const [context, other] = [await open(), await open()];
    const seen: unknown[] = [];
    const gone = new Promise<void>((resolve) =>
      other.presence.subscribe((others) => {
        seen.push([...others.values()]);
        if (seen.length === 2) resolve();
      }),
    );
    expect(context.presence.get().size).toBe(0);
    context.presence.set({ name: "Ada", at: "/a" });
    await other.update([]);
    expect(other.presence.get()).toEqual(new Map([[context.doc.clientID, { name: "Ada", at: "/a" }]]));
    await context.close();
    await gone;
    expect(seen).toEqual([[{ name: "Ada", at: "/a" }], []]);
  });

  test("[SDK-16] subscriptions tell of local and remote changes, once each", async () => {
    server.edit((data) => data.set("tasks", new Y.Map()));
    const context = await open();
    const events: unknown[] = [];
    context.subscribe("/tasks/t1", ({ path, origin, paths, changes, value }) =>
      events.push({ path, origin, paths, value, versions: changes.map(({ version, actor }) => [version, actor]) }),
    );
    context.data.getMap("tasks").set("t1", "mine");
    await context.saved();
    server.edit((data) => (data.get("tasks") as Y.Map<unknown>).set("t1", "theirs"), { paths: ["/tasks/t1"] });
    server.edit((data) => (data.get("tasks") as Y.Map<unknown>).set("t2", 1), { paths: ["/tasks/t2"] });
    await roundTrip(context);
    expect(events).toEqual([
      { path: "/tasks/t1", origin: "local", paths: ["/tasks/t1"], value: "mine", versions: [] },
      { path: "/tasks/t1", origin: "remote", paths: ["/tasks/t1"], value: "theirs", versions: [[3, "bob"]] },
    ]);
  });
});

test("[SDK-14] an observer of the application that throws does not end the connection", async () => {
  const reported = vi.fn();
  vi.stubGlobal("reportError", reported);
  const context = await open();
  context.data.root.observe(() => {
    throw new Error("observer");
  });
  server.edit((data) => data.set("a", 1));
  server.edit((data) => data.set("b", 1));
  await roundTrip(context);
  vi.unstubAllGlobals();
  expect(reported.mock.calls).toEqual([[new Error("observer")], [new Error("observer")]]);
  expect(context.get()).toEqual({ a: 1, b: 1 });
  expect(context.version).toBe(server.version);
  expect(server.urls).toHaveLength(1);
});

describe("closing", () => {
  test("[SDK-17] close waits for edits on their way", async () => {
    const context = await open();
    set(context, "a", 1);
    await context.close();
    expect(server.data).toEqual({ a: 1 });
    await server.until(() => server.sessionCount === 0);
    await expect(roundTrip(context)).rejects.toEqual(code("CLOSED"));
  });

  test("[SDK-17] close says so when edits stay behind", async () => {
    const context = await open();
    server.cut();
    await untilStatus(context, "offline");
    set(context, "a", 1);
    await expect(context.close()).rejects.toEqual(code("CLOSED"));
    expect(context.unsaved).toHaveLength(1);
  });

  test("[SDK-17] a client closes its contexts, and opens no more", async () => {
    const it = await client();
    const context = await it.open("plan");
    await it.close();
    expect(context.status).toBe("closed");
    await expect(it.open("plan")).rejects.toEqual(code("CLOSED"));
    expect(server.urls).toHaveLength(1);
  });
});

describe("a local copy", () => {
  test("[SDK-17] is let go of when its client closes, also after the server ended the session", async () => {
    const persistence = fileStore(await folder());
    const it = await client({ persistence });
    const context = await it.open("plan");
    const closed = next(context, "closed");
    server.end(4403, "FORBIDDEN: Not any more.");
    await closed;
    await expect(open({ persistence })).rejects.toThrow("open already");
    await it.close();
    await expect(open({ persistence })).resolves.toBeDefined();
  });

  test("[SDK-18] offline edits outlive the process, and arrive once", async () => {
    const persistence = fileStore(await folder());
    server.edit((data) => data.set("base", 0));
    const first = await open({ persistence });
    const { port } = server;
    await server.stop();
    set(first, "offline", 1);
    first.data.root.delete("base");
    await first.close();

    const offline = await (
      await connect(`http://127.0.0.1:${port}`, { actor: "ada", persistence, offline: true })
    ).open("plan");
    expect(offline.get()).toEqual({ offline: 1 });
    expect(offline.hasUnsavedChanges).toBe(true);
    const before = server.doc;
    server = await FakeSyncServer.start(port);
    Y.applyUpdate(server.doc, Y.encodeStateAsUpdate(before));
    await offline.saved();
    await offline.close();
    expect(server.data).toEqual({ offline: 1 });
  });

  test("[SDK-18] without a local copy, open needs the server", async () => {
    const persistence = fileStore(await folder());
    const { url } = server;
    await server.stop();
    const offline = await connect(url, { persistence, offline: true, timeoutMs: 50 });
    await expect(offline.open("plan")).rejects.toEqual(code("UNREACHABLE"));
    server = await FakeSyncServer.start();
  });

  test("[SDK-18] does not open when the server is there and says no", async () => {
    const persistence = fileStore(await folder());
    server.edit((data) => data.set("a", 1));
    await (await open({ persistence })).close();
    server.turnsAway = { code: 4404, reason: "CONTEXT_NOT_FOUND: There is no context with this id." };
    await expect(open({ persistence })).rejects.toEqual(code("CONTEXT_NOT_FOUND"));
    server.turnsAway = { code: 4503, reason: "SHUTTING_DOWN: The server is stopping." };
    const context = await open({ persistence });
    expect(context.get()).toEqual({ a: 1 });
    await context.close();
    server.turnsAway = undefined;
    server.greets = false;
    expect((await open({ persistence, timeoutMs: 50 })).get()).toEqual({ a: 1 });
  });

  test("[SDK-18] sends nothing of it that was saved", async () => {
    const persistence = fileStore(await folder());
    server.edit((data) => data.set("a", "x".repeat(10_000)));
    await (await open({ persistence })).close();
    const context = await open({ persistence });
    await context.saved();
    await roundTrip(context);
    expect(server.updates).toEqual([]);
  });

  test("[SDK-19] is nobody else's", async () => {
    const persistence = fileStore(await folder());
    const ada = await open({ persistence });
    server.edit((data) => data.set("a", 1));
    await roundTrip(ada);
    await ada.close();
    const { url } = server;
    await server.stop();
    const bob = await connect(url, { persistence, actor: "bob", offline: true, timeoutMs: 50 });
    await expect(bob.open("plan")).rejects.toEqual(code("UNREACHABLE"));
    server = await FakeSyncServer.start();
  });

  test("[SDK-19] of a token's subject needs no name; a token that names nobody does", async () => {
    const names: string[] = [];
    const persistence: Persistence = {
      open: async (name) => {
        names.push(name);
        throw new Error("no disk");
      },
    };
    const token = `x.${Buffer.from(JSON.stringify({ sub: "Ada L.#" })).toString("base64url")}.y`;
    await expect(open({ persistence, token })).rejects.toThrow("no disk");
    await expect(open({ persistence, token: "secret" })).rejects.toThrow("no disk");
    const nameless = await connect(server.url, { persistence, token: "secret" });
    await expect(nameless.open("plan")).rejects.toEqual(code("INVALID_REQUEST"));
    expect(names).toEqual([`${server.url}#Ada%20L.%23#plan`, `${server.url}#ada#plan`]);
  });

  test("[SDK-12] of an older generation is dropped", async () => {
    const persistence = fileStore(await folder());
    server.edit((data) => data.set("old", 1));
    const first = await open({ persistence });
    await first.close();
    server.recreate();
    const second = await open({ persistence });
    expect(second.get()).toEqual({});
    expect(server.data).toEqual({});
  });
});
