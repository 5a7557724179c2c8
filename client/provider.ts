/**
 * y-websocket's provider, taught mcm.v1: it numbers its data frames, and hands our frames to the replica.
 *
 * Invariants:
 *  1. Nothing is sent on a connection before the server said what it has and sent what we lack: an edit that builds on
 *     unsent offline edits must not overtake them.
 *  2. The n-th data frame sent on a connection is the server's n-th: all of them go through `sendUpdate`.
 *  3. Reconnects are spread (reconnect-delay.ts) and a connect that hangs is given up.
 *  4. Each connection shows a token that is not known to be over, as a subprotocol: an address would be logged. While it
 *     lasts it is told newer ones. After a refusal of one (4401) another is tried once, if there may be another.
 *
 * BroadcastChannel is off: it would carry refused edits from tab to tab past the server. So is resyncInterval, which
 * throws on Node, and the exit listener, of which Node warns when there are more than ten.
 *
 * Not here: what frames mean for the document (replica.ts).
 */
import * as decoding from "lib0/decoding";
import { isNode } from "lib0/environment";
import { WebsocketProvider } from "y-websocket";
import type { Awareness } from "y-protocols/awareness";
import type * as Y from "yjs";
import type { ServiceError } from "../shared/errors.ts";
import type { ServerExtension } from "../shared/protocol/server-frames.ts";
import { FRAME, SYNC, encodeBase, encodeRequest, encodeToken, encodeUpdate } from "../shared/protocol/frames.ts";
import { decodeServerExtension } from "../shared/protocol/server-frames.ts";
import { SUBPROTOCOL, TOKEN_PROTOCOL } from "../shared/protocol/version.ts";
import { UNAUTHENTICATED, closeError, isTerminalClose } from "./close-error.ts";
import type { Unsubscribe } from "./emitter.ts";
import type { OutgoingRequest } from "./pending-requests.ts";
import { reconnectDelayMs } from "./reconnect-delay.ts";
import { guarded } from "./socket.ts";
import type { WebSocketClass } from "./socket.ts";
import type { Tokens } from "./tokens.ts";

const CONNECT_MS_MAX = 10_000;

/** Types from `hello` to here are ours, also those of later releases; y-websocket would log an error for each it gets. */
const EXTENSION_MAX = 127;

export interface ProviderOptions {
  /** ws://host:port/sync */
  readonly url: string;
  readonly contextId: string;
  readonly params: Record<string, string>;
  readonly tokens?: Tokens | undefined;
  readonly WebSocket: WebSocketClass;
}

/** What the provider tells its replica. */
export interface ProviderListener {
  received(extension: ServerExtension): void;
  /** The first sync of a connection is complete. */
  synced(): void;
  connectionLost(): void;
  /** The server will not have us back. */
  closed(error: ServiceError): void;
}

interface PresenceChange {
  readonly added: readonly number[];
  readonly updated: readonly number[];
  readonly removed: readonly number[];
}

export class DurableProvider extends WebsocketProvider {
  readonly #listener: ProviderListener;
  #framesSent = 0;
  /** The server takes `base` frames; the newest version that it was told. */
  #takesBase = false;
  #baseSent = -1;
  /** The server asked what we have. */
  #isAsked = false;
  #isReady = false;
  #isDestroyed = false;
  #connectTimer: ReturnType<typeof setTimeout> | undefined;
  #reconnectTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #tokens: Tokens | undefined;
  readonly #unfollow: Unsubscribe | undefined;
  /** The token that the connection was told last. */
  #shownToken = "";
  /** A token was refused, and none was taken since. */
  #wasRefused = false;

