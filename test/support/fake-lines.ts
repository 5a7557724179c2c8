/**
 * Lines of several nodes over an engine that is a list: what one says the others hear at the next turn of the event loop, in order.
 *
 * Not here: the connection itself (test/contract/shared-log.test.ts has a real one).
 */
import { connectionName, listenerName, NAMES_QUERY } from "../../server/storage/postgres/node-name.ts";
import type { NoticeLine } from "../../server/storage/postgres/lines/notice-line.ts";
import { PeerLine } from "../../server/storage/postgres/lines/peer-line.ts";
import type { Clock } from "../../server/clock.ts";
import type { Peers } from "../../server/storage/peers.ts";
import { turns } from "./event-loop.ts";

/** So many nodes that have joined. */
export async function joinedPeers(count: number, clock: Clock): Promise<readonly JoinedPeers[]> {
  const engine = new FakeEngine();
  const lines = Array.from({ length: count }, () => engine.newLine());
  const joined = lines.map((line) => ({ line, peers: new PeerLine(line, clock) }));
  for (const line of lines) await line.open();
  return joined;
}

export interface JoinedPeers {
  readonly line: FakeLine;
  readonly peers: Peers;
}

export class FakeEngine {
  readonly #lines = new Set<FakeLine>();
  /** What was said, as channel and message. */
  readonly said: string[] = [];
  #count = 0;

  newLine(): FakeLine {
    const line = new FakeLine(`00000000-0000-4000-9000-${String(++this.#count).padStart(12, "0")}`, this);
    this.#lines.add(line);
    return line;
  }

  tell(from: FakeLine, channel: string, message: string): void {
    this.said.push(`${channel} ${message}`);
    for (const line of this.#lines) if (line !== from && line.isUp) line.heard(channel, message, from.node);
  }

  get names(): string {
    const names = [...this.#lines].flatMap(({ node, isUp, isConnected }) => [
      ...(isUp ? [listenerName(node)] : []),
      ...(isConnected ? [connectionName(node)] : []),
    ]);
    return ["mcp-context-manager watch", ...names].join(",");
  }
}

export class FakeLine implements Pick<NoticeLine, keyof NoticeLine> {
  readonly node: string;
  /** It has a connection to read and write by. */
  isConnected = true;
  isUp = false;
  rejoins = 0;
  /** The engine cannot be asked. */
  isMute = false;
  readonly #engine: FakeEngine;
  readonly #listeners = new Map<string, (message: string, sender: string) => void>();
  readonly #joined: (() => void)[] = [];
  readonly #lost: (() => void)[] = [];
  readonly #leavers: (() => Promise<void>)[] = [];

  constructor(node: string, engine: FakeEngine) {
    this.node = node;
    this.#engine = engine;
  }

  hear(channel: string, listener: (message: string, sender: string) => void): void {
    this.#listeners.set(channel, listener);
  }
  onJoined(listener: () => void): void {
    this.#joined.push(listener);
  }
  onLost(listener: () => void): void {
    this.#lost.push(listener);
  }
  onLeaving(leaver: () => Promise<void>): void {
    this.#leavers.push(leaver);
  }

  async open(): Promise<void> {
    this.isUp = true;
    for (const joined of this.#joined) joined();
  }

  /** Its connection breaks. */
  cut(): void {
    this.isUp = false;
    this.rejoins++;
    for (const lost of this.#lost) lost();
  }

  /** All of its connections end. */
  kill(): void {
    this.cut();
    this.isConnected = false;
  }

  async leave(): Promise<void> {
    for (const leave of this.#leavers) await leave();
    this.close();
  }

  close(): void {
    this.kill();
  }

  async say(channel: string, message: string): Promise<void> {
    await turns(1);
    if (!this.isUp) throw new Error("the line is not up");
    this.#engine.tell(this, channel, message);
  }

  async ask(text: string): Promise<unknown> {
    if (!this.isUp || this.isMute) throw new Error("the line is not up");
    return text === NAMES_QUERY ? { names: this.#engine.names } : {};
  }

  heard(channel: string, message: string, sender: string): void {
    this.#listeners.get(channel)?.(message, sender);
  }
}
