/**
 * A server under test as a child process: pinned to its core, asked through the probe, and never left behind.
 *
 * 1. Ends only the process it started, by its handle. If this process dies, the probe ends the server.
 * 2. A server that does not say where it listens within 20 s, or ends early, is an error that quotes its last output.
 *
 * Not here: which servers there are (servers/).
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { assertPinned, cpuMs, pinned, rssKb } from "./cpu.ts";
import type { ServerAdapter } from "./servers/adapter.ts";

const READY_MS_MAX = 20_000;
const STOP_MS_MAX = 15_000;
const OUTPUT_LINES_MAX = 20;
const PROBE = new URL("probe.mjs", import.meta.url).href;

export interface RunningServer {
  readonly pid: number;
  /** `http://127.0.0.1:port` */
  readonly url: URL;
  cpuMs(): number;
  /** Resident KB: at its peak, or now, after a full garbage collection. */
  peakRssKb(): number;
  settledRssKb(): Promise<number>;
  /** From here on the probe watches, and profiles if the run is asked to. */
  watch(): Promise<void>;
  /** Ends it; tells the longest time in ms that the event loop did not turn since watch(). */
  watched(): Promise<number>;
  /** Asks it to stop (SIGTERM) and resolves when it has ended. */
  stop(): Promise<void>;
}

export async function startServer(adapter: Pick<ServerAdapter, "command">, dataDir: string): Promise<RunningServer> {
  const { argv, env, urlIn } = await adapter.command(dataDir);
  const [file = "", ...args] = pinned("server", [process.execPath, "--expose-gc", "--import", PROBE, ...argv]);
  const child = spawn(file, args, {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    env: { ...process.env, NODE_ENV: "production", ...env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const stop = (): Promise<void> => stopped(child);
  try {
    const url = await listening(child, urlIn);
    assertPinned("server", child.pid ?? 0);
    return { ...view(child), url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function listening(child: ChildProcess, urlIn: (line: string) => string | undefined): Promise<URL> {
  const output: string[] = [];
  return new Promise((resolve, reject) => {
    const fail = (what: string): void =>
      reject(new Error(`The server ${what}. Its last output:\n${output.join("\n")}`));
    const timer = setTimeout(fail, READY_MS_MAX, `did not say within ${READY_MS_MAX} ms where it listens`);
    const onLine = (line: string): void => {
      output.push(line);
      if (output.length > OUTPUT_LINES_MAX) output.shift();
      const url = urlIn(line);
      if (url === undefined) return;
      clearTimeout(timer);
      resolve(new URL(url));
    };
    // both streams are read to their end: a server that logs must not block on a full pipe
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on("line", onLine);
    }
    child.once("error", (error) => fail(`did not start: ${error.message}`));
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      fail(`ended with ${code ?? signal}`);
    });
  });
}

function view(child: ChildProcess): Omit<RunningServer, "url" | "stop"> {
  const pid = child.pid ?? 0;
  return {
    pid,
    cpuMs: () => cpuMs(pid),
    peakRssKb: () => rssKb(pid, "peak"),
    async settledRssKb() {
      await ask(child, "collect-garbage");
      return rssKb(pid);
    },
    async watch() {
      await ask(child, "watch");
    },
    watched: async () => (await ask(child, "watched")).eventLoopMaxMs ?? Number.NaN,
  };
}

async function ask(child: ChildProcess, question: string): Promise<{ readonly eventLoopMaxMs?: number }> {
  child.send(question);
  const [answer] = (await once(child, "message")) as [{ eventLoopMaxMs?: number }];
  return answer;
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
  await ended;
  clearTimeout(timer);
}
