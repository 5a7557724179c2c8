/**
 * The REST application on a Node HTTP server: the bounds of connections and requests, and the headers of every answer.
 * The WebSocket endpoint hangs its `upgrade` on the same server.
 *
 * Invariants (EDGE):
 *  1. A connection that does not say a whole request in time is cut, whatever it says meanwhile, also when it says nothing.
 *  2. Every answer forbids a browser to guess its type, to embed it, and to tell its address to others; the handler of a page
 *     may say less strict things of its own.
 *  3. What was written for a receiver that does not take it is not held for long.
 *
 * Not here: listening and closing (the composition root), what is asked of each request (gate.ts, app.ts).
 */
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import { ServiceError } from "../../../shared/errors.ts";
import type { ErrorCode } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Limits } from "../../../shared/limits.ts";
import type { Clock } from "../../clock.ts";
import type { Gate } from "../gate.ts";
import type { RestApp } from "./app.ts";
import { problemResponse } from "./problem.ts";

/** Of the server's limits, those that are about connections. */
export type ConnectionLimits = Pick<
  Limits,
  "connectionsMax" | "headerBytesMax" | "upgradeMsMax" | "requestMsMax" | "answerMsMax"
>;

interface HttpServerOptions {
  readonly gate: Gate;
  readonly clock: Clock;
  readonly limits?: ConnectionLimits;
}

/** For answers that are data. A page has a policy of its own. */
const HEADERS = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
} as const;

const RAW_HEADERS = Object.entries(HEADERS).map(([name, value]) => `${name}: ${value}`);

/** Sockets with a request that is not answered whole. */
const isAnswering = new WeakSet<Duplex>();

export function createHttpServer(app: RestApp, { gate, clock, limits = LIMITS }: HttpServerOptions): Server {
  const listener = getRequestListener(app.fetch, {
    // The process's own Request and Response stay what they are.
    overrideGlobalObjects: false,
    errorHandler: () =>
      problemResponse(new ServiceError("INVALID_REQUEST", "The request's address or Host header is not valid.")),
  });
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.upgradeMsMax,
      requestTimeout: limits.requestMsMax,
      connectionsCheckingInterval: limits.upgradeMsMax / 2,
    },
    (incoming, outgoing) => {
      for (const [name, value] of Object.entries(HEADERS)) outgoing.setHeader(name, value);
      isAnswering.add(incoming.socket);
      outgoing.once("close", () => isAnswering.delete(incoming.socket));
      cutStalled(incoming, outgoing, { clock, answerMsMax: limits.answerMsMax });
      void listener(incoming, outgoing);
    },
  );
  server.maxConnections = limits.connectionsMax;
  server.on("connection", (socket) => gate.accept(socket));
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => refuseGarbage(gate, error, socket));
  return server;
}

/** A write that the receiver has not taken whole, with nothing written after it, ends the connection after a while. */
function cutStalled(
  { socket }: IncomingMessage,
  outgoing: ServerResponse,
  { clock, answerMsMax }: { readonly clock: Clock; readonly answerMsMax: number },
): void {
  let [writtenBytes, sinceMs] = [-1, 0];
  let cancel = (): void => {};
  const look = (): void => {
    const nowMs = clock.monotonicMs();
    if (socket.writableLength === 0 || socket.bytesWritten !== writtenBytes) {
      [writtenBytes, sinceMs] = [socket.bytesWritten, nowMs];
    } else if (nowMs - sinceMs >= answerMsMax) {
      socket.destroy();
      return;
    }
    cancel = clock.setTimer(answerMsMax / 4, look);
  };
  cancel = clock.setTimer(answerMsMax / 4, look);
  outgoing.once("close", () => cancel());
}

/** What is no HTTP, comes too slowly, or has too large headers. */
function refuseGarbage(gate: Gate, error: NodeJS.ErrnoException, socket: Duplex): void {
  const refusal = REFUSALS[error.code ?? ""] ?? (error.code?.startsWith("HPE_") === true ? BAD_REQUEST : undefined);
  if (refusal !== undefined && socket instanceof Socket) {
    // speculative connections of browsers end in silence, and are nobody's fault
    if (refusal.code !== undefined)
      gate.denied("request.parse", gate.peerOf({ socket }), new ServiceError(refusal.code, ""));
    // an answer under way must not be mixed with another
    if (socket.writable && !isAnswering.has(socket)) {
      const lines = [`HTTP/1.1 ${refusal.status}`, "Connection: close", "Content-Length: 0", ...RAW_HEADERS];
      socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    }
  }
  socket.destroy();
}

const BAD_REQUEST = { status: "400 Bad Request", code: "INVALID_REQUEST" } as const;
const REFUSALS: Readonly<Record<string, { readonly status: string; readonly code?: ErrorCode }>> = {
  HPE_HEADER_OVERFLOW: { status: "431 Request Header Fields Too Large", code: "TOO_LARGE" },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: "413 Payload Too Large", code: "TOO_LARGE" },
  ERR_HTTP_REQUEST_TIMEOUT: { status: "408 Request Timeout" },
};
