/** Exports, imports and backups over HTTP, and with the CLI: rules DATA-10, DATA-11, DATA-16 and DATA-17. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as Y from "yjs";
import { LIMITS } from "../../shared/limits.ts";
import { joinUpdates, UPDATE_LIST_TYPE } from "../../shared/protocol/update-list.ts";
import { receiveBackup } from "../../server/storage/backup/backup-stream.ts";
import { mcm } from "../support/cli-runner.ts";
import { unorderedContentOf } from "../support/document-content.ts";
import { createContext, readContext, startTestServer } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";
import { openStockClient } from "../support/stock-client.ts";

let base: string;
let server: TestServer;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "mcm-rest-data-"));
  server = await startTestServer();
});
afterEach(async () => {
  await server.close();
  await rm(base, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}

async function send(
  method: string,
  path: string,
  options: { type?: string; body?: string | Uint8Array; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { type, body, headers = {} } = options;
  const response = await fetch(`${server.url}${path}`, {
    method,
    // of its own: a refusal of much may end the connection
    headers: {
      "mcm-actor": "ada",
      connection: "close",
      ...(type === undefined ? {} : { "content-type": type }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : Buffer.from(body) }),
  });
  return { status: response.status, body: await response.json().catch(() => undefined), headers: response.headers };
}

const importJson = (id: string, body: object, query = ""): Promise<Answer> =>
  send("POST", `/v1/contexts/${id}/import${query}`, { type: "application/json", body: JSON.stringify(body) });
const importBytes = (id: string, body: Uint8Array, type = "application/octet-stream", query = ""): Promise<Answer> =>
  send("POST", `/v1/contexts/${id}/import${query}`, { type, body });

const FORMAT = "mcm-context/1";
const DATA = {
  title: "plan",
  note: { $text: "Hello wörld 😀" },
  bytes: { $bytes: "AAEC" },
  tasks: { t1: { done: false, at: [1, 2.5, null] } },
  empty: {},
};
const ROOTS = {
  page: {
    $xml: [
      { element: "p", attributes: { class: "a" }, children: [{ text: [{ insert: "bold", attributes: { b: true } }] }] },
    ],
  },
  prose: { $text: "Once" },
  list: [1, { a: { $text: "in a list" } }],
};

describe("exports", () => {
  test("[DATA-16] a context as JSON with marks, all roots, and what is known of it", async () => {
    await importJson("plan", { format: FORMAT, name: "The plan", tags: ["a"], data: DATA, roots: ROOTS });
    const { status, body, headers } = await send("GET", "/v1/contexts/plan/export");
    expect([status, headers.get("etag"), headers.get("content-type")]).toEqual([200, '"0"', "application/json"]);
    expect(body).toMatchObject({
      format: FORMAT,
      id: "plan",
      name: "The plan",
      tags: ["a"],
      version: 0,
      epoch: 1,
      createdBy: "ada",
    });
    expect(body).toMatchObject({ data: DATA, roots: ROOTS });
    expect(await send("GET", "/v1/contexts/none/export")).toMatchObject({
      status: 404,
      body: { code: "CONTEXT_NOT_FOUND" },
    });
    expect(await send("GET", "/v1/contexts/none/export?format=yjs")).toMatchObject({ status: 404 });
    expect(await send("GET", "/v1/contexts/plan/export?format=xml")).toMatchObject({ status: 400 });
  });

  test("[DATA-16] the document as one Yjs update, with what was just written, in either encoding", async () => {
    await createContext(server, "plan", { n: 0 });
    const client = openStockClient({ url: server.url, contextId: "plan", actor: "bob" });
    await client.synced();
    client.doc.getText("prose").insert(0, "typed");
    await send("PATCH", "/v1/contexts/plan", {
      type: "application/json",
      body: JSON.stringify({ changes: [{ op: "add", path: "/n", value: 1 }] }),
    });
    while ((await readContext(server, "plan")).version < 2);
    for (const [format, apply] of [
      ["yjs", Y.applyUpdate],
      ["yjs-v2", Y.applyUpdateV2],
    ] as const) {
      const response = await fetch(`${server.url}/v1/contexts/plan/export?format=${format}`);
      expect([response.status, response.headers.get("etag")]).toEqual([200, '"2"']);
      const doc = new Y.Doc();
      apply(doc, new Uint8Array(await response.arrayBuffer()));
      expect([doc.getMap("data").toJSON(), doc.getText("prose").toJSON()]).toEqual([{ n: 1 }, "typed"]);
    }
    client.close();
  });
});

describe("imports", () => {
  test("[DATA-11] what an export wrote is the same context elsewhere; who made it when is told anew", async () => {
    const file = {
      format: FORMAT,
      id: "other",
      createdBy: "eve",
      createdAt: "2020-01-01T00:00:00.000Z",
      version: 9,
      data: DATA,
      roots: ROOTS,
    };
    expect(await importJson("plan", file)).toMatchObject({
      status: 201,
      body: { id: "plan", version: 0, epoch: 1, createdBy: "ada" },
    });
    const { body } = await send("GET", "/v1/contexts/plan/export");
    expect(body).toMatchObject({ data: DATA, roots: ROOTS, version: 0 });
    // they are the types that they were
    const client = openStockClient({ url: server.url, contextId: "plan", actor: "bob" });
    await client.synced();
    expect(client.doc.getMap("data").get("note")).toBeInstanceOf(Y.Text);
    expect(client.doc.getXmlFragment("page").toJSON()).toBe('<p class="a"><b>bold</b></p>');
    client.close();
  });

  test("[DATA-17] an id that is taken is refused, or replaced with a new epoch and no history", async () => {
    await createContext(server, "plan", { old: true });
    expect(await importJson("plan", { format: FORMAT, data: {} })).toMatchObject({
      status: 409,
      body: { code: "ALREADY_EXISTS" },
    });
    expect(await importJson("plan", { format: FORMAT, data: { $text: 5 } }, "?replace=true")).toMatchObject({
      status: 422,
    });
    expect((await readContext(server, "plan")).data).toEqual({ old: true });
    expect(await importJson("plan", { format: FORMAT, data: { new: true } }, "?replace=true")).toMatchObject({
      status: 201,
      body: { epoch: 2 },
    });
    expect(await importJson("fresh", { format: FORMAT, data: {} }, "?replace=true")).toMatchObject({ status: 201 });
    expect((await readContext(server, "plan")).data).toEqual({ new: true });
  });

  test("[DATA-8] updates in a list, and one by itself: ids are kept, and the server writes under another one", async () => {
    const doc = new Y.Doc();
    const updates: Uint8Array[] = [];
    doc.on("update", (update) => updates.push(update));
    doc.getMap("data").set("a", 1);
    doc.getText("prose").insert(0, "text");
    doc.getText("prose").delete(0, 1);
    const query = "?name=Imported&tags=a,b";
    expect(
      await importBytes("list", joinUpdates([...updates, updates[0] ?? new Uint8Array()]), UPDATE_LIST_TYPE, query),
    ).toMatchObject({
      status: 201,
      body: {
        name: "Imported",
        tags: ["a", "b"],
        version: 0,
        updates: { applied: 3, repeated: 1, refused: 0, refusals: [] },
      },
    });
    expect(await importBytes("whole", Y.encodeStateAsUpdate(doc))).toMatchObject({
      status: 201,
      body: { updates: { applied: 1 } },
    });
    for (const id of ["list", "whole"]) {
      await send("PATCH", `/v1/contexts/${id}`, {
        type: "application/json",
        body: JSON.stringify({ changes: [{ op: "add", path: "/b", value: 2 }] }),
      });
      const client = openStockClient({ url: server.url, contextId: id, actor: "bob" });
      await client.synced();
      const vector = Y.decodeStateVector(Y.encodeStateVector(client.doc));
      expect(vector.size).toBe(2);
      expect(vector.get(doc.clientID)).toBe(Y.getState(doc.store, doc.clientID));
      expect(client.doc.getMap("data").toJSON()).toEqual({ a: 1, b: 2 });
      client.close();
    }
  });

  test("[DATA-9] what cannot be taken whole is told; what cannot be taken at all makes nothing", async () => {
    const doc = new Y.Doc();
    doc.getMap("data").set("a", 1);
    const good = Y.encodeStateAsUpdate(doc);
    expect(await importBytes("part", joinUpdates([Uint8Array.of(1, 2, 3), good]), UPDATE_LIST_TYPE)).toMatchObject({
      status: 201,
      body: { updates: { applied: 1, refused: 1, refusals: [{ index: 0, code: "MALFORMED_UPDATE" }] } },
    });
    expect(await importBytes("none", Uint8Array.of(1, 2, 3))).toMatchObject({
      status: 400,
      body: { code: "MALFORMED_UPDATE" },
    });
    expect(await importBytes("none", joinUpdates([good]).subarray(0, 9), UPDATE_LIST_TYPE)).toMatchObject({
      status: 400,
      body: { code: "INVALID_REQUEST" },
    });
    expect(await send("GET", "/v1/contexts/none")).toMatchObject({ status: 404 });
  });

  test("[DATA-10] the bounds of an import: roots, bytes of the document, of the body, of JSON", async () => {
    const roots = (count: number): object =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`root-${n}`, { a: n }]));
    expect(
      await importJson("roots", { format: FORMAT, data: {}, roots: roots(LIMITS.rootTypesMax - 1) }),
    ).toMatchObject({ status: 201 });
    expect(
      await importJson("more-roots", { format: FORMAT, data: {}, roots: roots(LIMITS.rootTypesMax) }),
    ).toMatchObject({ status: 507, body: { code: "LIMIT_EXCEEDED" } });
    const noise = Buffer.alloc(LIMITS.contextBytesMax, "x").toString("base64");
    expect(await importJson("large", { format: FORMAT, data: { a: { $bytes: noise } } })).toMatchObject({
      status: 413,
      body: { code: "TOO_LARGE" },
    });
    expect(
      await importJson("larger", { format: FORMAT, data: { a: "x".repeat(LIMITS.importJsonBytesMax) } }),
    ).toMatchObject({ status: 413 });
    expect(await importBytes("largest", new Uint8Array(LIMITS.importBytesMax + 1), UPDATE_LIST_TYPE)).toMatchObject({
      status: 413,
      body: { code: "TOO_LARGE" },
    });
  });

  test("[DATA-17] a type's schema holds for what is imported, as JSON or as updates", async () => {
    const schema = {
      type: "object",
      properties: { n: { type: "number" }, note: { type: "string", "x-crdt": "text" } },
    };
    await send("PUT", "/v1/types/task", { type: "application/json", body: JSON.stringify({ schema }) });
    expect(await importJson("bad", { format: FORMAT, type: "task", data: { n: "x" } })).toMatchObject({
      status: 422,
      body: { code: "SCHEMA_VIOLATION" },
    });
    expect(await importJson("good", { format: FORMAT, type: "task", data: { n: 1, note: "a text" } })).toMatchObject({
      status: 201,
    });
    expect((await send("GET", "/v1/contexts/good/export")).body).toMatchObject({ data: { note: { $text: "a text" } } });
    const doc = new Y.Doc();
    doc.getMap("data").set("n", "x");
    const update = Y.encodeStateAsUpdate(doc);
    expect(await importBytes("bad", update, "application/octet-stream", "?type=task")).toMatchObject({ status: 422 });
    expect(await importBytes("good-2", update)).toMatchObject({ status: 201 });
  });

  test("[DATA-17] headers and fields that mean nothing here are refused", async () => {
    const body = JSON.stringify({ format: FORMAT, data: {} });
    for (const headers of [{ "if-match": '"1"' }, { "idempotency-key": "k" }, { "lock-token": "3" }])
      expect(await send("POST", "/v1/contexts/a/import", { type: "application/json", body, headers })).toMatchObject({
        status: 400,
      });
    expect(await send("POST", "/v1/contexts/a/import", { type: "text/plain", body })).toMatchObject({ status: 415 });
    expect(await importJson("a", { format: "mcm-context/2", data: {} })).toMatchObject({ status: 400 });
    expect(await importJson("a", { format: FORMAT, data: {}, extra: 1 })).toMatchObject({ status: 400 });
    expect(await importJson("a", { format: FORMAT, data: {} }, "?name=x")).toMatchObject({ status: 400 });
    expect(await importJson("a", { format: FORMAT, data: {} }, "?replace=maybe")).toMatchObject({ status: 400 });
  });
});

describe("backups", () => {
  test("[DATA-2] asked for with a JSON body, whole with its last frame", async () => {
    await createContext(server, "plan", { n: 0 });
    const ask = (): Promise<Response> =>
      fetch(`${server.url}/v1/backup`, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
    const first = await ask();
    expect([first.status, first.headers.get("cache-control")]).toEqual([200, "no-store, no-transform"]);
    const kinds: string[] = [];
    for await (const frame of receiveBackup(first.body ?? new ReadableStream())) kinds.push(frame.kind);
    expect(kinds).toEqual(["begin", "page", "end"]);
    expect(await send("POST", "/v1/backup", { type: "text/plain", body: "{}" })).toMatchObject({ status: 415 });
    expect(await send("GET", "/v1/backup")).toMatchObject({ status: 405 });
  });
});

describe("the command line", () => {
  test("[DATA-11] JSON and Yjs files, out and in again", async () => {
    await importJson("plan", { format: FORMAT, name: "The plan", tags: ["a"], data: DATA, roots: ROOTS });
    const exported = await mcm(server.url, ["export", "plan"]);
    expect([exported.code, exported.err]).toEqual([0, ""]);
    const again = await mcm(server.url, ["import", "plan.json", "copy", "--json"], (io) =>
      io.files.set("plan.json", exported.out),
    );
    expect([again.code, JSON.parse(again.out)]).toEqual([
      0,
      expect.objectContaining({ id: "copy", name: "The plan", tags: ["a"] }),
    ]);
    const without = ({ id: _id, createdAt: _at, updatedAt: _updated, ...rest }: Record<string, unknown>): unknown =>
      rest;
    const copy = JSON.parse((await mcm(server.url, ["export", "copy"])).out);
    expect(without(copy)).toEqual({ ...(without(JSON.parse(exported.out)) as object), createdBy: "zoë" });
    expect(
      await mcm(server.url, ["import", "plan.json"], (io) => io.files.set("plan.json", exported.out)),
    ).toMatchObject({ code: 3 });
    expect(
      await mcm(server.url, ["import", "plan.json", "--skip"], (io) => io.files.set("plan.json", exported.out)),
    ).toMatchObject({ code: 0 });

    for (const format of ["yjs", "yjs-v2"]) {
      const out = await mcm(server.url, ["export", "plan", "--format", format, "--out", "plan.bin"]);
      expect([out.code, out.err]).toEqual([0, 'plan.bin holds "plan", 0.0 MB']);
      const bytes = out.io.binaries.get("plan.bin") ?? new Uint8Array();
      const id = `from-${format}`;
      const made = await mcm(
        server.url,
        ["import", "plan.bin", id, "--format", format, "--name", "N", "--tag", "x"],
        (io) => io.binaries.set("plan.bin", bytes),
      );
      expect(made).toMatchObject({ code: 0, err: "", out: `${id} is made, of 1 update` });
      expect(await documentOf(id)).toEqual(await documentOf("plan"));
    }
  });

  test("[DATA-11] mistakes are told with what to do", async () => {
    const run = (...args: string[]) =>
      mcm(server.url, args, (io) => {
        io.files.set("bad.json", "[1]");
        io.files.set("no-id.json", JSON.stringify({ format: FORMAT, data: {} }));
        io.binaries.set("noise.bin", Uint8Array.of(9, 9, 9));
      });
    expect(await run("import", "bad.json")).toMatchObject({
      code: 2,
      err: expect.stringContaining("must hold a JSON object"),
    });
    expect(await run("import", "no-id.json")).toMatchObject({
      code: 2,
      err: expect.stringContaining("has no id; say one"),
    });
    expect(await run("import", "noise.bin")).toMatchObject({ code: 2, err: expect.stringContaining("say the id") });
    expect(await run("import", "noise.bin", "a")).toMatchObject({
      code: 3,
      err: expect.stringMatching(/Say --format yjs-v2 if it is one in V2\. \(MALFORMED_UPDATE\)/),
    });
    expect(await run("import", "none.yjs")).toMatchObject({ code: 1, err: expect.stringContaining("No such file") });
    expect(await run("import", "noise.bin", "a", "--format", "yjs-v2")).toMatchObject({
      code: 1,
      err: expect.stringContaining("--format yjs"),
    });
    expect(await run("import", "none.json")).toMatchObject({ code: 1, err: expect.stringContaining("No such file") });
    expect(await run("import", "no-id.json", "a", "--replace", "--skip")).toMatchObject({ code: 2 });
    expect(await run("import", "no-id.json", "a", "--only", "b")).toMatchObject({ code: 2 });
    expect(await run("export")).toMatchObject({ code: 2, err: expect.stringContaining("name one context") });
    expect(await run("export", "a", "--format", "xml")).toMatchObject({
      code: 2,
      err: expect.stringContaining("y-leveldb"),
    });
    expect(await run("export", "--format", "y-leveldb")).toMatchObject({
      code: 2,
      err: expect.stringContaining("--out"),
    });
    expect(await run("backup")).toMatchObject({ code: 2, err: expect.stringContaining("--out") });
    expect(await run("backup", "--out", join(base, "b"), "--url", server.url, "--data-dir", "d")).toMatchObject({
      code: 2,
    });
  });
});

async function documentOf(contextId: string): Promise<unknown> {
  const client = openStockClient({ url: server.url, contextId, actor: "reader" });
  await client.synced();
  const content = {
    vector: Y.decodeStateVector(Y.encodeStateVector(client.doc)),
    content: unorderedContentOf(client.doc),
  };
  client.close();
  return content;
}
