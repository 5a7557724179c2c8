/** `mcm` as a host starts it: the build in dist/, which scripts/test.mjs and the benchmark make first. */
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Program } from "./mcp-clients.ts";

const MAIN = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));

export function mcm(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Program {
  const { PATH = "", HOME = "" } = process.env;
  return {
    command: process.execPath,
    args: [MAIN, ...args],
    env: { PATH, HOME, NO_COLOR: "1", ...environment },
  };
}
