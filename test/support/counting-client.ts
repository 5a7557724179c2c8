/**
 * A WebSocket client that edits blindly and keeps account of every message: what it sent, what it got.
 *
 * It applies nothing of what it gets, so what two of them write to one key is concurrent, always.
 */
import { once } from "node:events";
import * as decoding from "lib0/decoding";
import { WebSocket } from "ws";
import * as Y from "yjs";
import { FRAME, SYNC, encodeStep1, encodeStep2, encodeUpdate, encodeRequest } from "../../shared/protocol/frames.ts";
import type { Json } from "../../shared/json.ts";
import { decodeServerExtension } from "../../shared/protocol/server-frames.ts";
import { SUBPROTOCOL } from "../../shared/protocol/version.ts";

const NOTHING = Uint8Array.of(0, 0);

export interface CountingOptions {
  readonly url: string;
  readonly contextId: string;
  readonly actor: string;
  /** Speaks mcm.v1. */
  readonly isExtended: boolean;
}

export class CountingClient {
  readonly isExtended: boolean;
  readonly doc = new Y.Doc();
  sent = 0;
  sentBytes = 0;
  got = 0;
  gotBytes = 0;
  /** Updates sent that say something new. */
  edits = 0;
  /** Answers to the server's question, and edits that were sent before: they change nothing. */
  idle = 0;
  /** Data frames that the server has acknowledged (mcm.v1). */
  acked = 0;
  closeCode: number | undefined;
  readonly #socket: WebSocket;
  #requests = 0;
  readonly #answers = new Map<number, (isOk: boolean) => void>();

  private constructor(socket: WebSocket, isExtended: boolean) {
    this.#socket = socket;
    this.isExtended = isExtended;
    this.doc.on("update", (update: Uint8Array) => this.#send(encodeUpdate(update)));
    socket.on("message", (data) => this.#receive(Buffer.isBuffer(data) ? data : Buffer.alloc(0)));
    socket.on("close", (code) => {
      this.closeCode = code;
    });
  }

  static async open({ url, contextId, actor, isExtended }: CountingOptions): Promise<CountingClient> {
    const address = `${url.replace(/^http/, "ws")}/sync/${contextId}?actor=${actor}`;
    const socket = new WebSocket(address, isExtended ? [SUBPROTOCOL] : []);
    const client = new CountingClient(socket, isExtended);
    await once(socket, "open");
    client.#send(encodeStep1(Uint8Array.of(0)));
    return client;
  }

  set(key: string, value: Json): void {
    this.edits++;
    this.doc.getMap("data").set(key, value);
  }

  /** All that it ever wrote once more. */
  repeat(): void {
    this.idle++;
    this.#send(encodeUpdate(Y.encodeStateAsUpdate(this.doc)));
  }

  sendUpdate(update: Uint8Array): void {
    this.#send(encodeUpdate(update));
  }

  /** Resolves with whether it was granted (mcm.v1). */
  request(method: string, params: Json): Promise<boolean> {
    const id = ++this.#requests;
    this.#send(encodeRequest(id, method, params));
    return new Promise((resolve) => void this.#answers.set(id, resolve));
  }

  async close(): Promise<void> {
    if (this.closeCode !== undefined) return;
    const closed = once(this.#socket, "close");
    this.#socket.close();
    await closed;
  }

  async closed(): Promise<number> {
    if (this.closeCode === undefined) await once(this.#socket, "close");
    return this.closeCode ?? 0;
  }

  #send(message: Uint8Array): void {
    this.sent++;
    this.sentBytes += message.byteLength;
    this.#socket.send(message);
  }

  #receive(message: Buffer): void {
    this.got++;
    this.gotBytes += message.byteLength;
    const decoder = decoding.createDecoder(message);
    const type = decoding.readVarUint(decoder);
    if (type === FRAME.sync && decoding.readVarUint(decoder) === SYNC.step1) {
      this.idle++;
      this.#send(encodeStep2(NOTHING));
    }
    if (type < 100) return;
    const frame = decodeServerExtension(type, decoder);
    if (frame.type === "ack") this.acked = frame.ack.frames;
    if (frame.type === "response") this.#answers.get(frame.response.id)?.(frame.response.ok);
  }
}
