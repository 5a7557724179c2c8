/**
 * What a session sent lately, so that a client whose stream broke gets what it missed (`Last-Event-ID`).
 *
 *     event id   6b0c…-….2a        stream . number of the message in the session (base 36)
 *
 * Invariants (MCP-12):
 *  1. Bounded in messages and bytes; the oldest go first. A client that was away for longer misses what is gone.
 *  2. Only messages of the stream that broke are sent again, in order.
 */
import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server";
import { LIMITS } from "../../../../shared/limits.ts";

interface Kept {
  readonly id: string;
  readonly stream: string;
  readonly number: number;
  /** One that only primes a stream is empty. */
  readonly message: JSONRPCMessage;
  readonly bytes: number;
}

const EVENT_ID = /^(.+)\.([0-9a-z]{1,8})$/;

export class ReplayRing implements EventStore {
  readonly #kept: Kept[] = [];
  #bytes = 0;
  #count = 0;

  async storeEvent(stream: string, message: JSONRPCMessage): Promise<string> {
    const number = ++this.#count;
    const id = `${stream}.${number.toString(36)}`;
    const bytes = JSON.stringify(message).length;
    this.#kept.push({ id, stream, number, message, bytes });
    this.#bytes += bytes;
    // the newest stays, however large it is: it is what a broken stream most likely lacks
    while (this.#kept.length > 1 && this.#isFull) this.#bytes -= this.#kept.shift()?.bytes ?? 0;
    return id;
  }

  async getStreamIdForEventId(id: string): Promise<string | undefined> {
    return EVENT_ID.exec(id)?.[1];
  }

  async replayEventsAfter(
    lastId: string,
    { send }: { send: (id: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const [, stream = "", number = ""] = EVENT_ID.exec(lastId) ?? [];
    const after = Number.parseInt(number, 36);
    for (const one of [...this.#kept]) {
      if (one.stream === stream && one.number > after && "jsonrpc" in one.message) await send(one.id, one.message);
    }
    return stream;
  }

  get #isFull(): boolean {
    return this.#bytes > LIMITS.mcpReplayBytesMax || this.#kept.length > LIMITS.mcpReplayMessagesMax;
  }
}
