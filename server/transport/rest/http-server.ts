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
import type { Server, ServerResponse } from "node:http";
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

/** The last answer of each connection. */
const answers = new WeakMap<Duplex, ServerResponse>();

export function createHttpServer(app: RestApp, { gate, clock, limits = LIMITS }: HttpServerOptions): Server {
  const listener = getRequestListener(app.fetch, {
    // The process's own Request and Response stay what they are.
    overrideGlobalObjects: false,
    errorHandler: () =>
      problemResponse(new ServiceError("INVALID_REQUEST", "The request's address or Host header is not valid.")),
  });
  const stalled = new StalledAnswers(clock, limits.answerMsMax);
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.upgradeMsMax,
      requestTimeout: limits.requestMsMax,
      connectionsCheckingInterval: limits.upgradeMsMax / 2,
    },
    (incoming, outgoing) => {
      for (const [name, value] of Object.entries(HEADERS)) outgoing.setHeader(name, value);
      answers.set(incoming.socket, outgoing);
      stalled.watch(outgoing);
      void listener(incoming, outgoing);
    },
  );
  server.on("listening", () => stalled.start());
  server.on("close", () => stalled.stop());
  server.maxConnections = limits.connectionsMax;
  server.on("connection", (socket) => gate.accept(socket));
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => refuseGarbage(gate, error, socket));
  return server;
}

/** Cuts connections whose receiver has not taken a write whole, with nothing written after it, for a while. */
class StalledAnswers {
  readonly #clock: Clock;
  readonly #msMax: number;
  /** What was written when it was looked at first, and when that was. */
  readonly #answers = new Map<ServerResponse, { writtenBytes: number; sinceMs: number }>();
  #cancel = (): void => {};

  constructor(clock: Clock, msMax: number) {
    this.#clock = clock;
    this.#msMax = msMax;
  }

  watch(outgoing: ServerResponse): void {
    this.#answers.set(outgoing, { writtenBytes: -1, sinceMs: 0 });
    outgoing.once("close", () => this.#answers.delete(outgoing));
  }

  start(): void {
    this.#cancel = this.#clock.setTimer(this.#msMax / 4, () => {
      for (const [{ socket }, seen] of this.#answers) if (socket !== null) this.#look(socket, seen);
      this.start();
    });
  }

  stop(): void {
    this.#cancel();
  }

  #look(socket: Socket, seen: { writtenBytes: number; sinceMs: number }): void {
    const nowMs = this.#clock.monotonicMs();
    if (socket.writableLength === 0 || socket.bytesWritten !== seen.writtenBytes) {
      seen.writtenBytes = socket.bytesWritten;
      seen.sinceMs = nowMs;
    } else if (nowMs - seen.sinceMs >= this.#msMax) {
      socket.destroy();
    }
  }
}

/** What is no HTTP, comes too slowly, or has too large headers. */
function refuseGarbage(gate: Gate, error: NodeJS.ErrnoException, socket: Duplex): void {
  const refusal = refusalOf(error);
  if (refusal !== undefined && socket instanceof Socket) {
    const { status, code } = refusal;
    // speculative connections of browsers end in silence, and are nobody's fault
    if (code !== undefined) gate.denied("request.parse", gate.peerOf({ socket }), new ServiceError(code, ""));
    if (mayAnswer(socket)) {
      const lines = [`HTTP/1.1 ${status}`, "Connection: close", "Content-Length: 0", ...RAW_HEADERS];
      socket.write(`${lines.join("\r\n")}\r\n\r\n`);
    }
  }
  socket.destroy();
}

/** An answer under way must not be mixed with another. */
function mayAnswer(socket: Socket): boolean {
  const last = answers.get(socket);
  return socket.writable && (last === undefined || !last.headersSent || last.writableEnded);
}

interface Refusal {
  readonly status: string;
  readonly code?: ErrorCode;
}

/** Undefined when the connection itself failed. */
function refusalOf({ code = "" }: NodeJS.ErrnoException): Refusal | undefined {
  return REFUSALS[code] ?? (code.startsWith("HPE_") ? BAD_REQUEST : undefined);
}

const BAD_REQUEST = { status: "400 Bad Request", code: "INVALID_REQUEST" } as const;
const REFUSALS: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: { status: "431 Request Header Fields Too Large", code: "TOO_LARGE" },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { status: "413 Payload Too Large", code: "TOO_LARGE" },
  ERR_HTTP_REQUEST_TIMEOUT: { status: "408 Request Timeout" },
};
