/** Data folders of stock y-websocket servers, in and out: rules DATA-12 to DATA-15. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { LeveldbPersistence } from "y-leveldb";
import * as Y from "yjs";
import { mcm } from "../support/cli-runner.ts";
import { unorderedContentOf } from "../support/document-content.ts";
import { intBelow, randomFrom } from "../support/editing-history.ts";
import { HOSTILE_UPDATES } from "../support/hostile-updates.ts";
import { createContext, readContext, startTestServer } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";
import { openStockClient } from "../support/stock-client.ts";
import { stateOfFolder } from "../support/folder-state.ts";

let server: TestServer;
let base: string;
let folder: string;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "mcm-y-leveldb-"));
  folder = join(base, "stock");
  server = await startTestServer(join(base, "data"));
});
afterEach(async () => {
  await server.close();
  await rm(base, { recursive: true, force: true });
});

/** As the stock server's `bindState`: each update of the document in memory is stored, and nothing is waited for. */
async function stockServer(
  write: (open: (name: string) => Y.Doc, stored: LeveldbPersistence) => Promise<void> | void,
): Promise<void> {
  const stored = new LeveldbPersistence(folder);
  const storing: Promise<unknown>[] = [];
  await write((name) => {
    const doc = new Y.Doc();
    storing.push(stored.storeUpdate(name, Y.encodeStateAsUpdate(doc)));
    doc.on("update", (update) => storing.push(stored.storeUpdate(name, update)));
    return doc;
  }, stored);
  expect((await Promise.all(storing)).includes(null)).toBe(false);
  await stored.destroy();
}

/** A client's document with what the server has of the context. */
async function documentOf(contextId: string): Promise<Y.Doc> {
  const client = openStockClient({ url: server.url, contextId, actor: "reader" });
  await client.synced();
  const doc = new Y.Doc();
  Y.applyUpdate(doc, Y.encodeStateAsUpdate(client.doc));
  client.close();
  return doc;
}

function expectSame(doc: Y.Doc, original: Y.Doc): void {
  expect(Y.decodeStateVector(Y.encodeStateVector(doc))).toEqual(Y.decodeStateVector(Y.encodeStateVector(original)));
  expect(unorderedContentOf(doc)).toEqual(unorderedContentOf(original));
}

test("[DATA-12] a folder with 10,000 updates of the stock stack: content and state vector are equal, and the folder is as it was", async () => {
  const random = randomFrom(5);
  const writers: Y.Doc[] = [];
  let plan = new Y.Doc();
  await stockServer((open) => {
    plan = open("plan");
    for (let n = 0; n < 12; n++) {
      const writer = new Y.Doc();
      writer.on("update", (typed: Uint8Array, origin) => {
        if (origin !== plan) Y.applyUpdate(plan, typed);
      });
      writers.push(writer);
    }
    for (let update = 0; update < 10_000; update++) {
      const writer = writers[intBelow(random, writers.length)] ?? plan;
      const text = writer.getText("prose");
      const dice = intBelow(random, 10);
      if (dice < 6) text.insert(intBelow(random, text.length + 1), "word ");
      else if (dice < 8) writer.getMap("data").set(`k${intBelow(random, 50)}`, { n: update });
      else if (dice < 9) text.delete(0, Math.min(3, text.length));
      else writer.getArray("list").push([update]);
      if (update % 50 === 0) Y.applyUpdate(writer, Y.encodeStateAsUpdate(plan, Y.encodeStateVector(writer)), plan);
    }
  });
  const before = await stateOfFolder(folder);
  const { code, out, err } = await mcm(server.url, ["import", folder]);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toMatch(/^1 context made of \d+ updates, 0 skipped, 0 refused$/);
  expect(Number(/of (\d+)/.exec(out)?.[1])).toBeGreaterThan(9_000);
  expect(await stateOfFolder(folder)).toEqual(before);
  expectSame(await documentOf("plan"), plan);
  const { version, data } = await readContext(server, "plan");
  expect([version, data]).toEqual([0, plan.getMap("data").toJSON()]);
}, 240_000);

