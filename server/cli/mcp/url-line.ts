/**
 * The way to a server at an address: what `mcm mcp --url` works with.
 */
import { ServiceError } from "../../../shared/errors.ts";
import type { CliIo } from "../io.ts";
import { RestClient } from "../rest-client.ts";
import type { RestTarget } from "../rest-client.ts";
import { gone, pauseMs } from "./line.ts";
import type { Line } from "./line.ts";

/** A call that says nothing for so long is made again; waiting for a lock has its own time. */
const CALL_MS_MAX = 60_000;
/** With the pauses some five seconds: a restart of the server; longer, and an agent should know. */
const FAILURES_MAX = 9;

export class UrlLine implements Line {
  readonly client: RestClient;
  readonly #url: string;
  readonly #io: Pick<CliIo, "sleep" | "random">;

  constructor(target: RestTarget, io: Pick<CliIo, "fetch" | "sleep" | "random">) {
    this.#url = target.url;
    this.#io = io;
    this.client = new RestClient({ ...target, door: "mcp" }, (url, init) =>
      io.fetch(url, { ...init, signal: init.signal ?? AbortSignal.timeout(CALL_MS_MAX) }),
    );
  }

  async recover(failures: number, signal: AbortSignal): Promise<void> {
    if (failures > FAILURES_MAX) {
      throw new ServiceError(
        "UNREACHABLE",
        `The server at ${this.#url} does not answer. See that it runs, or try later.`,
      );
    }
    await this.#io.sleep(pauseMs(failures, this.#io.random()), signal);
    if (signal.aborted) throw gone();
  }
}
