/** A data folder into a PostgreSQL database and back: rules DATA-22 and DATA-23. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { verifyFolder } from "../../server/storage/verify/verify-folder.ts";
import { runCli } from "../../server/cli/program.ts";
import { EXIT } from "../../server/cli/exit-codes.ts";
import { startNode } from "../support/nodes.ts";
import { PostgresServer } from "../support/postgres-server.ts";
import { RestCaller } from "../support/rest-caller.ts";
import { startTestServer } from "../support/running-server.ts";
import { TestIo } from "./cli-harness.ts";

let folder: string;
let postgres: PostgresServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcm-migrate-"));
  postgres = await PostgresServer.start();
});
afterAll(async () => {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

function migrate(from: string, to: string): Promise<{ code: number; said: string }> {
  return command("--from", from, "--to", to);
}

async function command(...args: readonly string[]): Promise<{ code: number; said: string }> {
  const io = new TestIo({});
  const start = (): never => expect.fail("no server is started");
  const code = await runCli(["migrate", ...args], { io, start });
  return { code, said: [...io.lines, ...io.errors].join("\n") };
}

/** What a server tells of all that it keeps. */
async function told(url: string): Promise<unknown> {
  const caller = new RestCaller(url, "ada");
  const paths = ["/v1/contexts", "/v1/types", "/v1/contexts/plan/locks", "/v1/contexts/plan/acl"];
  const others = await Promise.all(paths.map(async (path) => (await fetch(url + path)).json()));
  return [await caller.read("plan"), await caller.read("plan", 1), await caller.changes("plan"), others];
}

async function prepared(url: string): Promise<void> {
  const caller = new RestCaller(url, "ada");
  await caller.create("plan", { title: "One", notes: { $text: "a fox" }, big: { $bytes: "A".repeat(400_000) } });
  await caller.change("plan", [{ op: "replace", path: "/title", value: "Two" }], "k1");
  await caller.nameVersion("plan", "first", 1);
  await caller.change("plan", [{ op: "edit_text", path: "/notes", old: "fox", new: "dog" }], "k2");
  await caller.lock("plan", { paths: ["/title"], ttlMs: 600_000 });
  for (let n = 0; n < 20; n++) await caller.create(`more-${n}`, { n });
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ schema: { type: "object" } });
  expect((await fetch(`${url}/v1/types/note`, { method: "PUT", headers, body })).status).toBe(201);
}

/** Locks end later: their time begins anew when their context is loaded. */
function withoutEnds(all: unknown): unknown {
  return JSON.parse(JSON.stringify(all, (key, value: unknown) => (key === "expiresAt" ? undefined : value)));
}

test("[DATA-22] data goes into a database and back, and is what it was; a place that is used, taken or empty is refused", async () => {
  const [first, second] = [join(folder, "first"), join(folder, "second")];
  const url = await postgres.database();
  let server = await startTestServer(first);
  await prepared(server.url);
  const before = await told(server.url);
  expect(await migrate(first, url)).toMatchObject({ code: EXIT.unavailable });
  await server.close();

  expect(await migrate(join(folder, "nothing"), url)).toMatchObject({ code: EXIT.damaged });
  expect(await readdir(folder)).toEqual(["first"]);
  expect(await migrate(first, url)).toMatchObject({
    code: 0,
    said: expect.stringMatching(/^21 contexts, \d+ records/),
  });
  expect((await migrate(first, url)).said).toContain("already");

  server = await startNode(url);
  expect(withoutEnds(await told(server.url))).toEqual(withoutEnds(before));
  expect(await migrate(url, second)).toMatchObject({ code: EXIT.unavailable });
  const caller = new RestCaller(server.url, "ada");
  const { version } = await caller.change("more-3", [{ op: "replace", path: "/n", value: 30 }], "k3");
  await caller.create("later", { made: "in the database" });
  await server.close();

  expect(await migrate(url, second)).toMatchObject({ code: 0, said: expect.stringMatching(/^22 contexts/) });
  expect(await verifyFolder(second)).toMatchObject({ isSound: true, contexts: 22 });
  server = await startTestServer(second);
  expect(withoutEnds(await new RestCaller(server.url, "ada").read("plan"))).toEqual(
    withoutEnds((before as [unknown])[0]),
  );
  expect(await new RestCaller(server.url, "ada").read("more-3")).toMatchObject({ version, data: { n: 30 } });
  await server.close();
});

test("[DATA-23] most of it comes while the server runs and is written; the rest when it is stopped, and only then a server starts on it", async () => {
  const [first, second] = [join(folder, "running"), join(folder, "back")];
  const url = await postgres.database();
  let server = await startTestServer(first);
  await prepared(server.url);
  const caller = new RestCaller(server.url, "ada");
  const writes = Array.from({ length: 30 }, (_, n) =>
    caller.change(`more-${n % 5}`, [{ op: "replace", path: "/n", value: 100 + n }], `w${n}`),
  );
  const online = () => command("--url", server.url, "--to", url, "--actor", "ada");
  expect(await online()).toMatchObject({ code: 0, said: expect.stringMatching(/^21 contexts.*Not in service yet/) });
  await Promise.all(writes);
  expect((await command("--to", url)).said).toContain("--url of one that runs");
  await expect(startNode(url)).rejects.toMatchObject({ code: "DATA_DAMAGED" });

  expect((await fetch(`${server.url}/v1/contexts/more-7`, { method: "DELETE" })).status).toBe(204);
  await caller.create("later", { made: "after the first copy" });
  expect(await online()).toMatchObject({ code: 0, said: expect.stringMatching(/^21 contexts/) });
  await caller.change("more-0", [{ op: "replace", path: "/n", value: "last" }], "w30");
  const before = await told(server.url);
  await server.close();

  expect(await migrate(first, url)).toMatchObject({ code: 0, said: expect.stringContaining("Start the server") });
  expect((await migrate(first, url)).said).toContain("already");
  server = await startNode(url);
  expect(withoutEnds(await told(server.url))).toEqual(withoutEnds(before));

  const back = await command("--url", server.url, "--to", second, "--actor", "ada", "--json");
  expect(JSON.parse(back.said)).toMatchObject({ contexts: 21, isInService: false });
  await expect(verifyFolder(second)).rejects.toMatchObject({ code: "DATA_DAMAGED" });
  await server.close();
  expect(await migrate(url, second)).toMatchObject({ code: 0 });
  expect(await verifyFolder(second)).toMatchObject({ isSound: true, contexts: 21 });
});
