/** A server that goes back to a backup, and clients that know what came after it: rules DATA-4 and DATA-5. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import * as Y from "yjs";
import { connect } from "../../client/index.ts";
import type { Client, Context } from "../../client/index.ts";
import { parseConfig } from "../../server/config.ts";
import { startServer } from "../../server/server.ts";
import type { RunningServer } from "../../server/server.ts";
import { mcm } from "../support/cli-runner.ts";
import { PATIENT } from "../support/patience.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { RestCaller } from "../support/rest-caller.ts";
import { openStockClient } from "../support/stock-client.ts";

let base: string;
let server: RunningServer;
let client: Client | undefined;
const start = (folder: string, port: string): Promise<RunningServer> =>
  startServer(parseConfig({ port, dataDir: join(base, folder) }, {}), { logger: new RecordingLogger() });

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "mcm-restored-"));
  server = await start("data", "0");
});
afterEach(async () => {
  await client?.close().catch(() => {});
  client = undefined;
  await server.close();
  await rm(base, { recursive: true, force: true });
});

async function backUp(): Promise<void> {
  expect(await mcm(server.url, ["backup", "--out", join(base, "backup")])).toMatchObject({ code: 0 });
}

/** The server's data is lost; it goes on from the backup, at the same address. */
async function restore(): Promise<void> {
  const { port } = new URL(server.url);
  await server.close();
  server = await start("backup", port);
}

const caller = (): RestCaller => new RestCaller(server.url, "ada");
const set = (value: number) => [{ op: "add", path: "/n", value } as const];

async function untilStatus(context: Context, status: Context["status"]): Promise<void> {
  while (context.status !== status)
    await new Promise<void>((resolve) => {
      const off = context.on("status", () => {
        off();
        resolve();
      });
    });
}

test("[DATA-4] what the server wrote after the backup is gone for everybody, also for who saw it: all are equal again", async () => {
  await caller().create("plan", { n: 0 });
  await caller().change("plan", set(1), "1");
  await backUp();
  client = await connect(server.url, { actor: "bob", ...PATIENT });
  const plan = await client.open("plan");
  // under the clocks that a server which went on as before would use again
  await caller().change("plan", set(2), "2");
  await plan.update([{ op: "add", path: "/lost", value: true }]);
  expect(plan.get()).toEqual({ n: 2, lost: true });
  const before = new Y.Doc();
  Y.applyUpdate(before, Y.encodeStateAsUpdate(plan.doc));
  await restore();
  await untilStatus(plan, "online");
  await caller().change("plan", set(3), "3");
  await plan.update([{ op: "add", path: "/seen", value: true }]);
  expect(plan.get()).toEqual({ n: 3, seen: true });
  expect(await caller().read("plan")).toMatchObject({ version: 3, epoch: 2, data: { n: 3, seen: true } });
  // the history of before is there
  expect((await caller().read("plan", 1)).data).toEqual({ n: 1 });

  const stock = openStockClient({ url: server.url, contextId: "plan", actor: "eve", doc: before });
  const closed = new Promise((resolve) => stock.provider.once("connection-close", (event) => resolve(event?.code)));
  expect(await closed).toBe(4409);
  stock.close();
  expect((await caller().read("plan")).data).toEqual({ n: 3, seen: true });
});

test("[DATA-4] what a client had not sent yet comes over to the restored context", async () => {
  await caller().create("plan", { n: 0, notes: {} });
  client = await connect(server.url, { actor: "bob", ...PATIENT });
  const plan = await client.open("plan");
  await caller().change("plan", set(1), "1");
  await backUp();
  const { port } = new URL(server.url);
  await server.close();
  await untilStatus(plan, "offline");
  plan.data.getMap("notes").set("offline", "mine");
  server = await start("backup", port);
  await untilStatus(plan, "online");
  await plan.saved();
  expect((await caller().read("plan")).data).toEqual({ n: 1, notes: { offline: "mine" } });
});

test("[DATA-5] each context of a backup begins one new epoch, when it is first used; a server that was not restored begins none", async () => {
  await caller().create("plan", { n: 0 });
  await caller().create("other", {});
  await backUp();
  expect(await caller().read("plan")).toMatchObject({ epoch: 1 });
  await restore();
  expect(await caller().read("plan")).toMatchObject({ epoch: 2, version: 0 });
  await caller().change("plan", set(1), "1");
  await caller().create("new", {});
  const { port } = new URL(server.url);
  await server.close();
  server = await start("backup", port);
  expect(await caller().read("plan")).toMatchObject({ epoch: 2, version: 1, data: { n: 1 } });
  expect(await caller().read("new")).toMatchObject({ epoch: 1 });
  expect(await caller().read("other")).toMatchObject({ epoch: 2 });
  await server.close();
  expect(await mcm(server.url, ["verify", join(base, "backup")])).toMatchObject({ code: 0 });
  server = await start("data", port);
  expect(await caller().read("plan")).toMatchObject({ epoch: 1 });
});

test("[DATA-5] a backup of a folder whose server is stopped is one like any other", async () => {
  await caller().create("plan", { n: 7 });
  const { port, href } = new URL(server.url);
  expect(await mcm(href, ["backup", "--data-dir", join(base, "nothing"), "--out", join(base, "x")])).toMatchObject({
    code: 5,
  });
  await server.close();
  const args = ["backup", "--data-dir", join(base, "data"), "--out", join(base, "backup"), "--json"];
  const { code, out } = await mcm(href, args);
  expect([code, JSON.parse(out)]).toEqual([
    0,
    expect.objectContaining({ contexts: 1, from: join(base, "data"), layout: 2 }),
  ]);
  expect(await mcm(href, ["verify", join(base, "backup")])).toMatchObject({ code: 0 });
  server = await start("backup", port);
  expect(await caller().read("plan")).toMatchObject({ epoch: 2, data: { n: 7 } });
});
