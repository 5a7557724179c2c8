/**
 * An mcm.v1 client: a stock one that also counts its data frames, takes acks and commits, and asks for JSON changes under
 * idempotency keys, again after each reconnect until they are answered.
 */
import { createDecoder, readVarUint } from "lib0/decoding";
import * as Y from "yjs";
import type { JsonOp } from "../../shared/change.ts";
import type { Json } from "../../shared/json.ts";
import { FRAME, SYNC, encodeRequest } from "../../shared/protocol/frames.ts";
import { decodeServerExtension } from "../../shared/protocol/server-frames.ts";
import type { Response } from "../../shared/protocol/server-frames.ts";
import { SimClient } from "./sim-client.ts";
import { RETRIED } from "./wiretap.ts";

/** A change as a request's parameters. */
export interface KeyedChange {
  readonly key: string;
  readonly ops: readonly JsonOp[];
  readonly ifVersion?: number;
}

const RETRY_MS = 300;

export class ExtendedClient extends SimClient {
  override readonly isExtended: boolean = true;
  /** Of the newest commit it was told of. */
  version = 0;
  #framesSent = 0;
  #framesAcked = 0;
  #requestId = 0;
  readonly #unanswered = new Map<string, KeyedChange>();
  readonly #asked = new Map<number, KeyedChange>();

  override get isSaved(): boolean {
    return this.#framesAcked === this.#framesSent && this.#unanswered.size === 0;
  }

  request(change: KeyedChange): void {
    this.#unanswered.set(change.key, change);
    this.#ask(change);
  }

  protected override lineOpen(): void {
    this.#framesSent = 0;
    this.#framesAcked = 0;
    super.lineOpen();
    for (const change of this.#unanswered.values()) this.#ask(change);
  }

  protected override lineGone(): void {
    this.#asked.clear();
    super.lineGone();
  }

  protected override send(message: Uint8Array): void {
    const [type, step] = message;
    if (this.isConnected && type === FRAME.sync && step !== SYNC.step1) this.#framesSent++;
    super.send(message);
  }

  protected override hearExtension(type: number, message: Uint8Array): void {
    const decoder = createDecoder(message);
    readVarUint(decoder);
    const said = decodeServerExtension(type, decoder);
    switch (said.type) {
      case "hello":
        this.version = said.hello.version;
        return;
      case "ack":
        this.#framesAcked = said.ack.frames;
        return;
      case "commit":
        for (const { version, update } of said.changes) {
          this.version = version;
          if (update.byteLength > 0) Y.applyUpdate(this.doc, update, this);
        }
        return;
      case "response":
        return this.#answered(said.response);
      default:
    }
  }

  #ask({ key, ops, ifVersion }: KeyedChange): void {
    if (!this.isConnected) return;
    const id = ++this.#requestId;
    this.#asked.set(id, { key, ops, ...(ifVersion === undefined ? {} : { ifVersion }) });
    const params = { changes: ops.map((op): Json => ({ ...op })), message: key, idempotencyKey: key };
    this.send(encodeRequest(id, "change", ifVersion === undefined ? params : { ...params, ifVersion }));
  }

  #answered(response: Response): void {
    const change = this.#asked.get(response.id);
    if (change === undefined) return;
    this.#asked.delete(response.id);
    if (response.ok || !RETRIED.has(response.error.code)) {
      this.#unanswered.delete(change.key);
      return;
    }
    this.world.after(RETRY_MS, () => {
      if (this.#unanswered.has(change.key) && this.link?.isClientOver === false) this.#ask(change);
    });
  }
}
