/** `mcm audit` on a whole server with tokens. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../../server/cli/program.ts";
import { startSecureServer } from "../support/secure-server.ts";
import type { SecureServer } from "../support/secure-server.ts";
import { TestIo } from "./cli-harness.ts";

let server: SecureServer;
let admin = "";

beforeAll(async () => {
  server = await startSecureServer();
  admin = await server.admin();
  await fetch(`${server.url}/v1/contexts`, { headers: { origin: "https://evil.example" } });
  for (let i = 0; i < 3; i++) await fetch(`${server.url}/v1/contexts`);
});
afterAll(() => server.close());

async function mcm(args: string, token = admin) {
  const io = new TestIo({ MCM_URL: server.url, MCM_TOKEN: token });
  const start = async () => {
    throw new Error("no server is started here");
  };
  const code = await runCli(args.split(" "), { io, start });
  return { code, out: io.lines.join("\n"), err: io.errors.join("\n") };
}
const whatIn = (out: string): string[] =>
  out
    .split("\n")
    .slice(1)
    .map((line) => line.split(/ {2,}/)[1] ?? "");

test("[CLI-13] entries are a table, newest first, with why and how often", async () => {
  const { code, out } = await mcm("audit");
  expect(code).toBe(0);
  expect(whatIn(out)).toEqual(["request.authenticate", "request.site", "server.start"]);
  expect(out).toMatch(/request\.authenticate {2}denied +127\.0\.0\.1 +UNAUTHENTICATED missing +3$/m);
});

test.each([
  ["audit --denied", ["request.authenticate", "request.site"]],
  ["audit --action request.site", ["request.site"]],
  ["audit --since 1h --limit 1", ["request.authenticate"]],
  ["audit --until 2020-01-01", []],
  ["audit --by nobody", []],
  ["audit --context plan", []],
])("[CLI-13] mcm %s", async (args, what) => {
  const { code, out, err } = await mcm(args);
  expect([code, whatIn(out)]).toEqual([0, what]);
  if (what.length === 0) expect(err).toBe("Nothing.");
});

test("[CLI-13] goes on where the page ended, and prints the server's answer with --json", async () => {
  const first = await mcm("audit --limit 2");
  const cursor = /--cursor (\S+)/.exec(first.err)?.[1] ?? "";
  expect(whatIn((await mcm(`audit --cursor ${cursor}`)).out)).toEqual(["server.start"]);
  const { entries } = JSON.parse((await mcm("audit --json")).out) as {
    entries: readonly { readonly action: string }[];
  };
  expect(entries.map(({ action }) => action)).toContain("server.start");
});

test("[CLI-13] [CLI-4] says what is wrong with a time, and who may look", async () => {
  expect(await mcm("audit --since yesterday")).toMatchObject({ code: 2, err: expect.stringContaining("30m, 12h, 7d") });
  const denied = await mcm("audit", await server.token("ada"));
  expect(denied).toMatchObject({ code: 3, err: expect.stringContaining("admin of the server") });
});
