/**
 * The endpoint ws://host/sync/<id>: which upgrades are taken, and pings.
 *
 * Invariants (WS):
 *  1. No input of a client ends the process: every socket has an error handler from its first byte on.
 *  2. A client that may not enter is told with a close code: browsers cannot see the status of a refused upgrade. Refused
 *     before the upgrade are those who are at the wrong address, or too many.
 *  3. A peer that answers no ping for one interval is cut.
 *
 * Not here: what happens on a connection (live-connection.ts), the HTTP server itself.
 */
import { STATUS_CODES } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { ServerOptions, WebSocket } from "ws";
import { ServiceError, toServiceError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { SUBPROTOCOL, TOKEN_PROTOCOL } from "../../../shared/protocol/version.ts";
import { retryAfterS } from "../gate.ts";
import { LiveConnection } from "./live-connection.ts";
import type { Asked, LiveConnectionParts } from "./live-connection.ts";

const PATH = /^\/sync\/([^/]+)$/;

export class WebSocketEndpoint {
  readonly #parts: LiveConnectionParts;
  readonly #webSockets: WebSocketServer;
  readonly #connections = new Set<LiveConnection>();
  #cancelPing: (() => void) | undefined;
  /** One function for all sockets: a closure of its own would keep each connection's upgrade request in memory. */
  readonly #logSocketError = (error: Error): void => this.#parts.logger.debug("socket failed", { error });

  constructor(parts: LiveConnectionParts) {
    this.#parts = parts;
    const options: ServerOptions & { readonly closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      // twice our own limit: what is a little too large gets 4413, which stock clients take as final; 1009 they retry for ever
      maxPayload: 2 * LIMITS.frameBytesMax,
      // who was told to go and does not answer has no more time than who never finished to come in
      closeTimeout: LIMITS.upgradeMsMax,
      handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : firstOf(offered)),
    };
    this.#webSockets = new WebSocketServer(options);
  }

  attach(server: Server): void {
    server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#pingLater();
  }

  /** Cuts what is still connected. Sessions are ended, with their reason, before this. */
  close(): void {
    this.#cancelPing?.();
    for (const connection of this.#connections) connection.cut();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", this.#logSocketError);
    try {
      const asked = this.#askedOf(request);
      if (this.#connections.size >= LIMITS.connectionsMax) {
        return refuse(socket, {
          status: 503,
          message: "The server has as many connections as it takes. Try again later.",
        });
      }
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => this.#begin(webSocket, socket, asked));
    } catch (error) {
      refuse(socket, toServiceError(error));
    }
  }

  /** By itself, so that no listener of the connection keeps the request. */
  #begin(webSocket: WebSocket, socket: Duplex, asked: Asked): void {
    const connection = new LiveConnection(this.#parts, webSocket, socket, asked.peer);
    this.#connections.add(connection);
    webSocket.on("close", (code) => {
      this.#connections.delete(connection);
      // these two mean that nothing was said
      connection.closed(code === 1005 || code === 1006 ? undefined : code);
    });
    void connection.open(asked);
  }

  /** @throws {ServiceError} NOT_FOUND, FORBIDDEN, RATE_LIMITED */
  #askedOf(request: IncomingMessage): Asked {
    const { gate } = this.#parts;
    const url = parseTarget(request.url ?? "");
    const id = PATH.exec(url?.pathname ?? "")?.[1];
    if (url === null || id === undefined) {
      throw new ServiceError("NOT_FOUND", "WebSockets are served at /sync/<context id>.");
    }
    const peer = gate.peerOf(request);
    const { headers, rawHeaders } = request;
    gate.checkSite(peer, { host: headers.host, origin: headers.origin, rawHeaders }, { origin: "sdk" });
    gate.checkConnect(peer);
    return { request, peer, id, query: url.searchParams };
  }

  #pingLater(): void {
    this.#cancelPing = this.#parts.clock.setTimer(LIMITS.pingMs, () => {
      for (const connection of this.#connections) connection.ping();
      this.#pingLater();
    });
  }
}

/** A browser wants one of those that it offered; a token must not come back to where it may be logged. */
function firstOf(offered: ReadonlySet<string>): string | false {
  return [...offered].find((name) => !name.startsWith(TOKEN_PROTOCOL)) ?? false;
}

function refuse(socket: Duplex, error: Pick<ServiceError, "status" | "message"> | ServiceError): void {
  const { status, message } = error;
  const retryAfter = error instanceof ServiceError ? retryAfterS(error) : undefined;
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Connection: close",
    "Content-Type: text/plain",
    `Content-Length: ${Buffer.byteLength(message)}`,
    "X-Content-Type-Options: nosniff",
    ...(retryAfter === undefined ? [] : [`Retry-After: ${retryAfter}`]),
  ];
  // whoever does not close its side would keep the socket
  socket.once("finish", () => socket.destroy());
  socket.end(`${lines.join("\r\n")}\r\n\r\n${message}`);
}

/** The path and query of a request line; its host is in the Host header. */
function parseTarget(target: string): URL | null {
  const base = "ws://localhost";
  return URL.canParse(target, base) ? new URL(target, base) : null;
}
