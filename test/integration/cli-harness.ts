/**
 * The CLI in a world of memory: what it reads and prints, against a REST server over a fake service.
 */
import { afterEach, beforeEach } from "vitest";
import type { CliIo } from "../../server/cli/io.ts";
import { runCli } from "../../server/cli/program.ts";
import type { Environment } from "../../server/config.ts";
import { FakeContextService } from "../support/fake-context-service.ts";
import { startRestServer } from "../support/rest-server.ts";

export class TestIo implements CliIo {
  readonly environment: Environment;
  readonly isColourful = false;
  readonly lines: string[] = [];
  readonly errors: string[] = [];
  readonly files = new Map<string, string>();
  readonly pauses: number[] = [];
  stop = (): void => {};
  /** Called at each line of output. */
  onLine = (): void => {};

  constructor(environment: Environment) {
    this.environment = environment;
  }
  out(text: string): void {
    this.lines.push(text);
    this.onLine();
  }
  err(text: string): void {
    this.errors.push(text);
  }
  async read(path: string): Promise<string> {
    const text = this.files.get(path);
    if (text === undefined) throw Object.assign(new Error(`no ${path}`), { code: "ENOENT" });
    return text;
  }
  fetch(url: string, init: RequestInit): Promise<Response> {
    return fetch(url, init);
  }
  async sleep(ms: number): Promise<void> {
    this.pauses.push(ms);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  random(): number {
    return 0.5;
  }
  onStop(stop: () => void): () => void {
    this.stop = stop;
    return () => {};
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

  constructor() {
    let close = async (): Promise<void> => {};
    beforeEach(async () => {
      this.service = new FakeContextService();
      const server = await startRestServer(this.service);
      this.url = server.url;
      close = () => server.close();
    });
    afterEach(() => close());
  }

  readonly mcm = async (args: readonly string[], prepare: (io: TestIo) => void = () => {}): Promise<Printed> => {
    const io = new TestIo({ MCM_URL: this.url, MCM_ACTOR: "zoë" });
    prepare(io);
    const code = await runCli(args, { io, start: noServer });
    return { code, out: io.lines.join("\n"), err: io.errors.join("\n") };
  };
}
