/**
 * The local hub: of all `mcm mcp` processes of a user one serves the data folder to the others, and when it goes another one
 * takes over. The lock of the data folder decides who; nobody has to be told.
 *
 *   reach:  does a hub answer at the socket? → use it
 *           else open the folder: → this process is the hub now
 *           else (somebody has it, and does not answer yet) → a moment later again
 *
 * Invariants (HUB):
 *  1. At any time at most one process has the data folder open.
 *  2. A hub's own calls go through the socket like those of the others: there is one way to write.
 *
 * Not here: what is asked of it (remote-contexts.ts), where it is (hub-place.ts).
 */
import { dirname } from "node:path";
import { ServiceError, toServiceError } from "../../../shared/errors.ts";
import type { TokenSource } from "../bearer-token.ts";
import type { CliIo } from "../io.ts";
import { RestClient } from "../rest-client.ts";
import { makePrivate } from "./hub-place.ts";
import type { HubPlace } from "./hub-place.ts";
import { gone, pauseMs } from "./line.ts";
import type { Line } from "./line.ts";
import { socketFetch } from "./socket-fetch.ts";
import type { SocketFetch } from "./socket-fetch.ts";

/** A server on the folder, at the socket. @throws {ServiceError} DATA_DIR_LOCKED while another process has it */
export type StartHub = (place: HubPlace) => Promise<{ close(): Promise<void> }>;

interface HubOptions {
  readonly place: HubPlace;
  readonly actor: string;
  readonly userId: number;
  readonly start: StartHub;
  readonly io: Pick<CliIo, "sleep" | "random" | "monotonicMs">;
}

/** The name in the Host header: the socket is no host. */
const URL_OF_HUB = "http://localhost";
/** The socket proves whose process asks. */
const NO_TOKEN: TokenSource = { read: async () => undefined, environment: {} };
/** Longer than a large folder takes to open after a crash. */
const REACH_MS_MAX = 30_000;

export class Hub implements Line {
  readonly client: RestClient;
  readonly #options: HubOptions;
  readonly #socket: SocketFetch;
  #server: { close(): Promise<void> } | undefined;
  #reaching: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: HubOptions) {
    this.#options = options;
    this.#socket = socketFetch(options.place.socket);
    this.client = new RestClient(
      { url: URL_OF_HUB, actor: options.actor, token: NO_TOKEN, door: "mcp" },
      async (url, init) => {
        // the first call finds it, or becomes it
        await (this.#reaching ??= this.#reach());
        return this.#socket.fetch(url, init);
      },
    );
  }

  /** This process serves the others. */
  get isHub(): boolean {
    return this.#server !== undefined;
  }

  async recover(failures: number, signal: AbortSignal): Promise<void> {
    const { io } = this.#options;
    await io.sleep(pauseMs(failures, io.random()), signal);
    if (signal.aborted) throw gone();
    if (this.#server === undefined) this.#reaching = undefined;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#reaching?.catch(() => undefined);
    this.#socket.close();
    await this.#server?.close();
  }

  async #reach(): Promise<void> {
    const { place, userId, io } = this.#options;
    const endsAtMs = io.monotonicMs() + REACH_MS_MAX;
    await makePrivate([place.dataDir, ...(userId < 0 ? [] : [dirname(place.socket)])], userId);
    for (let failures = 0; !this.#isClosed; failures++) {
      if (await this.#answers()) return;
      if (await this.#became()) return;
      if (io.monotonicMs() > endsAtMs) throw unreachable(place);
      await io.sleep(pauseMs(failures, io.random()), new AbortController().signal);
    }
    throw gone();
  }

  async #answers(): Promise<boolean> {
    const signal = AbortSignal.timeout(2000);
    return this.#socket.fetch(`${URL_OF_HUB}/healthz`, { signal }).then(
      async ({ ok, body }) => {
        await body?.cancel();
        return ok;
      },
      () => false,
    );
  }

  async #became(): Promise<boolean> {
    try {
      this.#server = await this.#options.start(this.#options.place);
      return true;
    } catch (error) {
      if (toServiceError(error).code !== "DATA_DIR_LOCKED") throw error;
      return false;
    }
  }
}

function unreachable({ dataDir }: HubPlace): ServiceError {
  return new ServiceError(
    "UNREACHABLE",
    `Another process has ${dataDir} open and does not answer. If it is a server ('mcm serve'), reach it with --url; if it hangs, end it.`,
  );
}
