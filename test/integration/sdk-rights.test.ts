/** Rights through the SDK: what who has them is told, and what becomes of edits of who loses them. The real server, mode `jwt`. */
import { IDBFactory } from "fake-indexeddb";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import * as Y from "yjs";
import { connect, indexedDb } from "../../client/index.ts";
import type { Client, ConnectOptions, Context, ContextAccess, ContextEvents, Persistence } from "../../client/index.ts";
import { fileStore } from "../../client/node/file-store.ts";
import { startJwtServer } from "../support/jwt-server.ts";
import type { JwtServer } from "../support/jwt-server.ts";
import { PATIENT } from "../support/patience.ts";
import { Relay } from "../support/relay.ts";
import { until } from "../support/running-server.ts";

const READER = { principal: "bob", role: "reader" } as const;
const WRITER = { principal: "bob", role: "writer" } as const;
const AT_NOTES = { ...WRITER, paths: ["/notes"] } as const;

let server: JwtServer;
let ada: Context;
const clients: Client[] = [];
const closing: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  server = await startJwtServer();
  ada = await (
    await connected("ada")
  ).open("plan", { create: { data: { tasks: { t1: "Ship it" }, notes: { $text: "" } } } });
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close().catch(() => {});
  for (const close of closing.splice(0)) await close();
  await server.close();
});

async function connected(subject: string, options: ConnectOptions = {}, url = server.url): Promise<Client> {
  const client = await connect(url, { token: () => server.token(subject), actor: subject, ...PATIENT, ...options });
  clients.push(client);
  return client;
}

const bobs = async (options: ConnectOptions = {}, url = server.url): Promise<Context> =>
  (await connected("bob", options, url)).open("plan");
const grant = (...grants: Parameters<JwtServer["grant"]>[2][]): Promise<void> => server.grant("plan", "ada", ...grants);

function next<Name extends keyof ContextEvents>(
  context: Context,
  name: Name,
  isIt: (...args: ContextEvents[Name]) => boolean = () => true,
): Promise<ContextEvents[Name]> {
  return new Promise((resolve) => {
    const off = context.on(name, (...args) => {
      if (!isIt(...args)) return;
      off();
      resolve(args);
    });
  });
}

async function online(context: Context): Promise<void> {
  if (context.status !== "online") await next(context, "status", (status) => status === "online");
}

const code = (expected: string): object => expect.objectContaining({ code: expected });
const set = (context: Context, key: string, value: unknown): void => void context.data.root.set(key, value);

/** What a context handed over: its codes, and which keys each edit would have set. */
function handedOver(context: Context): [code: string, keys: string[]][] {
  const refusals: [string, string[]][] = [];
  context.on("rejected", ({ error, update }) => {
    const { structs } = Y.decodeUpdate(update);
    const keys = structs.flatMap((struct) => (struct instanceof Y.Item ? [struct.parentSub ?? "in it"] : []));
    refusals.push([error.code, keys]);
  });
  return refusals;
}

/** The replica holds what Ada's does, which is what the server has. */
async function equal(context: Context): Promise<void> {
  await ada.update([{ op: "test", path: "", value: ada.get() }]).catch(() => {});
  await until(context.doc, () => isDeepStrictEqual(context.get(), ada.get()));
}