test("[DATA-13] hostile updates in a folder are refused with the reason, documents with no fit name too; all else is imported", async () => {
  const good = new Y.Doc();
  good.getMap("data").set("a", 1);
  const [hostile] = HOSTILE_UPDATES.filter(({ name }) => name.includes("length 0")).map(({ update }) => update);
  await stockServer(async (_, stored) => {
    await stored.storeUpdate("team/plan", Y.encodeStateAsUpdate(good));
    await stored.storeUpdate("sound", Y.encodeStateAsUpdate(good));
    await stored.storeUpdate("empty", Y.encodeStateAsUpdate(new Y.Doc()));
    await stored.storeUpdate("poisoned", Y.encodeStateAsUpdate(good));
    await stored.setMeta("sound", "owner", "ada");
  });
  await poison("poisoned", hostile ?? new Uint8Array());
  const { code, out, err } = await mcm(server.url, ["import", folder]);
  expect(code).toBe(5);
  expect(out).toBe("3 contexts made of 2 updates, 0 skipped, 1 refused");
  expect(err).toContain(
    "team/plan: Its name is none that a context may have. Give it one: --as 'team/plan=another-name'.",
  );
  expect(err).toMatch(/poisoned: 1 update of it refused\n {2}number 2: /);
  expect(err).toContain("Left out: 1 record that an application kept beside the documents.");
  for (const id of ["sound", "poisoned"]) expectSame(await documentOf(id), good);
  expect(await readContext(server, "empty")).toMatchObject({ version: 0, data: {} });
  expect(await mcm(server.url, ["import", folder, "--only", "team/plan", "--as", "team/plan=plan"])).toMatchObject({
    code: 0,
  });
  expectSame(await documentOf("plan"), good);
});

/** What y-leveldb never checks after the first update of a document. */
async function poison(name: string, update: Uint8Array): Promise<void> {
  const stored = new LeveldbPersistence(folder);
  expect(await stored.storeUpdate(name, update)).toBe(1);
  await stored.destroy();
}

test("[DATA-13] who had a document of the old server goes on with it: local edits come up, under the client ids of before", async () => {
  let old = new Y.Doc();
  await stockServer((open) => {
    old = open("plan");
    old.getText("prose").insert(0, "Shared. ");
  });
  const offline = new Y.Doc();
  Y.applyUpdate(offline, Y.encodeStateAsUpdate(old));
  offline.clientID = old.clientID; // the page is still open
  offline.getText("prose").insert(8, "Offline. ");
  expect(await mcm(server.url, ["import", folder])).toMatchObject({ code: 0 });
  const client = openStockClient({ url: server.url, contextId: "plan", actor: "ada", doc: offline });
  await client.synced();
  await until(
    () => readContext(server, "plan"),
    ({ version }) => version === 1,
  );
  client.close();
  expect((await documentOf("plan")).getText("prose").toJSON()).toBe("Shared. Offline. ");
  // from then on the id is ada's
  const thief = new Y.Doc();
  Y.applyUpdate(thief, Y.encodeStateAsUpdate(await documentOf("plan")));
  thief.clientID = old.clientID;
  thief.getText("prose").insert(0, "Not mine. ");
  const stolen = openStockClient({ url: server.url, contextId: "plan", actor: "bob", doc: thief });
  const closed = new Promise((resolve) => stolen.provider.once("connection-close", (event) => resolve(event?.code)));
  expect(await closed).toBe(4403);
  stolen.close();
});

test("[DATA-14] contexts that are there are refused, left out or replaced; an import that was cut short goes on with --skip", async () => {
  const doc = new Y.Doc();
  doc.getMap("data").set("from", "the folder");
  await stockServer(async (_, stored) => {
    for (const name of ["a", "b", "c"]) await stored.storeUpdate(name, Y.encodeStateAsUpdate(doc));
  });
  await createContext(server, "b", { from: "here" });
  const first = await mcm(server.url, ["import", folder]);
  expect([first.code, first.out]).toEqual([5, "2 contexts made of 2 updates, 0 skipped, 1 refused"]);
  expect(first.err).toMatch(/^b: There is a context "b" already/);
  expect(await readContext(server, "b")).toMatchObject({ data: { from: "here" } });
  const again = await mcm(server.url, ["import", folder, "--skip", "--json"]);
  expect(again.code).toBe(0);
  expect(JSON.parse(again.out).documents.map(({ status }: { status: string }) => status)).toEqual([
    "skipped",
    "skipped",
    "skipped",
  ]);
  expect(await mcm(server.url, ["import", folder, "--replace"])).toMatchObject({ code: 0 });
  expect(await readContext(server, "b")).toMatchObject({ version: 0, data: { from: "the folder" }, epoch: 2 });
});

