/**
 * The official conformance suite against the server with authentication: everything that it requires of servers, for both
 * generations of the protocol. It expects tools of its own, which are mounted around ours (test/support/conformance).
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseConfig } from "../../server/config.ts";
import { startServer } from "../support/start-server.ts";
import type { RunningServer } from "../../server/server.ts";
import { SCOPES } from "../../shared/permission.ts";
import { conformanceFixtures } from "../support/conformance/fixtures.ts";
import { startTokenProxy } from "../support/conformance/token-proxy.ts";
import type { TokenProxy } from "../support/conformance/token-proxy.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { claimsAt, SECRET, sign } from "../support/tokens.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const SUITE = here("../../node_modules/@modelcontextprotocol/conformance/dist/index.js");
const PRELOAD = here("../support/conformance/node20.mjs");
/** A quarter of a minute on a machine with nothing else to do. */
const RUN_MS_MAX = 240_000;

let server: RunningServer;
let proxy: TokenProxy;
let folder: string;

beforeAll(async () => {
  const config = parseConfig({ port: "0", storage: "memory", auth: "jwt" }, { MCM_JWT_SECRET: SECRET });
  server = await startServer(config, { logger: new RecordingLogger(), mcpExtension: conformanceFixtures() });
  const token = await sign(claimsAt(Date.now(), { sub: "conformance", scope: SCOPES.join(" ") }));
  proxy = await startTokenProxy(server.url, token);
  folder = await mkdtemp(join(tmpdir(), "mcm-conformance-"));
});
afterAll(async () => {
  await proxy.close();
  await server.close();
  await rm(folder, { recursive: true });
});

test.each(["2025-11-25", "2026-07-28"])(
  "[MCP-20] %s: all that is required passes",
  async (revision) => {
    expect((await fetch(`${server.url}/mcp`, { method: "POST" })).status).toBe(401);
    const { code, output } = await run(revision);
    const passed = Number(/^Total: (\d+) passed/m.exec(output)?.[1] ?? 0);
    // the whole suite ran, not a part that happened to pass
    expect({ code, ranAll: passed > 20, output }).toEqual({ code: 0, ranAll: true, output });
  },
  RUN_MS_MAX,
);

async function run(revision: string): Promise<{ readonly code: number | null; readonly output: string }> {
  const args = [
    "--import",
    PRELOAD,
    SUITE,
    "server",
    "--url",
    `${proxy.url}/mcp`,
    "--requirements",
    revision,
    "-o",
    folder,
  ];
  const suite = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], timeout: RUN_MS_MAX });
  let output = "";
  for (const stream of [suite.stdout, suite.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  const [code] = (await once(suite, "close")) as [number | null];
  return { code, output };
}
