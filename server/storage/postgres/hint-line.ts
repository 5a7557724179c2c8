/**
 * How nodes learn at once that another one appended: a word on a channel of the database, after the commit.
 *
 * Invariants:
 *  1. It is lossy: whoever needs all compares heads once a while. Nothing here fails a write.
 *  2. While a message is under way the next ones gather (the first goes at once): a busy node sends few.
 *  3. Not within the transactions that append: that would make all commits of the database wait for each other
 *     (notes/engine.md 1.3).
 *
 * Not here: what is done with a hint (server/context/follower.ts).
 */
import pg from "pg";
import type { ContextId } from "../../../shared/ids.ts";
import { parseContextId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Clock } from "../../clock.ts";

const CHANNEL = "mcm_hints";
/** PostgreSQL takes 7999 bytes. */
const MESSAGE_BYTES_MAX = 7900;

type Listener = (contextId: ContextId, seq: number) => void;

interface HintLineOptions {
  readonly url: string;
  readonly clock: Clock;
}

export class HintLine {
  readonly #options: HintLineOptions;
  /** Marks this node's own messages. */
  readonly #sender: string;
  readonly #listeners = new Set<Listener>();
  /** What is to be told: of each context the newest position. */
  readonly #waiting = new Map<ContextId, number>();
  #client: pg.Client | undefined;
  #isOpen = false;
  #isSending = false;
  #cancelRetry: (() => void) | undefined;

  constructor(options: HintLineOptions) {
    this.#options = options;
    this.#sender = options.clock.newId();
  }

  onHint(listener: Listener): void {
    this.#listeners.add(listener);
  }

  /** Resolves when it listens. */
  async open(): Promise<void> {
    this.#isOpen = true;
    await this.#connect();
  }

  close(): void {
    this.#isOpen = false;
    this.#cancelRetry?.();
    this.#waiting.clear();
    this.#drop();
  }

  tell(contextId: ContextId, seq: number): void {
    if (this.#client === undefined) return;
    this.#waiting.set(contextId, seq);
    if (!this.#isSending) void this.#send(this.#client);
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#options.url,
      application_name: "mcp-context-manager hints",
      keepAlive: true,
      connectionTimeoutMillis: LIMITS.engineQueryMs,
      query_timeout: LIMITS.engineQueryMs,
    });
    client.on("error", () => this.#lost(client));
    client.on("end", () => this.#lost(client));
    client.on("notification", ({ payload = "" }) => this.#heard(payload));
    this.#client = client;
    await client.connect();
    // a hint need not be on disk
    await client.query(`SET synchronous_commit = off; LISTEN ${CHANNEL}`);
  }

  async #send(client: pg.Client): Promise<void> {
    this.#isSending = true;
    try {
      while (this.#waiting.size > 0 && this.#client === client)
        await client.query("SELECT pg_notify($1, $2)", [CHANNEL, this.#message()]);
    } catch {
      this.#lost(client);
    } finally {
      this.#isSending = false;
    }
  }

  #message(): string {
    let message = this.#sender;
    for (const [id, seq] of this.#waiting) {
      const word = ` ${id}:${seq}`;
      if (message.length + word.length > MESSAGE_BYTES_MAX) break;
      message += word;
      this.#waiting.delete(id);
    }
    return message;
  }

  #heard(message: string): void {
    const [sender, ...words] = message.split(" ");
    if (sender === this.#sender) return;
    for (const word of words) {
      const at = word.lastIndexOf(":");
      const id = parseContextId(word.slice(0, at));
      for (const listener of this.#listeners) listener(id, Number(word.slice(at + 1)));
    }
  }

  #lost(client: pg.Client): void {
    if (this.#client !== client) return;
    this.#drop();
    if (!this.#isOpen) return;
    this.#cancelRetry = this.#options.clock.setTimer(LIMITS.headsEveryMs, () => {
      this.#connect().catch(() => this.#client !== undefined && this.#lost(this.#client));
    });
  }

  #drop(): void {
    const client = this.#client;
    this.#client = undefined;
    client?.end().catch(() => undefined);
  }
}
