/** `mcm` as a host would start it, from the sources. */
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Program } from "./mcp-clients.ts";

const MAIN = fileURLToPath(new URL("../../server/main.ts", import.meta.url));
const TSX = import.meta.resolve("tsx");

export function mcm(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Program {
  const { PATH = "", HOME = "" } = process.env;
  return {
    command: process.execPath,
    args: ["--import", TSX, MAIN, ...args],
    env: { PATH, HOME, NO_COLOR: "1", ...environment },
  };
}
