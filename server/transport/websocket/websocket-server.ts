/**
 * The endpoint ws://host/sync/<id>: upgrades, and the lifetime of each connection.
 *
 * Invariants (WS):
 *  1. No input of a client ends the process: every socket has an error handler from its first byte on.
 *  2. A client that may not enter is told with a close code: browsers cannot see the status of a refused upgrade.
 *  3. Nothing is read from a client before its session is open, so an opening session needs no queue.
 *  4. A peer that answers no ping for one interval is cut.
 *
 * Not here: frames and their meaning (sync/session.ts), the HTTP server itself.
 */
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { RawData, WebSocket } from "ws";
import { ServiceError, toServiceError } from "../../../shared/errors.ts";
import { isHostAllowed, isOriginAllowed } from "../../../shared/host.ts";
import { parseContextId } from "../../../shared/ids.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { SUBPROTOCOL, TOKEN_PROTOCOL } from "../../../shared/protocol/version.ts";
import type { Clock } from "../../clock.ts";
import type { SessionOpener, SessionOptions } from "../../context-service.ts";
import type { Logger } from "../../monitor/logger.ts";
import type { Authenticate } from "../../security/authenticate.ts";
import type { Session } from "../../sync/session.ts";
import { WebSocketConnection } from "./websocket-connection.ts";

interface WebSocketEndpointOptions {
  readonly service: SessionOpener;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly authenticate: Authenticate;
  /** Whose a token is that a session sends later; sessions of an open server send none. */
  readonly verify?: SessionOptions["verify"];
  readonly allowedHosts: readonly string[];
}

const PATH = /^\/sync\/([^/]+)$/;

export class WebSocketEndpoint {
  readonly #options: WebSocketEndpointOptions;
  readonly #webSockets: WebSocketServer;
  /** Connections, and whether they gave a sign of life since the last ping. */
  readonly #alive = new Map<WebSocket, boolean>();
  #cancelPing: (() => void) | undefined;
  /** One function for all sockets: a closure of its own would keep each connection's upgrade request in memory. */
  readonly #logSocketError = (error: Error): void => this.#options.logger.debug("socket failed", { error });

  constructor(options: WebSocketEndpointOptions) {
    this.#options = options;
    this.#webSockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      // twice our own limit: what is a little too large gets 4413, which stock clients take as final; 1009 they retry for ever
      maxPayload: 2 * LIMITS.frameBytesMax,
      handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : firstOf(offered)),
    });
  }

  attach(server: Server): void {
    server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#pingLater();
  }

  /** Cuts what is still connected. Sessions are ended, with their reason, before this. */
  close(): void {
    this.#cancelPing?.();
    for (const webSocket of this.#alive.keys()) webSocket.terminate();
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", this.#logSocketError);
    const url = parseTarget(request.url ?? "");
    const id = PATH.exec(url?.pathname ?? "")?.[1];
    if (url === null || id === undefined) {
      refuseUpgrade(socket, 404, "WebSockets are served at /sync/<context id>.");
    } else if (
      !isHostAllowed(request.headers.host ?? "", this.#options.allowedHosts) ||
      (request.headers.origin !== undefined && !isOriginAllowed(request.headers.origin, this.#options.allowedHosts))
    ) {
      refuseUpgrade(socket, 403, "This Host or Origin is not one that the server answers for.");
    } else if (this.#alive.size >= LIMITS.connectionsMax) {
      refuseUpgrade(socket, 503, "The server has as many connections as it takes. Try again later.");
    } else {
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        void this.#serve(webSocket, socket, request, { id, query: url.searchParams });
      });
    }
  }

  async #serve(
    webSocket: WebSocket,
    socket: Duplex,
    request: IncomingMessage,
    asked: { id: string; query: URLSearchParams },
  ): Promise<void> {
    const { service, authenticate, verify, logger } = this.#options;
    let session: Session | undefined;
    this.#alive.set(webSocket, true);
    webSocket.on("error", (error) => logger.debug("WebSocket failed", { error }));
    webSocket.on("pong", () => this.#alive.set(webSocket, true));
    webSocket.on("close", () => {
      this.#alive.delete(webSocket);
      session?.closed();
    });
    webSocket.on("message", (data, isBinary) => {
      this.#alive.set(webSocket, true);
      if (isBinary) session?.receive(toBytes(data));
      else
        session?.end(
          new ServiceError("MALFORMED_FRAME", "Messages are binary. See shared/protocol/PROTOCOL.md for the grammar."),
        );
    });
    webSocket.pause();
    const connection = new WebSocketConnection(webSocket, socket);
    try {
      const identity = await authenticate({ headers: request.headers, query: asked.query });
      session = await service.openSession({ identity, origin: "sdk" }, parseContextId(decodeId(asked.id)), {
        connection,
        isExtended: webSocket.protocol === SUBPROTOCOL,
        create: asked.query.get("create") === "true",
        ...(verify === undefined ? {} : { verify }),
      });
      if (webSocket.readyState === webSocket.OPEN) connection.resume();
      else session.closed();
    } catch (error) {
      const refusal = toServiceError(error);
      if (refusal.code === "INTERNAL") logger.error("a session could not be opened", { error });
      connection.close(refusal.closeCode, refusal.closeReason);
    }
  }

  #pingLater(): void {
    this.#cancelPing = this.#options.clock.setTimer(LIMITS.pingMs, () => {
      for (const [webSocket, isAlive] of this.#alive) {
        if (isAlive) {
          this.#alive.set(webSocket, false);
          webSocket.ping();
        } else {
          webSocket.terminate();
        }
      }
      this.#pingLater();
    });
  }
}

/** A browser wants one of those that it offered; a token must not come back to where it may be logged. */
function firstOf(offered: ReadonlySet<string>): string | false {
  return [...offered].find((name) => !name.startsWith(TOKEN_PROTOCOL)) ?? false;
}

function refuseUpgrade(socket: Duplex, status: 403 | 404 | 503, sentence: string): void {
  const reason = { 403: "Forbidden", 404: "Not Found", 503: "Service Unavailable" }[status];
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(sentence)}\r\n\r\n${sentence}`,
  );
}

/** The path and query of a request line; its host is in the Host header. */
function parseTarget(target: string): URL | null {
  const base = "ws://localhost";
  return URL.canParse(target, base) ? new URL(target, base) : null;
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
