/**
 * Programs of the operating system that tests put beside the server: nginx, Caddy, Prometheus, openssl. Where one is not
 * installed its tests are skipped, and say so.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";

/** Where a program is; Debian keeps those of administrators in /usr/sbin. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A suffix for titles of tests that need it. */
export function needing(name: string): string {
  return findProgram(name) === undefined ? ` (skipped: install ${name})` : "";
}

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** Runs a program to its end. */
export async function run(name: string, args: readonly string[], options: { cwd?: string } = {}): Promise<Ended> {
  const child = start(name, args, options);
  const output = outputOf(child);
  const [code] = (await once(child, "close")) as [number | null];
  return { code: code ?? -1, output: output.join("") };
}

export interface Service {
  /** What it said so far. */
  readonly output: readonly string[];
  close(): Promise<void>;
}

/** Starts a program that runs until it is closed, and waits until it answers. It ends with this process. */
export async function serve(
  name: string,
  args: readonly string[],
  options: { readonly isReady: () => Promise<boolean>; readonly env?: NodeJS.ProcessEnv },
): Promise<Service> {
  const child = start(name, args, options);
  const output = outputOf(child);
  const endWithUs = (): void => void child.kill("SIGKILL");
  process.once("exit", endWithUs);
  const ended = once(child, "close").then(() => process.off("exit", endWithUs));
  for (let tries = 0; !(await options.isReady().catch(() => false)); tries++) {
    if (child.exitCode !== null || tries > 300) {
      child.kill("SIGKILL");
      throw new Error(`${name} did not start. It said:\n${output.join("")}`);
    }
    await new Promise((resolve) => void setTimeout(resolve, 100));
  }
  return {
    output,
    async close() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

function start(
  name: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv },
): ChildProcess {
  return spawn(findProgram(name) ?? name, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: options.env ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function outputOf(child: ChildProcess): string[] {
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk: Buffer) => output.push(String(chunk)));
  return output;
}

/** A port of loopback that is free now. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen({ port: 0, host: "127.0.0.1" });
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
