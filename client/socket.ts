/**
 * The WebSocket class the SDK connects with.
 *
 * 1. Browsers, Deno and workers have one; Node gets that of `ws` in every release, so that there is one behaviour. For
 *    bundlers the import resolves to the empty stub that `ws` has for browsers.
 * 2. y-websocket throws out of `onmessage` when a message is damaged, which ends a Node process. Here such a message
 *    ends the connection instead; the next one begins with a sync, which repairs whatever was missed.
 */
import { isNode } from "lib0/environment";

export type WebSocketClass = typeof WebSocket;

export async function platformWebSocket(): Promise<WebSocketClass> {
  if (!isNode) return globalThis.WebSocket;
  const { WebSocket: NodeWebSocket } = await import("ws");
  // the part of the DOM's class that y-websocket uses is the same in both
  return NodeWebSocket as unknown as WebSocketClass;
}

export function guarded(Base: WebSocketClass): WebSocketClass {
  return class extends Base {
    override get onmessage() {
      return super.onmessage;
    }

    override set onmessage(handler) {
      super.onmessage = handler === null ? null : (event) => this.#handle(handler, event);
    }

    #handle(handler: (this: WebSocket, event: MessageEvent) => unknown, event: MessageEvent): void {
      try {
        handler.call(this, event);
      } catch {
        this.close();
      }
    }
  };
}
