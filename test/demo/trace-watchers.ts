/** Those who only look while a trace is replayed: a stock Yjs client and a program that polls over REST. */
import { setTimeout } from "node:timers/promises";
import { RestCaller } from "../support/rest-caller.ts";
import { openStockClient } from "../support/stock-client.ts";
import type { StockClient } from "../support/stock-client.ts";
import { TEXT, hasArrived, textOf } from "./desk.ts";
import type { Figures } from "./figures.ts";
import type { Sent } from "./trace-author.ts";

interface Place {
  readonly url: string;
  readonly contextId: string;
}

/** Measures how long edits take to reach it. */
export class StockWatcher {
  readonly #client: StockClient;
  readonly #figures: Figures;
  /** What each author sent and has not been seen here. */
  readonly #awaited: Sent[][] = [];

  private constructor(client: StockClient, figures: Figures) {
    this.#client = client;
    this.#figures = figures;
    client.doc.on("update", () => this.#look());
  }

  static async join(place: Place, figures: Figures): Promise<StockWatcher> {
    const client = openStockClient({ ...place, actor: "stock-watcher" });
    await client.synced();
    return new StockWatcher(client, figures);
  }

  expect(author: number, sent: Sent): void {
    (this.#awaited[author] ??= []).push(sent);
  }

  /** Resolves with the text when everything expected has come. */
  async finish(): Promise<string> {
    for (this.#look(); this.#awaited.some(({ length }) => length > 0); this.#look()) {
      await new Promise((resolve) => this.#client.doc.once("update", resolve));
    }
    return textOf(this.#client.doc).toJSON();
  }

  online(): Promise<void> {
    return this.#client.synced();
  }

  leave(): void {
    this.#client.close();
  }

  #look(): void {
    const nowMs = performance.now();
    for (const queue of this.#awaited) {
      const late = queue.findIndex((sent) => !hasArrived(this.#client.doc, sent));
      for (const { atMs, era, insertsText } of queue.splice(0, late < 0 ? queue.length : late)) {
        // a deletion has no clock of its own to go by: it may have come with the edit before
        if (this.#figures.wasCalmSince(era) && insertsText) this.#figures.propagation.add(nowMs - atMs);
      }
    }
  }
}

const POLL_MS = 50;

/** Reads the context again and again; versions it is shown must never go back, not even over a crash. */
export class RestPoller {
  readonly #rest: RestCaller;
  readonly #contextId: string;
  readonly #stopped = new AbortController();
  readonly #polling: Promise<void>;
  reads = 0;
  /** Reads that failed while the server was down. */
  failures = 0;
  #version = 0;

  constructor({ url, contextId }: Place) {
    this.#rest = new RestCaller(url, "rest-poller");
    this.#contextId = contextId;
    this.#polling = this.#poll();
    // its error is for finish(); until then it must not count as unhandled
    this.#polling.catch(() => {});
  }

  /** The text, in a last read. */
  async finish(): Promise<string> {
    this.#stopped.abort();
    await this.#polling;
    return this.#read();
  }

  async #poll(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await this.#read().catch((error: unknown) => {
        // fetch says TypeError when there is nobody to talk to
        if (!(error instanceof TypeError)) throw error;
        this.failures++;
      });
      await setTimeout(POLL_MS, undefined, { signal: this.#stopped.signal }).catch(() => {});
    }
  }

  async #read(): Promise<string> {
    const { version, data } = await this.#rest.read(this.#contextId);
    if (version < this.#version) throw new Error(`REST showed version ${this.#version}, then ${version}.`);
    this.#version = version;
    this.reads++;
    return String(Reflect.get(Object(data), TEXT));
  }
}
