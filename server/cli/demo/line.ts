/**
 * The way from one agent to the server, which can be cut like a network cable: what is connected breaks, and nothing
 * connects until it is whole again.
 */
import { platformWebSocket } from "../../../client/socket.ts";
import type { WebSocketClass } from "../../../client/socket.ts";

export interface Line {
  readonly WebSocket: WebSocketClass;
  cut(): void;
  mend(): void;
}

export async function createLine(): Promise<Line> {
  const Base = await platformWebSocket();
  const sockets = new Set<WebSocket>();
  let isWhole = true;
  class LineSocket extends Base {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      sockets.add(this);
      this.addEventListener("close", () => sockets.delete(this));
      if (!isWhole) this.close();
    }
  }
  return {
    WebSocket: LineSocket,
    cut() {
      isWhole = false;
      for (const socket of sockets) socket.close();
    },
    mend() {
      isWhole = true;
    },
  };
}
