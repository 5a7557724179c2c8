/**
 * A node's one connection to the others: messages on channels of the database, and locks that last as long as it does.
 *
 * Invariants:
 *  1. A line that was lost is built again until it is closed. Nobody is told what was said meanwhile: `onJoined` says that.
 *  2. A node does not hear what it said itself.
 *  3. A node that stands still loses its line, and the locks with it (`engineLineIdleMs`): others go on.
 *  4. Its connection bears the node's id from when it listens (node-name.ts).
 *
 * Not here: what is said (hint-line.ts, peer-line.ts), leading (leadership.ts), who listens (roll-call.ts).
 */
import pg from "pg";
import { LIMITS } from "../../../../shared/limits.ts";
import type { Clock } from "../../../clock.ts";
import { LINE_NAME, listenerName } from "../node-name.ts";

/** What it is to those who use it. */
export type Line = Pick<NoticeLine, keyof NoticeLine>;

/** PostgreSQL takes 7999 bytes, of which the sender takes some. */
export const NOTICE_BYTES_MAX = 7900;

interface NoticeLineOptions {
  /** Where the engine is now. */
  readonly address: () => string;
  readonly clock: Clock;
  /** Marks this node's own messages, and its connection. */
  readonly node: string;
}

export class NoticeLine {
  readonly #options: NoticeLineOptions;
  readonly #listeners = new Map<string, (message: string, sender: string) => void>();
  readonly #joinedListeners: (() => void)[] = [];
  readonly #lostListeners: (() => void)[] = [];
  readonly #leavers: (() => Promise<void>)[] = [];
  #client: pg.Client | undefined;
  #isOpen = false;
  #isUp = false;
  #joins = 0;
  #cancelRetry: (() => void) | undefined;

  constructor(options: NoticeLineOptions) {
    this.#options = options;
  }

  /** This one, among all that share the database. */
  get node(): string {
    return this.#options.node;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** How often it was built again. */
  get rejoins(): number {
    return Math.max(0, this.#joins - 1);
  }

  /** Before open(). One listener for each channel. */
  hear(channel: string, listener: (message: string, sender: string) => void): void {
    this.#listeners.set(channel, listener);
  }

  /** It listens, perhaps again. */
  onJoined(listener: () => void): void {
    this.#joinedListeners.push(listener);
  }

  /** It does not listen any more, and holds no locks. */
  onLost(listener: () => void): void {
    this.#lostListeners.push(listener);
  }

  /** What is to be said still before it is left; in the order given. */
  onLeaving(leaver: () => Promise<void>): void {
    this.#leavers.push(leaver);
  }

  /** Resolves when it listens. */
  async open(): Promise<void> {
    this.#isOpen = true;
    await this.#connect();
  }

  /** Says what is to be said, for `peerAnswerMs` at most, and closes. */
  async leave(): Promise<void> {
    let cancel = (): void => undefined;
    const isLate = new Promise<void>((resolve) => {
      cancel = this.#options.clock.setTimer(LIMITS.peerAnswerMs, resolve);
    });
    await Promise.race([this.#sayLast(), isLate]);
    cancel();
    this.close();
  }

  close(): void {
    this.#isOpen = false;
    this.#cancelRetry?.();
    this.#drop();
  }

  /** @throws {Error} when it is not told; the line is lost then */
  async say(channel: string, message: string): Promise<void> {
    await this.ask("SELECT pg_notify($1, $2)", [channel, `${this.node} ${message}`]);
  }

  /** A statement on the connection that holds the locks: its first row. @throws {Error}; the line is lost then */
  async ask(text: string, values: readonly string[] = []): Promise<unknown> {
    const client = this.#client;
    if (client === undefined || !this.#isUp) throw new Error("the line is not up");
    try {
      const { rows } = await client.query<Record<string, unknown>>(text, [...values]);
      return rows[0];
    } catch (error) {
      this.#lost(client);
      throw error;
    }
  }

  async #sayLast(): Promise<void> {
    // a line that is lost meanwhile says no more
    for (const leave of this.#leavers) await leave().catch(() => undefined);
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#options.address(),
      application_name: LINE_NAME,
      // hints, words to the others and questions of who leads come as they come
      pipeline: true,
      keepAlive: true,
      connectionTimeoutMillis: LIMITS.engineQueryMs,
      query_timeout: LIMITS.engineQueryMs,
    });
    client.on("error", () => this.#lost(client));
    client.on("end", () => this.#lost(client));
    client.on("notification", ({ channel, payload = "" }) => this.#heard(channel, payload));
    this.#client = client;
    await client.connect();
    const channels = Array.from(this.#listeners.keys(), (channel) => `LISTEN "${channel}"`);
    // what is said need not be on disk
    await client.query(
      `SET synchronous_commit = off; SET idle_session_timeout = ${LIMITS.engineLineIdleMs}; ${channels.join(";")}`,
    );
    await client.query("SELECT set_config('application_name', $1, false)", [listenerName(this.node)]);
    if (this.#client !== client) return;
    this.#isUp = true;
    this.#joins++;
    for (const joined of this.#joinedListeners) joined();
  }

  #heard(channel: string, payload: string): void {
    const at = payload.indexOf(" ");
    const sender = payload.slice(0, at);
    if (sender !== this.node) this.#listeners.get(channel)?.(payload.slice(at + 1), sender);
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
    const wasUp = this.#isUp;
    this.#client = undefined;
    this.#isUp = false;
    client?.end().catch(() => undefined);
    if (wasUp) for (const lost of this.#lostListeners) lost();
  }
}
