/**
 * What the CLI touches of the world, so that tests can hand it another one.
 *
 * Not here: the network (rest-client.ts is given a fetch), the server.
 */
import { spawn } from "node:child_process";
import { readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { constants } from "node:os";
import { dirname } from "node:path";
import process from "node:process";
import { Presets, SingleBar } from "cli-progress";
import { systemClock } from "../clock.ts";
import type { Environment } from "../config.ts";
import { makeFolder } from "../storage/store/make-folder.ts";

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

export type ProgressUnit = "bytes" | "contexts";

export interface Progress {
  update(done: number, total: number): void;
  /** Takes it away. */
  stop(): void;
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
  readBytes(path: string): Promise<Uint8Array>;
  /** What stands at the path; undefined when nothing does. */
  kindOf(path: string): Promise<"file" | "folder" | undefined>;
  /** A file, with the folders it is in, whole or not at all; or stdout for "-". */
  write(path: string, content: string | Uint8Array): Promise<void>;
  /** Shows on a terminal how far long work is; elsewhere it shows nothing. */
  startProgress(title: string, unit: ProgressUnit): Progress;
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
  /** Calls `stop` at the first SIGINT or SIGTERM, and `force` at a second one, which ends the process unless given. The returned function undoes it. */
  onStop(stop: () => void, force?: () => void): () => void;
  /** Ends the process as kill -9 does: also when a disk that does not answer holds up what ends it otherwise. */
  endNow(): void;
  /** Calls `handle` at each signal that asks to end; the program then does not end by itself. The returned function undoes it. */
  onSignal(handle: (signal: EndSignal) => void): () => void;
  run(command: readonly string[], environment: Environment): RunningCommand;
  /** Shows an address in the user's browser, where there is one. */
  browse(url: string): void;
}

export function systemIo(environment: Environment): CliIo {
  return {
    environment,
    isColourful: wantsColour(environment),
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    read: async (path) => Buffer.from(await readBytes(path)).toString("utf8"),
    readBytes,
    kindOf,
    write,
    startProgress,
    fetch: (url, init) => fetch(url, init),
    sleep,
    nowMs: () => systemClock.nowMs(),
    monotonicMs: () => systemClock.monotonicMs(),
    newId: () => systemClock.newId(),
    random: () => Math.random(),
    onStop,
    endNow: () => void process.kill(process.pid, "SIGKILL"),
    onSignal,
    run,
    browse: (url) => browse(url, environment),
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

async function readBytes(path: string): Promise<Uint8Array> {
  if (path !== "-") return readFile(path);
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

async function kindOf(path: string): Promise<"file" | "folder" | undefined> {
  try {
    return (await stat(path)).isDirectory() ? "folder" : "file";
  } catch {
    return undefined;
  }
}

async function write(path: string, content: string | Uint8Array): Promise<void> {
  if (path === "-") {
    await new Promise<void>((resolve) => void process.stdout.write(content, () => resolve()));
    return;
  }
  const partial = `${path}.partial`;
  await makeFolder(dirname(path));
  try {
    await writeFile(partial, content, { flush: true });
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

const MEGABYTE = 1024 * 1024;

function startProgress(title: string, unit: ProgressUnit): Progress {
  const shown = (value: number): string => (unit === "bytes" ? `${(value / MEGABYTE).toFixed(1)} MB` : String(value));
  const bar = new SingleBar(
    {
      format: `${title} {bar} {percentage}% | {done} of {all}${unit === "bytes" ? "" : ` ${unit}`} | {eta_formatted} left`,
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
    },
    Presets.shades_classic,
  );
  bar.start(1, 0, { done: shown(0), all: "…" });
  return {
    update: (done, total) => {
      bar.setTotal(Math.max(1, total));
      bar.update(done, { done: shown(done), all: shown(total) });
    },
    stop: () => bar.stop(),
  };
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

function onStop(stop: () => void, force = (): void => process.exit(1)): () => void {
  let isStopping = false;
  const handle = (): void => {
    if (isStopping) return force();
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

function browse(url: string, { DISPLAY = "", WAYLAND_DISPLAY = "" }: Environment): void {
  const [program, ...args] = browserCommand(url);
  if (program === "xdg-open" && DISPLAY === "" && WAYLAND_DISPLAY === "") return;
  const child = spawn(program, args, { stdio: "ignore", detached: true });
  // who has none opens the address, which was printed, by hand
  child.on("error", () => {});
  child.unref();
}

function browserCommand(url: string): [string, ...string[]] {
  if (process.platform === "darwin") return ["open", url];
  if (process.platform === "win32") return ["cmd", "/c", "start", "", url];
  return ["xdg-open", url];
}
