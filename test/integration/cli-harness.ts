/**
 * The CLI in a world of memory: what it reads and prints, against a REST server over a fake service.
 */
import { randomUUID } from "node:crypto";
import { stat } from "node:fs/promises";
import { afterEach, beforeEach } from "vitest";
import type { CliIo, EndSignal, Progress, RunningCommand } from "../../server/cli/io.ts";
import { runCli } from "../../server/cli/program.ts";
import type { Environment } from "../../server/config.ts";
import { FakeContextService } from "../support/fake-context-service.ts";
import type { ManualClock } from "../support/manual-clock.ts";
import { startRestServer } from "../support/rest-server.ts";

type Program = (command: readonly string[], environment: Environment) => Promise<number>;

export class TestIo implements CliIo {
  environment: Environment;
  /** Without one, the pauses are short. */
  readonly clock: ManualClock | undefined;
  readonly isColourful = false;
  readonly lines: string[] = [];
  readonly errors: string[] = [];
  readonly files = new Map<string, string>();
  /** Files that were written, or are no text. */
  readonly binaries = new Map<string, Uint8Array>();
  /** What long work showed of how far it was. */
  readonly progress: string[] = [];
  readonly pauses: number[] = [];
  stop = (): void => {};
  /** It ended itself as kill -9 would. */
  isEnded = false;
  /** Sends a signal to the program, as if somebody had. */
  signal = (_signal: EndSignal): void => {};
  /** Signals that the command under it was sent. */
  readonly sent: string[] = [];
  /** Addresses that were shown in a browser. */
  readonly browsed: string[] = [];
  /** What the command under it does. */
  program: Program = async () => 0;
  /** Called at each line of output. */
  onLine = (): void => {};

  constructor(environment: Environment, clock?: ManualClock) {
    this.environment = environment;
    this.clock = clock;
  }
  out(text: string): void {
    this.lines.push(text);
    this.onLine();
  }
  err(text: string): void {
    this.errors.push(text);
  }
  async read(path: string): Promise<string> {
    return Buffer.from(await this.readBytes(path)).toString("utf8");
  }
  async readBytes(path: string): Promise<Uint8Array> {
    const content = this.binaries.get(path) ?? this.files.get(path);
    if (content === undefined) throw Object.assign(new Error(`no ${path}`), { code: "ENOENT" });
    return Buffer.from(content);
  }
  async kindOf(path: string): Promise<"file" | "folder" | undefined> {
    if (this.files.has(path) || this.binaries.has(path)) return "file";
    const found = await stat(path).catch(() => undefined);
    return found && (found.isDirectory() ? "folder" : "file");
  }
  async write(path: string, content: string | Uint8Array): Promise<void> {
    if (path === "-") this.lines.push(Buffer.from(content).toString("utf8").trimEnd());
    else this.binaries.set(path, Buffer.from(content));
  }
  /** The text of a file that was written; undefined when it was not. */
  written(path: string): string | undefined {
    const content = this.binaries.get(path);
    return content && Buffer.from(content).toString("utf8");
  }
  startProgress(title: string): Progress {
    return {
      update: (done, total) => void this.progress.push(`${title} ${done}/${total}`),
      stop: () => void this.progress.push(`${title} ended`),
    };
  }
  fetch(url: string, init: RequestInit): Promise<Response> {
    return fetch(url, init);
  }
  sleep(ms: number, signal: AbortSignal): Promise<void> {
    this.pauses.push(ms);
    const { clock } = this;
    if (clock === undefined) return new Promise((resolve) => void setTimeout(resolve, 1));
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        signal.removeEventListener("abort", wake);
        resolve();
      };
      const cancel = clock.setTimer(ms, wake);
      signal.addEventListener("abort", wake);
    });
  }
  nowMs(): number {
    return this.clock?.nowMs() ?? Date.now();
  }
  newId(): string {
    return this.clock?.newId() ?? randomUUID();
  }
  monotonicMs(): number {
    return this.clock?.monotonicMs() ?? 0;
  }
  random(): number {
    return 0.5;
  }
  onStop(stop: () => void, force = (): void => {}): () => void {
    this.stop = () => {
      this.stop = force;
      stop();
    };
    return () => {};
  }
  endNow(): void {
    this.isEnded = true;
  }
  onSignal(handle: (signal: EndSignal) => void): () => void {
    this.signal = handle;
    return () => {};
  }
  run(command: readonly string[], environment: Environment): RunningCommand {
    return {
      ended: this.program(command, environment),
      forward: (signal) => void this.sent.push(`forward ${signal}`),
      kill: (signal) => void this.sent.push(`kill ${signal}`),
    };
  }
  browse(url: string): void {
    this.browsed.push(url);
  }
}

export const noServer = (): never => {
  throw new Error("serve was not asked for");
};

interface Printed {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A fresh service and server for each test of the file in which it is made. */
export class CliHarness {
  service = new FakeContextService();
  url = "";

  readonly #clock: ManualClock | undefined;

  constructor(clock?: ManualClock) {
    let close = async (): Promise<void> => {};
    this.#clock = clock;
    beforeEach(async () => {
      this.service = new FakeContextService(clock);
      const server = await startRestServer(this.service);
      this.url = server.url;
      close = () => server.close();
    });
    afterEach(() => close());
  }

  readonly mcm = async (args: readonly string[], prepare: (io: TestIo) => void = () => {}): Promise<Printed> => {
    const io = new TestIo({ MCM_URL: this.url, MCM_ACTOR: "zoë" }, this.#clock);
    prepare(io);
    const code = await runCli(args, { io, start: noServer });
    return { code, out: io.lines.join("\n"), err: io.errors.join("\n") };
  };
}
