/**
 * `mcm mcp` processes of one user as hosts start them: they find each other, outlive each other, and lose nothing.
 *
 * Not here: what is sent again and how (test/unit/mcp/remote-contexts.test.ts), many rounds of it (npm run bench:memory).
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { mcm } from "../support/mcm-program.ts";
import { overStdio } from "../support/mcp-clients.ts";
import type { StdioTalk } from "../support/mcp-clients.ts";
import { ourMemory, PROCESSES, WRITES_EACH, writeTogether } from "../support/memory-writers.ts";
import { startSecureServer } from "../support/secure-server.ts";

const WRITES = PROCESSES * WRITES_EACH;
const LONG_MS = 180_000;

let folder: string;
let open: StdioTalk[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcm-hub-"));
  open = [];
});
afterEach(async () => {
  await Promise.all(open.map((talk) => talk.close().catch(() => undefined)));
  await rm(folder, { recursive: true });
});

async function agent(name: string): Promise<StdioTalk> {
  const talk = await overStdio("2025-11-25", { ...mcm(["mcp", "--data-dir", join(folder, "data")]), name });
  open.push(talk);
  return talk;
}

const modeOf = async (path: string): Promise<string> => ((await stat(join(folder, path))).mode & 0o777).toString(8);

test(
  "[HUB-1] [HUB-4] processes share one folder, which is the user's alone, and hear of each other",
  async () => {
    const [ada, bob] = [await agent("ada"), await agent("bob")];
    await ada.call("context_create", { id: "plan", data: { n: 0 } });
    expect(await bob.follow("context://contexts/plan")).toEqual(["context://contexts/plan"]);
    const waiting = bob.call("context_wait", { targets: [{ id: "plan", since_version: 0 }] });
    await ada.call("context_update", { id: "plan", ops: [{ op: "add", path: "/n", value: 1 }] });
    expect(await bob.told(1)).toEqual(["context://contexts/plan"]);
    expect((await waiting).data).toMatchObject({ changed: [{ by: [expect.stringMatching(/^ada:\d+$/)] }] });
    expect([await modeOf("data"), await modeOf("data/hub.sock")]).toEqual(["700", "600"]);
  },
  LONG_MS,
);

test(
  "[HUB-2] 80 concurrent writes of four processes are all there, once, though the hub is killed after 40, and no call fails",
  async () => {
    const { sent, answered, kept, doubled } = await writeTogether(ourMemory(join(folder, "data")), { killAfter: 40 });
    expect({ sent, answered, kept, doubled }).toEqual({ sent: WRITES, answered: WRITES, kept: WRITES, doubled: 0 });
  },
  LONG_MS,
);

test(
  "[HUB-2] when the hub's host ends, the others go on: waits, subscriptions and locks too",
  async () => {
    const [first, ada, bob] = [await agent("first"), await agent("ada"), await agent("bob")];
    await first.call("context_create", { id: "plan", data: { n: 0 } });
    await bob.follow("context://contexts/plan");
    const lock = await ada.call("context_lock", { id: "plan", path: "/mine", ttl_seconds: 600 });
    const waiting = bob.call("context_wait", { targets: [{ id: "plan", since_version: 0 }], timeout_seconds: 50 });
    await first.close();
    const ops = [{ op: "add", path: "/mine", value: 1 }];
    expect(await bob.call("context_update", { id: "plan", ops })).toMatchObject({
      isError: true,
      text: expect.stringContaining("LOCKED"),
    });
    expect((await ada.call("context_update", { id: "plan", ops, lock_token: lock.data["lock_token"] })).isError).toBe(
      false,
    );
    expect((await waiting).data["timed_out"]).toBe(false);
    // one for the connection that was lost, one for the change; or both at once
    expect(await bob.told(1)).toEqual(["context://contexts/plan"]);
  },
  LONG_MS,
);

test(
  "[HUB-6] until the first call nothing is opened; stdout carries the protocol; the host's end is the process's",
  async () => {
    const { command, args, env } = mcm(["mcp", "--data-dir", join(folder, "data")]);
    const program = spawn(command, [...args], { env: { ...env }, stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
    const ask = async (message: object): Promise<Record<string, unknown>> => {
      program.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
      const { value } = await lines.next();
      return JSON.parse(String(value));
    };
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "host", version: "1" } };
    expect(await ask({ id: 1, method: "initialize", params })).toMatchObject({ id: 1, result: { serverInfo: {} } });
    expect(await ask({ id: 2, method: "tools/list" })).toMatchObject({ id: 2 });
    expect(await readdir(folder)).toEqual([]);
    const call = { name: "context_create", arguments: { id: "plan" } };
    expect(await ask({ id: 3, method: "tools/call", params: call })).toMatchObject({ id: 3 });
    expect(await readdir(folder)).toEqual(["data"]);
    const ended = once(program, "exit");
    program.stdin.end();
    expect(await ended).toEqual([0, null]);
    expect((await lines.next()).done).toBe(true);
  },
  LONG_MS,
);

test(
  "[HUB-7] with a token the server decides who it is, and its scopes which tools there are",
  async () => {
    const server = await startSecureServer();
    try {
      const token = await server.token("ada", { scope: "contexts:read" });
      const talk = await overStdio("2026-07-28", mcm(["mcp", "--url", server.url], { MCM_TOKEN: token }));
      open.push(talk);
      const tools = await talk.tools();
      expect([tools.includes("context_read"), tools.includes("context_update")]).toEqual([true, false]);
      expect((await talk.call("context_find")).data).toEqual({ contexts: [] });
      const foreign = await overStdio("2026-07-28", mcm(["mcp", "--url", server.url], { MCM_TOKEN: "e30.e30.AA" }));
      open.push(foreign);
      expect(await foreign.call("context_find")).toMatchObject({
        isError: true,
        text: expect.stringContaining("UNAUTHENTICATED"),
      });
    } finally {
      await server.close();
    }
  },
  LONG_MS,
);