test("[DATA-13] a damaged folder: what may be missing something is refused, the rest imported, and it is told", async () => {
  const text = "x".repeat(3000);
  const docs = new Map<string, Y.Doc>();
  await stockServer(async (_, stored) => {
    for (let n = 100; n < 160; n++) {
      const doc = new Y.Doc();
      // random, so that blocks hold one document or two
      for (let at = 0; at < 30; at++) doc.getArray("list").push([text.slice(at) + String(n * at * 7919)]);
      docs.set(`doc-${n}`, doc);
      await stored.storeUpdate(`doc-${n}`, Y.encodeStateAsUpdate(doc));
    }
  });
  // a table is written when the database is opened again
  await new LeveldbPersistence(folder).destroy();
  const [table = ""] = (await readdir(folder)).filter((name) => name.endsWith(".ldb"));
  const bytes = await readFile(join(folder, table));
  const at = Math.floor(bytes.length / 3);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(join(folder, table), bytes);
  const { code, out, err } = await mcm(server.url, ["import", folder, "--json"]);
  expect([code, err]).toEqual([5, ""]);
  const { documents, damages } = JSON.parse(out);
  expect(damages).toEqual([expect.stringMatching(new RegExp(`^${table} has a wrong checksum at byte`))]);
  const refused = documents.filter(({ status }: { status: string }) => status === "refused");
  expect(documents.length - refused.length).toBeGreaterThan(50);
  for (const { reason } of refused) expect(reason).toBe("The folder is damaged where it lies.");
  for (const { name, status } of documents.slice(0, 20)) {
    const original = docs.get(name);
    if (status === "imported" && original !== undefined) expectSame(await documentOf(name), original);
  }
});

test("[DATA-13] a folder that is none, that belongs to something else, and that a server writes", async () => {
  expect(await mcm(server.url, ["import", join(base, "nothing"), "--format", "y-leveldb"])).toMatchObject({
    code: 5,
    err: expect.stringContaining("There is no database at"),
  });
  await mkdir(join(base, "empty"));
  expect(await mcm(server.url, ["import", join(base, "empty")])).toMatchObject({
    code: 5,
    err: expect.stringContaining("There is no database at"),
  });
  await server.close();
  expect(await mcm(server.url, ["import", join(base, "data", "log")])).toMatchObject({
    code: 5,
    err: expect.stringContaining("none of y-leveldb"),
  });
  server = await startTestServer();
});

test("[DATA-15] an exported folder is opened by the stock stack: every document with equal state, and can be written on", async () => {
  const docs = new Map<string, Y.Doc>();
  for (const id of ["plan", "notes", "a.b_c:d-e"]) {
    await createContext(server, id, { title: id, body: { $text: "text" } });
    const client = openStockClient({ url: server.url, contextId: id, actor: "ada" });
    await client.synced();
    client.doc.getText("prose").insert(0, "Rich", { bold: true });
    client.doc.getXmlFragment("page").insert(0, [new Y.XmlElement("p")]);
    client.doc.getText("prose").delete(0, 1);
    await until(
      () => readContext(server, id),
      ({ version }) => version === 3,
    );
    client.close();
    docs.set(id, await documentOf(id));
  }
  const out = join(base, "out");
  const printed = await mcm(server.url, ["export", "--format", "y-leveldb", "--out", out]);
  expect([printed.code, printed.err]).toEqual([0, ""]);
  expect(printed.io.progress).toEqual(["Exporting 1/3", "Exporting 2/3", "Exporting 3/3", "Exporting ended"]);
  const stored = new LeveldbPersistence(out);
  expect((await stored.getAllDocNames()).sort()).toEqual([...docs.keys()].sort());
  for (const [id, doc] of docs) {
    expectSame(await stored.getYDoc(id), doc);
    expect(Y.decodeStateVector(await stored.getStateVector(id))).toEqual(Y.decodeStateVector(Y.encodeStateVector(doc)));
    expect(await stored.storeUpdate(id, Y.encodeStateAsUpdate(new Y.Doc()))).toBe(1);
  }
  await stored.destroy();
  expect(await mcm(server.url, ["export", "plan", "--format", "y-leveldb", "--out", out])).toMatchObject({
    code: 3,
    err: expect.stringContaining("is not empty"),
  });
  expect(
    await mcm(server.url, ["export", "plan", "none", "--format", "y-leveldb", "--out", join(base, "cut")]),
  ).toMatchObject({ code: 3 });
  expect((await readdir(base)).filter((name) => name.startsWith("cut"))).toEqual([]);
});

/** Asks again until it is so; every answer is a round trip. */
async function until<T>(ask: () => Promise<T>, isSo: (answer: T) => boolean): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) if (isSo(await ask())) return;
  throw new Error("it never was so");
}
