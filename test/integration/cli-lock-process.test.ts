/**
 * `mcm lock … -- command` as processes: what is on the terminal, signals, and exit codes of real programs.
 *
 * Not here: time and failures (cli-locks.test.ts).
 */
import { callerOf } from "../support/callers.ts";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseContextId } from "../../shared/ids.ts";
import { FakeContextService } from "../support/fake-context-service.ts";
import { startRestServer } from "../support/rest-server.ts";

const MAIN = fileURLToPath(new URL("../../server/main.ts", import.meta.url));
const PLAN = parseContextId("plan");
const ada = callerOf("ada", "cli");

const service = new FakeContextService();
let server: Awaited<ReturnType<typeof startRestServer>>;

beforeAll(async () => {
  server = await startRestServer(service);
  await service.create(ada, { id: PLAN });
});
afterAll(() => server.close());

/** Starts `mcm lock` with a command that Node runs. */
function lock(ttl: string, program: string, ...command: string[]) {
  const args = ["lock", "plan", "/title", "--ttl", ttl, "--", program, ...command];
  const env = { ...process.env, MCM_URL: server.url, MCM_ACTOR: "ada", NO_COLOR: "1" };
  const mcm = spawn(process.execPath, ["--import", "tsx", MAIN, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  const said: string[] = [];
  const lines = createInterface({ input: mcm.stdout });
  createInterface({ input: mcm.stderr }).on("line", (line) => said.push(line));
  return {
    firstLine: once(lines, "line").then(([line]: unknown[]) => line),
    ended: once(mcm, "close").then(([code]: unknown[]) => code),
    said,
    kill: (signal: NodeJS.Signals) => mcm.kill(signal),
  };
}

const held = async () => (await service.locks.list(ada, PLAN)).map(({ lockId }) => lockId);

/** Says its token, waits, and at SIGTERM ends with 9; by itself when a test failed. */
const PATIENT = `
  process.on("SIGTERM", () => process.exit(9));
  setTimeout(() => process.exit(1), 30_000);
  console.log(process.env.MCM_LOCK_TOKEN);`;

test("[CLI-12] a signal reaches the command; its exit code is that of mcm, and the lock is free", async () => {
  const mcm = lock("1m", process.execPath, "-e", PATIENT);
  expect(await mcm.firstLine).toMatch(/^\d+$/);
  expect(await held()).toHaveLength(1);
  mcm.kill("SIGTERM");
  expect([await mcm.ended, mcm.said, await held()]).toEqual([9, [], []]);
});

test("[CLI-12] a lock that is taken away stops the command", async () => {
  const mcm = lock("1s", process.execPath, "-e", PATIENT);
  await mcm.firstLine;
  const [lockId = ""] = await held();
  await service.locks.release(ada, PLAN, lockId);
  expect([await mcm.ended, mcm.said]).toEqual([124, [expect.stringMatching(/^error: The lock is lost/)]]);
});

test("[CLI-12] a command that a signal ended, and one that is not there", async () => {
  const dying = lock("1m", process.execPath, "-e", "process.kill(process.pid, 'SIGKILL')");
  expect(await dying.ended).toBe(137);
  const missing = lock("1m", "/nowhere/at-all");
  expect([await missing.ended, missing.said]).toEqual([
    127,
    [expect.stringMatching(/'\/nowhere\/at-all' cannot be run/)],
  ]);
  expect(await held()).toEqual([]);
});
