/**
 * The built server as a child process that can be killed with -9 and started again on the same data.
 *
 * 1. Every wait is for an event: the line that says where it listens, or the end of the process. Nothing sleeps.
 * 2. Only the process it started is ever signalled, and none is left behind when this process ends.
 * 3. A server that ends before it listens is an error that quotes what it said.
 *
 * Not here: building it (scripts/bootstrap.mjs), measuring it (test/bench).
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../dist/server/main.js", import.meta.url));
const READY = /^Ready at (http:\/\/\S+?),/;
const READY_MS_MAX = 30_000;
const OUTPUT_LINES_MAX = 30;
/** Others may take the port while the server is down: a client that connects to it can even meet itself there. */
const RESTARTS_MAX = 10;

export interface ServerProcessOptions {
  readonly dataDir: string;
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** More flags for the server. */
  readonly flags?: readonly string[];
  /** Flags for node, such as an --import that plants a fault. */
  readonly nodeFlags?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** How long it may take until it listens. */
  readonly readyMs?: number;
}

export class ServerProcess {
  readonly #options: ServerProcessOptions;
  #child: ChildProcess;
  #url: string;
  #said: readonly string[];

  private constructor(options: ServerProcessOptions, { child, url, said }: Listening) {
    this.#options = options;
    this.#child = child;
    this.#url = url;
    this.#said = said;
  }

  static async start(options: ServerProcessOptions): Promise<ServerProcess> {
    return new ServerProcess(options, await launch(options));
  }

  /** Such as http://127.0.0.1:40123; the same after a restart. */
  get url(): string {
    return this.#url;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** kill -9. Resolves when the process is gone. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Asks it to stop; resolves with its exit code when it has, undefined when a signal ended it. */
  async stop(): Promise<number | undefined> {
    await this.#end("SIGTERM");
    return this.#child.exitCode ?? undefined;
  }

  /** Resolves when it has said this. */
  async saying(line: string): Promise<void> {
    while (!this.#said.includes(line)) await once(this.#child.stderr ?? this.#child, "data");
  }

  /** Sends a signal and waits for nothing. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The last lines that it said. */
  get said(): readonly string[] {
    return this.#said;
  }

  /** Starts it again after `kill` or `stop`, on the same port and data. */
  async restart(): Promise<void> {
    const options = { ...this.#options, port: Number(new URL(this.#url).port) };
    for (let attempt = 1; ; attempt++) {
      try {
        ({ child: this.#child, said: this.#said } = await launch(options));
        return;
      } catch (error) {
        if (attempt === RESTARTS_MAX || !String(error).includes("EADDRINUSE")) throw error;
      }
    }
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    // `close` comes after the last line of output
    const ended = once(child, "close");
    child.kill(signal);
    await ended;
  }
}

interface Listening {
  readonly child: ChildProcess;
  readonly url: string;
  readonly said: readonly string[];
}

async function launch({
  dataDir,
  port = 0,
  flags = [],
  nodeFlags = [],
  environment = {},
  readyMs = READY_MS_MAX,
}: ServerProcessOptions): Promise<Listening> {
  const own = ["--port", String(port), "--data-dir", dataDir, "--log-level", "warn"];
  const args = [...nodeFlags, MAIN, "serve", ...own, ...flags];
  // Playwright asks for colours, which would end up in the address
  const env = { ...process.env, FORCE_COLOR: undefined, NO_COLOR: "1", ...environment };
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const endWithUs = (): void => void child.kill("SIGKILL");
  process.once("exit", endWithUs);
  child.once("exit", () => process.off("exit", endWithUs));
  try {
    const said: string[] = [];
    return { child, url: await listening(child, said, readyMs), said };
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}

function listening(child: ChildProcess, output: string[], readyMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (what: string): void => reject(new Error(`The server ${what}. It said:\n${output.join("\n")}`));
    const timer = setTimeout(fail, readyMs, `was not ready after ${readyMs} ms`);
    // both streams are read to their end: a server that logs must not block on a full pipe
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        output.push(line);
        if (output.length > OUTPUT_LINES_MAX) output.shift();
        const url = READY.exec(line)?.[1];
        if (url === undefined) return;
        clearTimeout(timer);
        resolve(url);
      });
    }
    child.once("error", (error) => fail(`did not start: ${error.message}`));
    // `close` comes after the last line of output, `exit` may come before it
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      fail(`ended with ${code ?? signal}`);
    });
  });
}
