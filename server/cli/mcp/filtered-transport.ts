/**
 * A transport whose owner gets what somebody made of what came in; it tells when it is over.
 *
 * Invariant: messages keep their order, also while one of them is still looked at.
 */
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/server";

type Handlers = Pick<Transport, "onmessage" | "onerror" | "onclose">;

/** The message to pass on, or undefined for none. */
type Filter = (message: JSONRPCMessage) => Promise<JSONRPCMessage | undefined>;

export class FilteredTransport implements Transport {
  onmessage: Handlers["onmessage"];
  onerror: Handlers["onerror"];
  onclose: Handlers["onclose"];
  readonly ended: Promise<void>;
  readonly #inner: Transport;
  readonly #filter: Filter;
  #passedOn: Promise<void> = Promise.resolve();
  #end: () => void = () => undefined;

  constructor(inner: Transport, filter: Filter) {
    this.#inner = inner;
    this.#filter = filter;
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  start(): Promise<void> {
    this.#inner.onmessage = (message, extra) => {
      const filtered = this.#filter(message);
      this.#passedOn = this.#passedOn
        .then(async () => {
          const kept = await filtered;
          if (kept !== undefined) this.onmessage?.(kept, extra);
        })
        .catch((error: unknown) => this.onerror?.(error instanceof Error ? error : new Error(String(error))));
    };
    this.#inner.onerror = (error) => this.onerror?.(error);
    this.#inner.onclose = () => {
      this.#end();
      this.onclose?.();
    };
    return this.#inner.start();
  }

  send(message: JSONRPCMessage): Promise<void> {
    return this.#inner.send(message);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
