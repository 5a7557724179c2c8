/**
 * A server for tests of the SDK: speaks mcm.v1 on loopback, keeps its document in memory, and misbehaves on demand.
 *
 * It accepts every update as it comes, answers `change` requests of top-level `add` operations once per idempotency key,
 * and does nothing by itself that a test has switched off.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import * as Y from "yjs";
import type { Change, JsonOp } from "../../shared/change.ts";
import type { ServiceError } from "../../shared/errors.ts";
import { parseActor } from "../../shared/ids.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { Json } from "../../shared/json.ts";
import { decodeClientFrame, encodeAwareness, encodeStep1, encodeStep2 } from "../../shared/protocol/frames.ts";
import {
  encodeAck,
  encodeCommit,
  encodeEvent,
  encodeHello,
  encodeRejected,
  encodeResponse,
} from "../../shared/protocol/server-frames.ts";
import type { ClientFrame } from "../../shared/protocol/frames.ts";

type Request = Extract<ClientFrame, { type: "request" }>;

interface Session {
  readonly socket: WebSocket;
  readonly url: URL;
  frames: number;
}

export class FakeSyncServer {
  doc = new Y.Doc();
  version = 0;
  epoch = 1;
  /** Told in hello, unless undefined as by an older server. */
  firstEpoch: number | undefined;
  /** Switches. */
  acksUpdates = true;
  answersRequests = true;
  greets = true;
  publishes = true;
  isHealthy = true;
  refuses: (update: Uint8Array) => ServiceError | undefined = () => undefined;
  /** Closes each new connection with this. */
  turnsAway: { code: number; reason: string } | undefined;
  /** What came, for assertions. */
  readonly updates: Uint8Array[] = [];
  readonly requests: Request[] = [];
  /** What was said between data frames: "base 3", "data". */
  readonly said: string[] = [];
  readonly urls: URL[] = [];
  /** Subprotocols that were offered, connection by connection. */
  readonly offered: string[] = [];
  /** Tokens that sessions were told. */
  readonly tokens: string[] = [];
  readonly #http: Server;
  readonly #sessions = new Set<Session>();
  readonly #held: (() => void)[] = [];
  readonly #answers = new Map<string, number>();
  readonly #waiting: { when: () => boolean; resolve: () => void }[] = [];

  private constructor() {
    this.#http = createServer((request, response) => {
      const isOurs = request.url === "/healthz" && this.isHealthy;
      response.end(JSON.stringify(isOurs ? { status: "ok", reasons: [] } : { hello: "world" }));
    });
    const sockets = new WebSocketServer({ server: this.#http, handleProtocols: () => "mcm.v1" });
    sockets.on("connection", (socket, { url, headers }) => {
      this.offered.push(headers["sec-websocket-protocol"] ?? "");
      this.#accept(socket, new URL(url ?? "/", "http://x"));
    });
  }

  static async start(port = 0): Promise<FakeSyncServer> {
    const server = new FakeSyncServer();
    server.#http.listen(port, "127.0.0.1");
    await once(server.#http, "listening");
    return server;
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get data(): Json {
    return this.doc.getMap("data").toJSON();
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Resolves when `when` holds; looked at after everything that comes in. */
  until(when: () => boolean): Promise<void> {
    return when() ? Promise.resolve() : new Promise((resolve) => this.#waiting.push({ when, resolve }));
  }

  /** Resolves when everything has come that was sent before this call reached the clients. */
  async settled(): Promise<void> {
    await Promise.all(
      [...this.#sessions].map(({ socket }) => {
        socket.ping();
        return once(socket, "pong");
      }),
    );
  }

  /** Breaks all connections without a close frame. */
  cut(): void {
    for (const { socket } of this.#sessions) socket.terminate();
  }

  /** Ends all sessions with a close frame. */
  end(code: number, reason: string): void {
    for (const { socket } of this.#sessions) socket.close(code, reason);
  }

  /** Sends raw bytes, or a text frame, to all sessions. */
  send(message: Uint8Array | string): void {
    for (const { socket } of this.#sessions) socket.send(message);
  }

  /** Says that everything received so far is durable, or the first `count` data frames of each connection. */
  ack(count?: number): void {
    for (const { socket, frames } of this.#sessions) {
      socket.send(encodeAck({ frames: count ?? frames, version: this.version }));
    }
  }

  /** Asks for everything beyond `stateVector` once more. */
  ask(stateVector: Uint8Array): void {
    this.send(encodeStep1(stateVector));
  }

  /** An edit by somebody else, committed and published. */
  edit(change: (data: Y.Map<unknown>) => void, options: { paths?: string[]; publishes?: boolean } = {}): void {
    const update = this.#transact(() => change(this.doc.getMap("data")));
    if (options.publishes !== false) this.#publish(update, undefined, options.paths ?? [""]);
    else this.version++;
  }

  /** Sends the commits that were held back. */
  release(): void {
    for (const send of this.#held.splice(0)) send();
  }

  /** Sends the sum of what was skipped, as to a slow connection. */
  resync(): void {
    this.send(encodeStep2(Y.encodeStateAsUpdate(this.doc)));
    this.send(encodeEvent({ type: "resynced", version: this.version }));
  }

  /** The context is deleted and made anew. */
  recreate(): void {
    this.doc = new Y.Doc();
    this.version = 0;
    this.epoch++;
    this.cut();
  }

  async stop(): Promise<void> {
    this.cut();
    this.#http.close();
    await once(this.#http, "close");
  }

  #accept(socket: WebSocket, url: URL): void {
    const session = { socket, url, frames: 0 };
    this.urls.push(url);
    socket.on("error", () => {});
    if (this.turnsAway !== undefined) return socket.close(this.turnsAway.code, this.turnsAway.reason);
    this.#sessions.add(session);
    socket.on("close", () => {
      this.#sessions.delete(session);
      this.#wake();
    });
    socket.on("message", (data: Buffer) => {
      this.#handle(session, decodeClientFrame(new Uint8Array(data)));
      this.#wake();
    });
    if (this.greets) this.greet(socket);
  }

  greet(socket: WebSocket): void {
    const { epoch, version, firstEpoch } = this;
    const later = firstEpoch === undefined ? {} : { firstEpoch };
    socket.send(encodeHello({ protocol: 1, sessionId: "s", contextId: "c", epoch, version, actor: "ada", ...later }));
    socket.send(encodeStep1(Y.encodeStateVector(this.doc)));
  }

  #handle(session: Session, frame: ClientFrame): void {
    switch (frame.type) {
      case "step1":
        if (this.greets) session.socket.send(encodeStep2(Y.encodeStateAsUpdate(this.doc, frame.stateVector)));
        return;
      case "data":
        this.said.push("data");
        return this.#receive(session, frame.update);
      case "base":
        this.said.push(`base ${frame.version}`);
        return;
      case "awareness":
        for (const { socket } of this.#sessions) socket.send(encodeAwareness(frame.entries));
        return;
      case "request":
        this.requests.push(frame);
        if (this.answersRequests) this.#answer(session, frame);
        return;
      case "token":
        this.tokens.push(frame.token);
        return;
      case "query-awareness":
    }
  }

  #receive(session: Session, update: Uint8Array): void {
    this.updates.push(update);
    session.frames++;
    const error = this.refuses(update);
    if (error !== undefined) {
      const { code, message, details } = error;
      session.socket.send(encodeRejected({ frame: session.frames, code, message, details }));
      return session.socket.close(error.closeCode, `${code}: ${message}`);
    }
    this.#transact(() => Y.applyUpdate(this.doc, update));
    this.#publish(update, session, [""]);
    if (this.acksUpdates) session.socket.send(encodeAck({ frames: session.frames, version: this.version }));
  }

  #answer(session: Session, { id, method, params }: Request): void {
    if (method !== "change") return session.socket.send(encodeResponse({ id, ok: true, result: {} }));
    if (!isJsonObject(params)) throw new Error("no params");
    const key = JSON.stringify(params["idempotencyKey"]);
    const replayed = this.#answers.has(key);
    if (!replayed) {
      const ops = params["changes"] as unknown as JsonOp[];
      const update = this.#transact(() => {
        for (const op of ops) if (op.op === "add") this.doc.getMap("data").set(op.path.slice(1), op.value);
      });
      this.#publish(
        update,
        undefined,
        ops.map(({ path }) => path),
      );
      this.#answers.set(key, this.version);
    }
    const version = this.#answers.get(key) ?? 0;
    session.socket.send(encodeResponse({ id, ok: true, result: { version, seq: version, paths: [], replayed } }));
  }

  #transact(change: () => void): Uint8Array {
    const before = Y.encodeStateVector(this.doc);
    this.doc.transact(change);
    return Y.encodeStateAsUpdate(this.doc, before);
  }

  #publish(update: Uint8Array, author: Session | undefined, paths: string[]): void {
    this.version++;
    const change: Change = {
      version: this.version,
      seq: this.version,
      atMs: 1,
      actor: parseActor("bob"),
      origin: "rest",
      paths,
      update,
    };
    const send = (): void => {
      for (const session of this.#sessions) {
        session.socket.send(encodeCommit([change], { withUpdates: session !== author }));
      }
    };
    if (this.publishes) send();
    else this.#held.push(send);
  }

  #wake(): void {
    for (const waiter of [...this.#waiting]) {
      if (!waiter.when()) continue;
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
      waiter.resolve();
    }
  }
}
