/** What becomes of edits after one was refused, against a server that refuses on demand. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import * as Y from "yjs";
import { connect } from "../../client/index.ts";
import type { Client, ConnectOptions, Context, ContextEvents, Persistence, Refusal } from "../../client/index.ts";
import { fileStore } from "../../client/node/file-store.ts";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { voidOf } from "../../shared/void-update.ts";
import { FakeSyncServer } from "../support/fake-sync-server.ts";
import { PATIENT } from "../support/patience.ts";

let server: FakeSyncServer;
let folder: string;
let persistence: Persistence;
const clients: Client[] = [];

beforeEach(async () => {
  server = await FakeSyncServer.start();
  folder = await mkdtemp(join(tmpdir(), "mcm-replicas-"));
  persistence = fileStore(folder);
});

afterEach(async () => {
  for (const it of clients.splice(0)) await it.close().catch(() => {});
  await server.stop();
  await rm(folder, { recursive: true });
});

async function open(options: ConnectOptions = {}, url = server.url): Promise<Context> {
  const it = await connect(url, { actor: "ada", ...PATIENT, ...options });
  clients.push(it);
  return it.open("plan");
}

/** The server that is gone is to come back under this port. */
const reopen = (port: number): Promise<Context> => open({ persistence, offline: true }, `http://127.0.0.1:${port}`);

function next<Name extends keyof ContextEvents>(context: Context, name: Name): Promise<ContextEvents[Name]> {
  return new Promise((resolve) => {
    const off = context.on(name, (...args) => {
      off();
      resolve(args);
    });
  });
}

const code = (expected: string): object => expect.objectContaining({ code: expected });
const set = (context: Context, key: string, value: unknown): void => void context.data.root.set(key, value);

const REFUSAL = new ServiceError("FORBIDDEN", "You may not write here.");

/** Refuses edits that have these bytes. */
const refusing = (key: string) => (update: Uint8Array) =>
  new TextDecoder("latin1").decode(update).includes(key) ? REFUSAL : undefined;

/** Puts the void of an edit, which is one struct, into a document. */
function voidIn(doc: Y.Doc, edit: Uint8Array | undefined): void {
  const [struct] = Y.decodeUpdate(edit ?? new Uint8Array([0, 0])).structs;
  const { client: author = 0, clock = 0 } = struct?.id ?? {};
  const update = voidOf([{ client: author, from: clock, to: clock + (struct?.length ?? 0) }]);
  if (update !== undefined) Y.applyUpdate(doc, update);
}

test("[SDK-11] what was edited after an edit that never got to the server survives", async () => {
  const context = await open();
  const reset = next(context, "reset");
  set(context, "big", "x".repeat(LIMITS.frameBytesMax));
  set(context, "small", 1);
  await reset;
  await context.saved();
  expect(server.data).toEqual({ small: 1 });
  expect(context.get()).toEqual(server.data);
});

test("[SDK-11] what an application does about a refused edit, it does in the new document", async () => {
  const context = await open();
  server.refuses = refusing("bad");
  context.on("rejected", ({ error }) => {
    if (error.code === "MALFORMED_UPDATE") set(context, "instead", 1);
  });
  const reset = next(context, "reset");
  set(context, "bad", new Y.Map());
  context.data.getMap("bad").set("late", 1);
  await reset;
  await context.saved();
  expect(server.data).toEqual({ instead: 1 });
  expect(context.get()).toEqual(server.data);
});

test("[SDK-11] edits of a local copy are refused one by one, and one that builds on a refusal of an earlier process too", async () => {
  const first = await open({ persistence });
  const { port } = server;
  await server.stop();
  set(first, "good", 1);
  set(first, "bad", new Y.Map());
  first.data.getMap("bad").set("late", 1);
  set(first, "fine", 1);
  await first.close();

  const again = await reopen(port);
  const refusals: Refusal[] = [];
  again.on("rejected", (refusal) => refusals.push(refusal));
  server = await FakeSyncServer.start(port);
  server.refuses = refusing("bad");
  await next(again, "reset");
  await again.saved();
  expect(refusals.map(({ error }) => error.code)).toEqual(["FORBIDDEN", "MALFORMED_UPDATE"]);
  expect(server.data).toEqual({ good: 1, fine: 1 });
  expect(again.get()).toEqual(server.data);
});

test("[SDK-11] an edit of a local copy whose place was voided is handed over", async () => {
  const first = await open({ persistence });
  const { port } = server;
  set(first, "bad", new Y.Map());
  await first.saved();
  const [bad] = server.updates;
  await server.stop();
  first.data.getMap("bad").set("late", 1);
  set(first, "fine", 1);
  await first.close();

  const again = await reopen(port);
  const rejected = next(again, "rejected");
  server = await FakeSyncServer.start(port);
  voidIn(server.doc, bad);
  expect((await rejected)[0].error).toEqual(code("MALFORMED_UPDATE"));
  await next(again, "reset");
  await again.saved();
  expect(server.data).toEqual({ fine: 1 });
  expect(again.get()).toEqual(server.data);
});