describe("[SDK-54] rights", () => {
  const told = (context: Context): ContextAccess[] => {
    const heard: ContextAccess[] = [];
    context.on("access", (access) => heard.push(access));
    return heard;
  };

  test("are known when a context is open", async () => {
    expect(ada.access).toEqual({ mayWrite: true, isAdmin: true });
    await grant(READER);
    expect((await bobs()).access).toEqual({ mayWrite: false, isAdmin: false });
    await grant(AT_NOTES);
    const bob = await bobs();
    expect(bob.access).toEqual({ mayWrite: true, isAdmin: false, writablePaths: ["/notes"] });
    expect(["/notes", "/notes/1", "/notesa", "/tasks", "", "@page"].map((path) => bob.mayWriteAt(path))).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
    expect(["", "/a", "@page"].map((path) => ada.mayWriteAt(path))).toEqual([true, true, true]);
    expect(() => bob.mayWriteAt("notes")).toThrow(code("INVALID_REQUEST"));
  });

  test("are told when they change, and not when they do not", async () => {
    await grant(WRITER);
    const bob = await bobs();
    const heard = told(bob);
    const last = next(bob, "access", ({ isAdmin }) => isAdmin);
    await grant(READER);
    await grant(READER, { principal: "eve", role: "reader" });
    await grant({ principal: "bob", role: "admin" });
    await last;
    expect(heard).toEqual([
      { mayWrite: false, isAdmin: false },
      { mayWrite: true, isAdmin: true },
    ]);
    expect(bob.access).toEqual(heard[1]);
  });

  test("that changed while the line was down are told on the next", async () => {
    const relay = await Relay.start(server.url);
    closing.push(() => relay.close());
    await grant(WRITER);
    const bob = await bobs({}, relay.url);
    const heard = told(bob);
    relay.isOpen = false;
    relay.cut();
    await next(bob, "connectionLost");
    await grant(READER);
    relay.isOpen = true;
    await online(bob);
    expect(heard).toEqual([{ mayWrite: false, isAdmin: false }]);
  });

  test("are not known offline: nothing keeps an edit from being tried", async () => {
    const relay = await Relay.start(server.url);
    closing.push(() => relay.close());
    await grant(READER);
    const persistence = await files();
    await (await bobs({ persistence }, relay.url)).close();
    relay.isOpen = false;
    const bob = await bobs({ persistence, offline: true }, relay.url);
    expect([bob.status, bob.access, bob.mayWriteAt("/notes")]).toEqual(["offline", undefined, true]);
  });
});

async function files(): Promise<Persistence> {
  const path = await mkdtemp(join(tmpdir(), "mcm-rights-"));
  closing.push(() => rm(path, { recursive: true }));
  return fileStore(path);
}

async function inBrowser(): Promise<Persistence> {
  vi.stubGlobal("indexedDB", new IDBFactory());
  closing.push(async () => void vi.unstubAllGlobals());
  return indexedDb();
}

const STORES: [string, () => Promise<Persistence | undefined>][] = [
  ["without a local copy", async () => undefined],
  ["with a file store", files],
  ["with IndexedDB", inBrowser],
];
const kept = (persistence: Persistence | undefined): ConnectOptions =>
  persistence === undefined ? {} : { persistence };

describe.each(STORES)("[SDK-55] edits of a reader %s", (_where, store) => {
  let options: ConnectOptions;
  beforeEach(async () => {
    options = kept(await store());
    await grant(READER);
  });

  test("are handed over, and reading goes on; when they may write, what they write then gets there", async () => {
    const bob = await bobs(options);
    const refusals = handedOver(bob);
    const resets: unknown[] = [];
    bob.on("reset", (doc) => resets.push(doc));
    const isReset = next(bob, "reset");
    set(bob, "one", 1);
    const saved = bob.saved();
    set(bob, "two", 2);
    bob.data.getText("notes").insert(0, "three");
    await expect(saved).rejects.toEqual(code("FORBIDDEN"));
    await isReset;
    await online(bob);
    expect(refusals).toEqual([
      ["FORBIDDEN", ["one"]],
      ["FORBIDDEN", ["two"]],
      ["FORBIDDEN", ["in it"]],
    ]);
    expect([bob.status, bob.unsaved, resets.length]).toEqual(["online", [], 1]);
    await ada.update([{ op: "add", path: "/tasks/t2", value: "Sleep" }]);
    await equal(bob);

    const mayWrite = next(bob, "access");
    await grant(WRITER);
    await mayWrite;
    set(bob, "four", 4);
    await bob.saved();
    await equal(bob);
    expect(ada.get()).toEqual({ tasks: { t1: "Ship it", t2: "Sleep" }, notes: "", four: 4 });
    expect((await ada.history()).changes.map(({ actor }) => actor)).toEqual(["ada", "bob"]);
    expect(refusals).toHaveLength(3);
  });

  test("by `update` are refused, and cost nothing else", async () => {
    const bob = await bobs(options);
    const resets: unknown[] = [];
    bob.on("reset", (doc) => resets.push(doc));
    await expect(bob.update([{ op: "add", path: "/a", value: 1 }])).rejects.toEqual(code("FORBIDDEN"));
    await expect(bob.lock("/a")).rejects.toEqual(code("FORBIDDEN"));
    expect([bob.status, resets]).toEqual(["online", []]);
  });
});

