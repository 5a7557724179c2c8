/**
 * A transport that lets somebody see what comes in, before its owner gets it, and tells when it is over.
 */
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/server";

type Handlers = Pick<Transport, "onmessage" | "onerror" | "onclose">;

export class ObservedTransport implements Transport {
  onmessage: Handlers["onmessage"];
  onerror: Handlers["onerror"];
  onclose: Handlers["onclose"];
  readonly ended: Promise<void>;
  readonly #inner: Transport;
  readonly #observe: (message: JSONRPCMessage) => void;
  #end: () => void = () => undefined;

  constructor(inner: Transport, observe: (message: JSONRPCMessage) => void) {
    this.#inner = inner;
    this.#observe = observe;
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  start(): Promise<void> {
    this.#inner.onmessage = (message, extra) => {
      this.#observe(message);
      this.onmessage?.(message, extra);
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