  constructor(options: ProviderOptions, doc: Y.Doc, awareness: Awareness, listener: ProviderListener) {
    super(options.url, options.contextId, doc, {
      connect: false,
      awareness,
      params: options.params,
      protocols: [SUBPROTOCOL],
      WebSocketPolyfill: guarded(options.WebSocket),
      disableBc: true,
      shouldReconnect: ({ code }) => !isTerminalClose(code) || (code === UNAUTHENTICATED && this.#hasAnotherToken()),
      // its own attempts come to nothing: see #forgetConnection
      maxBackoffTime: 0,
    });
    this.#listener = listener;
    this.#tokens = options.tokens;
    this.#unfollow = this.#tokens?.follow((token) => {
      if (this.wsconnected) this.ws?.send(encodeToken(this.#shown(token)));
    });
    // edits go out through sendUpdate only
    doc.off("update", this._updateHandler);
    if (isNode) globalThis.process.off("exit", this._exitHandler);
    this.#announceOnlySelf();
    this.#handleFrames();
    this.on("sync", (isSynced) => {
      if (isSynced) this.#becomeReady();
    });
    this.on("status", ({ status }) => this.#watchConnecting(status));
    this.on("connection-close", () => this.#forgetConnection());
    this.on("closed", (frame) => listener.closed(closeError(frame)));
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /**
   * Sends a data frame and returns its number; undefined while the connection is not ready. `baseVersion` is one that the
   * replica included when the update was made.
   */
  sendUpdate(update: Uint8Array, baseVersion: number | undefined): number | undefined {
    if (!this.#isReady) return undefined;
    if (this.#takesBase && baseVersion !== undefined && baseVersion > this.#baseSent) {
      this.#baseSent = baseVersion;
      this.ws?.send(encodeBase(baseVersion));
    }
    this.ws?.send(encodeUpdate(update));
    return ++this.#framesSent;
  }

  sendRequest({ id, method, params }: OutgoingRequest): void {
    this.ws?.send(encodeRequest(id, method, params));
  }

  override connect(): void {
    if (this.#tokens === undefined) super.connect();
    else void this.#connectWith(this.#tokens);
  }

  /** The listener hears no more of this provider, not even of the connection that ends with it. */
  override destroy(): void {
    this.#isDestroyed = true;
    this.#unfollow?.();
    clearTimeout(this.#reconnectTimer);
    super.destroy();
  }

  async #connectWith(tokens: Tokens): Promise<void> {
    try {
      const token = await tokens.get();
      this.protocols = [SUBPROTOCOL, TOKEN_PROTOCOL + this.#shown(token)];
    } catch {
      // none is to be had now, as the server may not be
      if (this.#isDestroyed) return;
      this.wsUnsuccessfulReconnects++;
      this.#connectLater();
      return this.#listener.connectionLost();
    }
    if (!this.#isDestroyed) super.connect();
  }

  #connectLater(): void {
    const delayMs = reconnectDelayMs(this.wsUnsuccessfulReconnects + 1, Math.random());
    this.#reconnectTimer = setTimeout(() => this.connect(), delayMs);
  }

  #shown(token: string): string {
    this.#shownToken = token;
    return token;
  }

  /** Instead of the one that was refused. */
  #hasAnotherToken(): boolean {
    if (this.#wasRefused || this.#tokens?.areRenewable !== true) return false;
    this.#wasRefused = true;
    this.#tokens.refused(this.#shownToken);
    return true;
  }

  /** y-websocket sends every presence it hears back to the server: of n clients each would send the changes of all n. */
  #announceOnlySelf(): void {
    const announce = this._awarenessUpdateHandler;
    this.awareness.off("update", announce);
    this._awarenessUpdateHandler = ({ added, updated, removed }: PresenceChange, origin: unknown) => {
      const own = [...added, ...updated, ...removed].filter((id) => id === this.doc.clientID);
      if (own.length > 0) announce({ added: own, updated: [], removed: [] }, origin);
    };
    this.awareness.on("update", this._awarenessUpdateHandler);
  }

  #handleFrames(): void {
    const readSync = this.messageHandlers[FRAME.sync];
    this.messageHandlers[FRAME.sync] = (...args) => {
      const [, decoder] = args;
      if (decoding.peekVarUint(decoder) !== SYNC.step1) return readSync?.(...args);
      if (this.#isReady) {
        // the server asks again because it misses something: the answer, a data frame, is all that it lacks
        this.#framesSent++;
        return readSync?.(...args);
      }
      decoding.readVarUint(decoder);
      decoding.readVarUint8Array(decoder);
      this.#isAsked = true;
      this.#becomeReady();
    };
    for (let type: number = FRAME.hello; type <= EXTENSION_MAX; type++) {
      this.messageHandlers[type] = (_encoder, decoder) => {
        const extension = decodeServerExtension(type, decoder);
        if (extension.type === "hello") this.#takesBase = extension.hello.firstEpoch !== undefined;
        this.#listener.received(extension);
      };
    }
  }

  #becomeReady(): void {
    if (this.#isReady || !this.synced || !this.#isAsked) return;
    this.#isReady = true;
    this.#wasRefused = false;
    this.#listener.synced();
  }

  #watchConnecting(status: "connected" | "connecting" | "disconnected"): void {
    clearTimeout(this.#connectTimer);
    if (status === "connecting") this.#connectTimer = setTimeout(() => this.ws?.close(), CONNECT_MS_MAX);
  }

  /** Runs before y-websocket sets the timer of its next attempt, which could not wait for a token: ours takes its place. */
  #forgetConnection(): void {
    clearTimeout(this.#connectTimer);
    this.#framesSent = 0;
    this.#takesBase = false;
    this.#baseSent = -1;
    this.#isAsked = false;
    this.#isReady = false;
    if (this.shouldConnect) this.#connectLater();
    this.shouldConnect = false;
    if (!this.#isDestroyed) this.#listener.connectionLost();
  }
}
