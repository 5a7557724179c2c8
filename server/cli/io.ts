/**
 * What the CLI touches of the world, so that tests can hand it another one.
 *
 * Not here: the network (rest-client.ts is given a fetch), the server.
 */
import { readFile } from "node:fs/promises";
import process from "node:process";
import type { Environment } from "../config.ts";

export interface CliIo {
  readonly environment: Environment;
  /** Colours may be used. */
  readonly isColourful: boolean;
  /** Results. */
  out(text: string): void;
  /** Everything else that is said. */
  err(text: string): void;
  /** All of a file, or of stdin for "-". */
  read(path: string): Promise<string>;
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** Resolves after `ms`, or at once when `signal` aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** In [0, 1). */
  random(): number;
  /** Calls `stop` at the first SIGINT or SIGTERM; a second one ends the process at once. The returned function undoes it. */
  onStop(stop: () => void): () => void;
}

export function systemIo(environment: Environment): CliIo {
  return {
    environment,
    isColourful: wantsColour(environment),
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    read: (path) => (path === "-" ? readStdin() : readFile(path, "utf8")),
    fetch: (url, init) => fetch(url, init),
    sleep,
    random: () => Math.random(),
    onStop,
  };
}

/** https://no-color.org, and FORCE_COLOR for programs that show our output. */
function wantsColour(environment: Environment): boolean {
  if ((environment["NO_COLOR"] ?? "") !== "") return false;
  return process.stdout.isTTY || (environment["FORCE_COLOR"] ?? "") !== "";
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

function onStop(stop: () => void): () => void {
  let isStopping = false;
  const handle = (): void => {
    if (isStopping) process.exit(1);
    isStopping = true;
    stop();
  };
  process.on("SIGINT", handle);
  process.on("SIGTERM", handle);
  return () => {
    process.off("SIGINT", handle);
    process.off("SIGTERM", handle);
  };
}
