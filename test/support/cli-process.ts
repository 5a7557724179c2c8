/** The built CLI as a child process: what it says, and how it ends. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));

export interface CliProcess {
  /** Its exit code, or the signal that ended it, and all that it said. */
  readonly ended: Promise<{ readonly code: number | string; readonly out: string; readonly err: string }>;
  kill(): void;
}

export function spawnCli(args: readonly string[], environment: NodeJS.ProcessEnv = {}): CliProcess {
  const env = { ...process.env, FORCE_COLOR: undefined, NO_COLOR: "1", ...environment };
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  const endWithUs = (): void => void child.kill("SIGKILL");
  process.once("exit", endWithUs);
  child.once("exit", () => process.off("exit", endWithUs));
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const ended = once(child, "close").then(([code, signal]: unknown[]) => ({
    code: typeof code === "number" ? code : String(signal),
    out: out.trimEnd(),
    err: err.trimEnd(),
  }));
  return { ended, kill: () => void child.kill("SIGKILL") };
}
