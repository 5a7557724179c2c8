/**
 * A `ws` socket as the sync layer's Connection.
 *
 * Invariants:
 *  1. Batches go to the raw socket as whole frames. `ws` itself writes pongs and the close frame there, whole as well, since
 *     compression is off: so the two never interleave.
 *  2. After close() nothing more is written by us.
 *  3. The socket is read while neither the session holds it back nor its rate does.
 *
 * Not here: what messages mean (sync/session.ts), who may connect (websocket-server.ts).
 */
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { Clock } from "../../clock.ts";
import type { Batch, Connection } from "../../sync/connection.ts";
import { frameBatch } from "./framing.ts";

export class WebSocketConnection implements Connection {
  readonly #webSocket: WebSocket;
  readonly #socket: Duplex;
  #isHeldBack = false;
  #cancelDelay: (() => void) | undefined;

  constructor(webSocket: WebSocket, socket: Duplex) {
    this.#webSocket = webSocket;
    this.#socket = socket;
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  send(batch: Batch): void {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return;
    this.#socket.write(frameBatch(batch));
  }

  onDrained(task: () => void): void {
    // an empty write is called back when all before it has been taken; on a destroyed socket with an error, for nobody
    this.#socket.write(NOTHING, (error) => {
      if (error === null || error === undefined) task();
    });
  }

  /** Too much came: nothing is read for so long. */
  delay(clock: Clock, ms: number, onOver: () => void): void {
    this.#cancelDelay?.();
    this.#webSocket.pause();
    this.#cancelDelay = clock.setTimer(ms, () => {
      this.#cancelDelay = undefined;
      if (!this.#isHeldBack) this.#webSocket.resume();
      onOver();
    });
  }

  /** It is not read, and so gives no sign of life. */
  get isDelayed(): boolean {
    return this.#cancelDelay !== undefined;
  }

  pause(): void {
    this.#isHeldBack = true;
    this.#webSocket.pause();
  }

  resume(): void {
    this.#isHeldBack = false;
    if (!this.isDelayed) this.#webSocket.resume();
  }

  /** The socket is gone. */
  closed(): void {
    this.#cancelDelay?.();
    this.#cancelDelay = undefined;
  }

  close(code: number, reason: string): void {
    this.closed();
    // a paused socket would never see the peer's answer
    this.#webSocket.resume();
    this.#webSocket.close(code, reason);
  }
}

const NOTHING = new Uint8Array(0);
