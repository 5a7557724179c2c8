/** A stock Yjs client on the server: a Y.Doc on y-websocket's own provider, as an editor would have it. */
import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";

export interface StockClient {
  readonly doc: Y.Doc;
  readonly provider: WebsocketProvider;
  /** Resolves when the document holds what the server had; rejects when the server will not have us. */
  readonly synced: () => Promise<void>;
  readonly close: () => void;
}

export interface StockOptions {
  readonly url: string;
  readonly contextId: string;
  /** A name for itself, on an open server. */
  readonly actor?: string;
  readonly token?: string;
  /** A document with content of its own; a new one unless given. */
  readonly doc?: Y.Doc;
  /** What it connects with. */
  readonly WebSocket?: typeof globalThis.WebSocket;
}

/** The part of the DOM's class that y-websocket uses is the same in both. */
const NodeWebSocket = WebSocket as unknown as typeof globalThis.WebSocket;

export function openStockClient({ url, contextId, actor, token, ...more }: StockOptions): StockClient {
  const { doc = new Y.Doc(), WebSocket: WebSocketPolyfill = NodeWebSocket } = more;
  const provider = new WebsocketProvider(`${url.replace(/^http/, "ws")}/sync`, contextId, doc, {
    params: token === undefined ? { actor: actor ?? "anonymous" } : { token },
    WebSocketPolyfill,
    // two providers in one process would sync past the server
    disableBc: true,
  });
  return {
    doc,
    provider,
    synced: () =>
      new Promise((resolve, reject) => {
        if (provider.synced) resolve();
        provider.on("sync", (isSynced) => isSynced && resolve());
        provider.on("closed", ({ code, reason }) => reject(new Error(`The server closed with ${code} ${reason}`)));
      }),
    close: () => {
      provider.destroy();
      doc.destroy();
    },
  };
}
