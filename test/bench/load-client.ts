/**
 * A client as cheap as it can be: a TCP socket, a handshake by hand, y-websocket's messages without a Y.Doc behind them.
 *
 * 1. It answers what a stock client answers (the server's SyncStep1, pings) and nothing more.
 * 2. Content is handed on as bytes: an update message, or the state in a SyncStep2.
 * 3. A connection that ends before close() was called is an error of the run, thrown into `failed`.
 *
 * Not here: what the content means (updates.ts), how servers differ (servers/).
 */
import { connect } from "node:net";
import type { Socket } from "node:net";
import { encodeStep1, encodeStep2, encodeUpdate } from "../../shared/protocol/frames.ts";
import { FrameReader, OPCODE, clientFrame } from "./frames.ts";
import type { ServerAdapter } from "./servers/adapter.ts";

const SYNC = 0;
/** Hocuspocus calls some sync messages by another number. */
const SYNC_REPLY = 4;
const STEP1 = 0;

const EMPTY_STATE_VECTOR = Uint8Array.of(0);
const EMPTY_UPDATE = Uint8Array.of(0, 0);

export interface Room {
  readonly server: ServerAdapter;
  readonly url: URL;
  readonly name: string;
}

export interface Handlers {
  /** A message that carries updates; `message` starts at its type. */
  readonly onContent?: (message: Buffer) => void;
  /** Any other message. */
  readonly onOther?: (message: Buffer) => void;
}

export interface ClientOptions extends Handlers {
  readonly subprotocol?: string;
}

export class LoadClient {
  readonly #room: Room;
  readonly #socket: Socket;
  readonly #prefix: Uint8Array;
  readonly #handlers: Handlers;
  #isClosing = false;
  #onSynced: () => void = () => {};
  #onFailed: (error: Error) => void = () => {};
  /** Resolves with the first content that came; at once where the server holds no state. */
  readonly synced: Promise<void>;

  private constructor(room: Room, socket: Socket, handlers: Handlers) {
    this.#room = room;
    this.#socket = socket;
    this.#handlers = handlers;
    this.#prefix = room.server.prefix(room.name);
    this.synced = new Promise((resolve, reject) => {
      this.#onSynced = resolve;
      this.#onFailed = reject;
    });
    this.synced.catch(() => {}); // who does not wait for it need not handle it
    if (!room.server.holdsState) this.#onSynced();
  }

  /** Connects and sends what a client sends first. */
  static async join(room: Room, options: ClientOptions = {}): Promise<LoadClient> {
    const socket = connect({ host: room.url.hostname, port: Number(room.url.port), noDelay: true });
    const client = new LoadClient(room, socket, options);
    const rest = await handshake(socket, room, options.subprotocol);
    const reader = new FrameReader((opcode, payload) => client.#onFrame(opcode, payload));
    socket.on("data", (chunk) => reader.push(chunk));
    socket.on("close", () => client.#onClosed());
    socket.on("error", (error) => client.#onFailed(error));
    if (rest.length > 0) reader.push(rest);
    // a relay would pass the question on to everybody in the room, and their answers too
    const question = room.server.holdsState ? [encodeStep1(EMPTY_STATE_VECTOR)] : [];
    const first = [...room.server.greeting(), ...question];
    socket.write(Buffer.concat(first.map((message) => client.frame(message))));
    return client;
  }

  /** A y-websocket message as this server wants it, ready for send(). */
  frame(message: Uint8Array): Buffer {
    return clientFrame(OPCODE.binary, this.#prefix.length === 0 ? message : Buffer.concat([this.#prefix, message]));
  }

  updateFrame(update: Uint8Array): Buffer {
    return this.frame(encodeUpdate(update));
  }

  /** Gives frames to the kernel; false when it takes no more for now. */
  send(frames: Buffer): boolean {
    return this.#socket.write(frames);
  }

  close(): void {
    this.#isClosing = true;
    this.#socket.destroy();
  }

  #onFrame(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE.ping) this.#socket.write(clientFrame(OPCODE.pong, payload));
    if (opcode === OPCODE.close) this.#onFailed(new Error(`The server closed with ${closeReason(payload)}.`));
    if (opcode !== OPCODE.binary) return;
    const message = payload.subarray(this.#prefix.length);
    const [type, step] = message;
    if (type !== SYNC && type !== SYNC_REPLY) {
      this.#handlers.onOther?.(message);
    } else if (step === STEP1) {
      this.#socket.write(this.frame(encodeStep2(EMPTY_UPDATE)));
    } else {
      this.#onSynced();
      this.#handlers.onContent?.(message);
    }
  }

  #onClosed(): void {
    if (this.#isClosing) return;
    // a client lost on the way makes every count wrong: end the measurement, with the reason
    const error = new Error(`The server ended a connection to ${this.#room.name}.`);
    this.#onFailed(error);
    process.emit("uncaughtException", error);
  }
}

function closeReason(payload: Buffer): string {
  return payload.length < 2 ? "no code" : `${payload.readUInt16BE(0)} ${payload.toString("utf8", 2)}`;
}

/** Upgrades the socket; resolves with the bytes that came after the response's head. */
function handshake(socket: Socket, room: Room, subprotocol: string | undefined): Promise<Buffer> {
  const lines = [
    `GET ${room.server.path(room.name)} HTTP/1.1`,
    `Host: ${room.url.host}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ...(subprotocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${subprotocol}`]),
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.off("data", onData).off("close", onEnd).off("error", onEnd);
      if (head.toString("latin1").startsWith("HTTP/1.1 101")) resolve(head.subarray(end + 4));
      else reject(new Error(`${room.server.label} refused ${room.name}: ${head.toString("utf8", 0, 200)}`));
    };
    const onEnd = (error?: unknown): void =>
      reject(error instanceof Error ? error : new Error(`${room.server.label} hung up in the handshake.`));
    socket.on("data", onData).on("close", onEnd).on("error", onEnd);
  });
}
