/**
 * One WebSocket from its upgrade to its end: who it is, its session, its signs of life, and how fast it is read.
 *
 * Invariants (WS):
 *  1. Nothing is read from a client before its session is open, so an opening session needs no queue.
 *  2. Who sends more than its rate loses nothing: it is not read until the rate allows it, and TCP tells it to wait.
 *  3. It keeps nothing of the upgrade's request: thousands of idle connections would each hold one.
 *
 * Not here: which upgrades are taken (websocket-server.ts), frames and their meaning (sync/session.ts).
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { RawData, WebSocket } from "ws";
import { ServiceError, toServiceError } from "../../../shared/errors.ts";
import { parseContextId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { FRAME } from "../../../shared/protocol/frames.ts";
import { SUBPROTOCOL } from "../../../shared/protocol/version.ts";
import type { Clock } from "../../clock.ts";
import type { SessionOpener, SessionOptions } from "../../context-service.ts";
import type { Logger } from "../../monitor/logger.ts";
import type { Authenticate } from "../../security/authenticate.ts";
import type { Session } from "../../sync/session.ts";
import type { Gate, Meter, Peer } from "../gate.ts";
import { WebSocketConnection } from "./websocket-connection.ts";

export interface LiveConnectionParts {
  readonly service: SessionOpener;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly authenticate: Authenticate;
  /** Whose a token is that a session sends later; sessions of an open server send none. */
  readonly verify?: SessionOptions["verify"];
  readonly gate: Gate;
}

/** What an upgrade asks for. */
export interface Asked {
  readonly request: IncomingMessage;
  readonly peer: Peer;
  /** As it stands in the address. */
  readonly id: string;
  readonly query: URLSearchParams;
}

export class LiveConnection {
  readonly #parts: LiveConnectionParts;
  readonly #webSocket: WebSocket;
  readonly #connection: WebSocketConnection;
  readonly #peer: Peer;
  #session: Session | undefined;
  #meter: Meter | undefined;
  /** What counts it off. */
  readonly #held: (() => void)[] = [];
  #isAlive = true;
  /** After a message or pong, and after a time in which none could be read. */
  readonly #seemsAlive = (): void => void (this.#isAlive = true);

  constructor(parts: LiveConnectionParts, webSocket: WebSocket, socket: Duplex, peer: Peer) {
    this.#parts = parts;
    this.#webSocket = webSocket;
    this.#connection = new WebSocketConnection(webSocket, socket);
    this.#peer = peer;
    webSocket.on("error", (error) => this.#failed(error));
    // `ws` answers pings, and cuts who does not take the answers
    for (const event of ["ping", "pong"] as const) webSocket.on(event, (data) => this.#heard(data.byteLength, false));
    webSocket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    webSocket.pause();
  }

  async open({ request, id, query }: Asked): Promise<void> {
    const { service, verify, logger, gate } = this.#parts;
    try {
      this.#held.push(gate.hold(this.#peer));
      const identity = await this.#identify(request, query);
      this.#held.push(gate.hold(this.#peer, identity.actor));
      this.#meter = gate.meter(this.#peer, identity.actor);
      const via = { address: this.#peer.address };
      this.#session = await service.openSession({ identity, origin: "sdk", via }, parseContextId(decodeId(id)), {
        connection: this.#connection,
        isExtended: this.#webSocket.protocol === SUBPROTOCOL,
        create: query.get("create") === "true",
        ...(verify === undefined ? {} : { verify }),
      });
      if (this.#webSocket.readyState === this.#webSocket.OPEN) this.#connection.resume();
      else this.closed();
    } catch (error) {
      const refusal = toServiceError(error);
      if (refusal.code === "INTERNAL") logger.error("a session could not be opened", { error });
      this.#connection.close(refusal.closeCode, refusal.closeReason);
    }
  }

  /** Asks for a sign of life, and cuts who gave none since the last time. One that is not read cannot give any. */
  ping(): void {
    if (!this.#isAlive && !this.#connection.isDelayed) return this.cut();
    this.#isAlive = false;
    this.#webSocket.ping();
  }

  cut(): void {
    this.#webSocket.terminate();
  }

  /** The socket is gone. May be called again. @param closeCode what its peer closed it with, if it did */
  closed(closeCode?: number): void {
    this.#connection.closed();
    this.#session?.closed(closeCode);
    for (const countOff of this.#held.splice(0)) countOff();
  }

  async #identify(request: IncomingMessage, query: URLSearchParams): ReturnType<Authenticate> {
    const { authenticate, gate } = this.#parts;
    try {
      return await authenticate({ headers: request.headers, query });
    } catch (error) {
      throw gate.denied("request.authenticate", this.#peer, toServiceError(error), { origin: "sdk" });
    }
  }

  /** Something came, of whatever kind. */
  #heard(bytes: number, isRequest: boolean): void {
    this.#seemsAlive();
    const waitMs = this.#meter?.count(bytes, isRequest) ?? 0;
    if (waitMs > 0) this.#connection.delay(this.#parts.clock, waitMs, this.#seemsAlive);
  }

  #receive(data: RawData, isBinary: boolean): void {
    const message = toBytes(data);
    if (isBinary) this.#session?.receive(message);
    else
      this.#session?.end(
        new ServiceError("MALFORMED_FRAME", "Messages are binary. See shared/protocol/PROTOCOL.md for the grammar."),
      );
    if (message.byteLength > LIMITS.frameBytesMax) this.#tooLarge();
    // types below 128 are one byte
    this.#heard(message.byteLength, message[0] === FRAME.request);
  }

  #failed(error: Error): void {
    this.#parts.logger.debug("WebSocket failed", { error });
    if ("code" in error && error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") this.#tooLarge();
  }

  #tooLarge(): void {
    const { gate } = this.#parts;
    const actor = this.#session?.info.actor;
    const error = new ServiceError("TOO_LARGE", "A message was too large.");
    gate.denied("request.size", this.#peer, error, { origin: "sdk", ...(actor === undefined ? {} : { actor }) });
  }
}

function decodeId(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // parseContextId says what is wrong with it
    return text;
  }
}

function toBytes(data: RawData): Uint8Array {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return Array.isArray(data) ? Buffer.concat(data) : data;
}
