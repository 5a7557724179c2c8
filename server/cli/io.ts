/**
 * What the CLI touches of the world, so that tests can hand it another one.
 *
 * Not here: the network (rest-client.ts is given a fetch), the server.
 */
import { spawn } from "node:child_process";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { constants } from "node:os";
import { dirname } from "node:path";
import process from "node:process";
import { systemClock } from "../clock.ts";
import type { Environment } from "../config.ts";

/** Signals that ask a program to end. */
const END_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
export type EndSignal = (typeof END_SIGNALS)[number];

/** A program of the user's that runs under this one, on the same terminal. */
export interface RunningCommand {
  /** Its exit code, or that of `signalExitCode`. Rejects with Node's error when it cannot be started. */
  readonly ended: Promise<number>;
  /** Passes on a signal that this program got. What was typed at a terminal the command has got by itself. */
  forward(signal: EndSignal): void;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

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
  /** Replaces a file, or makes it with the folders it is in. */
  write(path: string, text: string): Promise<void>;
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** Resolves after `ms`, or at once when `signal` aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** Milliseconds of a clock that never jumps. */
  monotonicMs(): number;
  /** A UUID. */
  newId(): string;
  /** In [0, 1). */
  random(): number;
  /** Calls `stop` at the first SIGINT or SIGTERM; a second one ends the process at once. The returned function undoes it. */
  onStop(stop: () => void): () => void;
  /** Calls `handle` at each signal that asks to end; the program then does not end by itself. The returned function undoes it. */
  onSignal(handle: (signal: EndSignal) => void): () => void;
  run(command: readonly string[], environment: Environment): RunningCommand;
}

export function systemIo(environment: Environment): CliIo {
  return {
    environment,
    isColourful: wantsColour(environment),
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    read: (path) => (path === "-" ? readStdin() : readFile(path, "utf8")),
    write,
    fetch: (url, init) => fetch(url, init),
    sleep,
    nowMs: () => systemClock.nowMs(),
    monotonicMs: () => systemClock.monotonicMs(),
    newId: () => systemClock.newId(),
    random: () => Math.random(),
    onStop,
    onSignal,
    run,
  };
}

/** https://no-color.org, and FORCE_COLOR for programs that show our output. */
function wantsColour(environment: Environment): boolean {
  if ((environment["NO_COLOR"] ?? "") !== "") return false;
  return process.stdout.isTTY || (environment["FORCE_COLOR"] ?? "") !== "";
}

/** What shells say of a program that a signal ended. */
export function signalExitCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/** A reader sees the old file or the new one, never a part. */
async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}.tmp`;
  await writeFile(draft, text);
  await rename(draft, path);
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString("utf8");
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    signal.addEventListener("abort", wake);
    if (signal.aborted) wake();
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

function onSignal(handle: (signal: EndSignal) => void): () => void {
  for (const signal of END_SIGNALS) process.on(signal, handle);
  return () => {
    for (const signal of END_SIGNALS) process.off(signal, handle);
  };
}

function run([program = "", ...args]: readonly string[], environment: Environment): RunningCommand {
  const child = spawn(program, args, { env: environment, stdio: "inherit" });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? (signal === null ? 1 : signalExitCode(signal))));
  });
  return {
    ended,
    forward: (signal) => {
      // the second of two Ctrl-C makes many programs give up at once
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    },
    kill: (signal) => void child.kill(signal),
  };
}
