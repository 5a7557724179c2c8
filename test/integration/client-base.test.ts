/** What the SDK and later servers tell each other beside the document: base versions, conflicts, refusals of old edits. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connect } from "../../client/index.ts";
import type { Client, ConnectOptions, Context } from "../../client/index.ts";
import { fileStore } from "../../client/node/file-store.ts";
import { encodeEvent } from "../../shared/protocol/server-frames.ts";
import { FakeSyncServer } from "../support/fake-sync-server.ts";
import { PATIENT } from "../support/patience.ts";

let server: FakeSyncServer;
const clients: Client[] = [];

beforeEach(async () => {
  server = await FakeSyncServer.start();
  server.firstEpoch = 1;
});

afterEach(async () => {
  for (const it of clients.splice(0)) await it.close().catch(() => {});
  await server.stop();
});

async function open(options: ConnectOptions = {}): Promise<Context> {
  const client = await connect(server.url, { actor: "ada", ...PATIENT, ...options });
  clients.push(client);
  return client.open("plan");
}

async function save(context: Context, key: string): Promise<void> {
  context.data.root.set(key, 1);
  await context.saved();
}

const offline = (context: Context): Promise<void> =>
  new Promise((resolve) => {
    context.on("status", (status) => {
      if (status === "offline") resolve();
    });
    server.cut();
  });

describe("[SDK-34] on which version an edit was made", () => {
  test("is told before the edit, when it has changed", async () => {
    server.edit((data) => data.set("a", 0));
    server.publishes = false;
    const context = await open();
    await save(context, "b");
    await save(context, "c");
    expect(server.said).toEqual(["base 1", "data", "data"]);
    server.release();
    server.publishes = true;
    server.edit((data) => data.set("d", 0));
    await context.update([]);
    await save(context, "e");
    expect(server.said.slice(3)).toEqual([`base ${server.version - 1}`, "data"]);
  });

  test("is the one known when it was made, not when it is sent", async () => {
    server.edit((data) => data.set("a", 0));
    const context = await open();
    await offline(context);
    context.data.root.set("mine", 1);
    server.edit((data) => data.set("theirs", 0));
    await context.saved();
    expect(server.said).toEqual(["base 1", "data"]);
    await save(context, "later");
    expect(server.said).toEqual(["base 1", "data", "base 3", "data"]);
  });

  test("is not told to a server that would not understand", async () => {
    server.firstEpoch = undefined;
    const context = await open();
    await save(context, "a");
    expect(server.said).toEqual(["data"]);
  });
});

test("[SDK-35] conflicts are told, what is none is not", async () => {
  const context = await open();
  const heard = new Promise((resolve) => context.on("conflict", resolve));
  const conflict = { id: "3.0", path: "/a", kind: "set-set", at: "2026-01-01T00:00:00.000Z" };
  server.send(encodeEvent({ type: "conflict", conflict: 7 }));
  server.send(encodeEvent({ type: "conflict", conflict }));
  expect(await heard).toEqual({ id: "3.0", path: "/a", kind: "set-set", atMs: Date.parse(conflict.at) });
});

test("[SDK-36] [SDK-12] edits of an earlier process to a context that is gone are handed over, however late one listens", async () => {
  const folder = await mkdtemp(join(tmpdir(), "mcm-base-"));
  const persistence = fileStore(folder);
  const first = await open({ persistence });
  await save(first, "saved");
  await offline(first);
  first.data.root.set("unsaved", 1);
  await first.close();
  server.epoch = 2;
  server.firstEpoch = 2;
  server.recreate();
  const second = await open({ persistence });
  await second.update([]);
  const refusals: string[] = [];
  await new Promise<void>((resolve) =>
    second.on("rejected", ({ error, update }) => {
      refusals.push(`${error.code} ${Buffer.from(update).includes("unsaved")}`);
      resolve();
    }),
  );
  expect(refusals).toEqual(["EPOCH_CHANGED true"]);
  expect(second.get()).toEqual({});
  await second.close();
  await rm(folder, { recursive: true });
});