describe.each(STORES)("[SDK-55] who loses the right to write %s", (_where, store) => {
  test("while edits are on their way: each is saved or handed over, none both, and the replica is the server's", async () => {
    await grant(WRITER);
    const bob = await bobs(kept(await store()));
    const refusals = handedOver(bob);
    const keys = Array.from({ length: 40 }, (_, n) => `k${n}`);
    const isReader = next(bob, "access");
    let granting: Promise<void> = Promise.resolve();
    for (const key of keys) {
      set(bob, key, 1);
      if (key === "k7") granting = grant(READER);
      // some of each turn of the event loop
      if (Number(key.slice(1)) % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all([granting, isReader]);
    set(bob, "last", 1);
    await bob.saved().catch(() => {});
    while (bob.hasUnsavedChanges || bob.status !== "online") await next(bob, "status");
    await equal(bob);
    const data = Object.keys(Object(ada.get())).filter((key) => key.startsWith("k") || key === "last");
    const given = refusals.flatMap(([, key]) => key);
    expect(refusals.every(([why]) => why === "FORBIDDEN")).toBe(true);
    expect([...data, ...given].sort()).toEqual([...keys, "last"].sort());
    expect([data.includes("k0"), given.includes("last")]).toEqual([true, true]);
  });

  test("while the line is down: what had arrived is saved, what had not is handed over", async () => {
    const relay = await Relay.start(server.url);
    closing.push(() => relay.close());
    await grant(WRITER);
    const bob = await bobs(kept(await store()), relay.url);
    const refusals = handedOver(bob);
    relay.isDeaf = true;
    set(bob, "arrived", 1);
    await until(ada.doc, () => ada.data.root.has("arrived"));
    bob.data.root.delete("tasks");
    await until(ada.doc, () => !ada.data.root.has("tasks"));
    relay.isOpen = false;
    relay.cut();
    await next(bob, "connectionLost");
    set(bob, "late", 1);
    set(bob, "later", 1);
    expect(bob.unsaved).toHaveLength(4);
    await grant(READER);
    relay.isDeaf = false;
    relay.isOpen = true;
    await next(bob, "reset");
    await online(bob);
    expect([refusals.map(([, keys]) => keys), bob.unsaved]).toEqual([[["late"], ["later"]], []]);
    await equal(bob);
    expect(bob.get()).toEqual({ notes: "", arrived: 1 });
  });
});

test("[SDK-55] offline edits of an earlier process are handed over when their author may not write any more", async () => {
  const relay = await Relay.start(server.url);
  closing.push(() => relay.close());
  await grant(WRITER);
  const persistence = await files();
  const bob = await bobs({ persistence }, relay.url);
  relay.isOpen = false;
  relay.cut();
  await next(bob, "connectionLost");
  for (const key of ["one", "two", "three"]) set(bob, key, 1);
  await bob.close();
  await grant(READER);

  relay.isOpen = true;
  const again = await bobs({ persistence }, relay.url);
  const refusals = handedOver(again);
  await new Promise((resolve) => setImmediate(resolve));
  expect(refusals.map(([why, keys]) => [why, ...keys])).toEqual([
    ["FORBIDDEN", "one"],
    ["FORBIDDEN", "two"],
    ["FORBIDDEN", "three"],
  ]);
  await equal(again);
  await again.close();
  // and not once more
  const third = await bobs({ persistence }, relay.url);
  const none = handedOver(third);
  await third.saved();
  expect([none, third.get()]).toEqual([[], ada.get()]);
});

test("[SDK-11] an edit at a path that is not granted is refused, those beside it are saved", async () => {
  await grant(AT_NOTES);
  const bob = await bobs();
  const refusals = handedOver(bob);
  const isReset = next(bob, "reset");
  bob.data.getText("notes").insert(0, "before, ");
  set(bob, "mine", 1);
  bob.data.getText("notes").insert(8, "after");
  await isReset;
  await online(bob);
  await bob.saved();
  await equal(bob);
  expect([refusals, ada.get()]).toEqual([
    [["FORBIDDEN", ["mine"]]],
    { tasks: { t1: "Ship it" }, notes: "before, after" },
  ]);
});

describe("[SDK-10] who loses the right to read", () => {
  test("is told that there is no such context; what was not saved stays readable", async () => {
    await grant(WRITER);
    const bob = await bobs();
    const closed = next(bob, "closed");
    const lost = next(bob, "connectionLost").then(() => set(bob, "late", 1));
    await grant();
    await lost;
    expect(await closed).toEqual([code("CONTEXT_NOT_FOUND")]);
    expect([bob.status, bob.unsaved.length, bob.get("/late")]).toEqual(["closed", 1, 1]);
    await expect(bob.saved()).rejects.toEqual(code("CONTEXT_NOT_FOUND"));
    await expect(bob.history()).rejects.toEqual(code("CONTEXT_NOT_FOUND"));
    await expect(bobs()).rejects.toEqual(code("CONTEXT_NOT_FOUND"));
  });

  test("finds unsaved edits in the local copy when the right is given back", async () => {
    await grant(WRITER);
    const persistence = await files();
    const bob = await bobs({ persistence });
    const closed = next(bob, "closed");
    const lost = next(bob, "connectionLost").then(() => set(bob, "late", 1));
    await grant();
    await Promise.all([lost, closed]);
    await bob.close();
    await grant(WRITER);
    const again = await bobs({ persistence });
    await again.saved();
    await equal(again);
    expect(ada.get("/late")).toBe(1);
  });

  test("loses leases with it", async () => {
    await grant(WRITER);
    const bob = await bobs();
    const lease = await bob.lock("/notes");
    const lost = new Promise((resolve) => lease.onLost(resolve));
    await grant();
    expect(await lost).toEqual(code("CONTEXT_NOT_FOUND"));
  });
});

test("[SDK-55] who may only read any more loses leases when they would be renewed", async () => {
  await grant(WRITER);
  const bob = await bobs();
  const lease = await bob.lock("/notes", { ttlMs: 1000 });
  const lost = new Promise((resolve) => lease.onLost(resolve));
  await grant(READER);
  expect(await lost).toEqual(code("FORBIDDEN"));
});

describe("[SDK-56] an admin", () => {
  test("reads and replaces the access list; nobody else does", async () => {
    expect(await ada.acl()).toEqual({ grants: [] });
    const grants = [READER, { principal: "*", role: "writer", paths: ["/notes"] }] as const;
    expect(await ada.setAcl({ grants })).toEqual({ grants });
    expect(await ada.acl()).toEqual({ grants });
    const bob = await bobs();
    await expect(bob.acl()).rejects.toEqual(code("FORBIDDEN"));
    await expect(bob.setAcl({ grants: [] })).rejects.toEqual(code("FORBIDDEN"));
    await expect(ada.setAcl({ grants: [{ principal: "", role: "reader" }] })).rejects.toEqual(code("INVALID_REQUEST"));
    expect(await ada.setAcl(await ada.acl())).toEqual({ grants });
  });

  test("releases others' locks by force, and their holders are told; anybody their own", async () => {
    await grant(WRITER);
    const bob = await bobs();
    const lease = await bob.lock("/notes");
    const lost = new Promise((resolve) => lease.onLost(resolve));
    await expect(ada.unlock(lease.lockId)).rejects.toEqual(code("FORBIDDEN"));
    await ada.unlock(lease.lockId, { force: true });
    expect(await lost).toEqual(code("LOCK_NOT_FOUND"));
    await expect(ada.unlock(lease.lockId, { force: true })).rejects.toEqual(code("LOCK_NOT_FOUND"));
    const other = await ada.lock("/notes");
    await expect(bob.unlock(other.lockId, { force: true })).rejects.toEqual(code("FORBIDDEN"));
    await ada.unlock(other.lockId);
    expect(await ada.locks()).toEqual([]);
  });
});
