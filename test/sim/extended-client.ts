/**
 * An mcm.v1 client: a stock one that also counts its data frames, takes acks and commits, says what its edits are based on,
 * and asks for JSON changes under idempotency keys, again after each reconnect until they are answered.
 *
 * A compaction it outlives as the SDK does, in the simplest honest way: its successor begins with an empty document and
 * asks for what was not acknowledged once more, as JSON changes; what JSON cannot say is handed back to its author.
 */
import { createDecoder, readVarUint } from "lib0/decoding";
import * as Y from "yjs";
import type { JsonOp } from "../../shared/change.ts";
import type { Json } from "../../shared/json.ts";
import { FRAME, SYNC, encodeBase, encodeRequest } from "../../shared/protocol/frames.ts";
import { decodeServerExtension } from "../../shared/protocol/server-frames.ts";
import type { Hello, Response } from "../../shared/protocol/server-frames.ts";
import type { Change } from "../../shared/change.ts";
import type { KeyedChange } from "./ledger.ts";
import { SimClient } from "./sim-client.ts";
import { RETRIED } from "./wiretap.ts";

/** An edit that is not known to be saved, and the data frame that carries it. */
interface Unsaved {
  readonly ops: readonly JsonOp[];
  frame: number | undefined;
}

const RETRY_MS = 300;

export class ExtendedClient extends SimClient {
  override readonly isExtended: boolean = true;
  /** Of the newest commit it was told of. */
  version = 0;
  #epoch: number | undefined;
  /** A version that the document includes. */
  #included: number | undefined;
  /** What the server said of versions that the document may not include yet. */
  #announced = 0;
  #baseSent = -1;
  #hasAnswered = false;
  #offeredId: number | undefined;
  #framesSent = 0;
  #framesAcked = 0;
  #requestId = 0;
  #unsaved: Unsaved[] = [];
  readonly #unanswered = new Map<string, KeyedChange>();
  readonly #asked = new Map<number, KeyedChange>();

  override get isSaved(): boolean {
    return this.#framesAcked === this.#framesSent && this.#unanswered.size === 0;
  }

  request(change: KeyedChange): void {
    this.#unanswered.set(change.key, change);
    this.#ask(change);
  }

  override edit(change: (doc: Y.Doc) => readonly JsonOp[]): readonly JsonOp[] {
    const before = this.#framesSent;
    const ops = super.edit(change);
    this.#unsaved.push({ ops, frame: this.#framesSent > before ? this.#framesSent : undefined });
    return ops;
  }

  /** Takes over what its predecessor has not saved: what may be lost with the document it asks for under new keys. */
  inherit(predecessor: ExtendedClient, newKey: () => string): void {
    for (const change of predecessor.#unanswered.values()) this.request(change);
    for (const { ops } of predecessor.#unsaved) if (ops.length > 0) this.request({ key: newKey(), ops });
  }

  /** It will write no more: somebody else may under its Yjs client id. */
  giveUpId(): void {
    this.send(encodeRequest(++this.#requestId, "release-client-id", { yjsClientId: this.doc.clientID }));
  }

  protected override lineOpen(): void {
    this.#framesSent = 0;
    this.#framesAcked = 0;
    this.#baseSent = -1;
    this.#hasAnswered = false;
    super.lineOpen();
    for (const change of this.#unanswered.values()) this.#ask(change);
  }

  protected override lineGone(): void {
    this.#asked.clear();
    this.#offeredId = undefined;
    for (const edit of this.#unsaved) edit.frame = undefined;
    super.lineGone();
  }

  /** The document includes what hello told, and may be written under an id that was used before. */
  protected override synced(): void {
    this.#included = Math.max(this.#included ?? 0, this.#announced);
    if (this.#offeredId !== undefined && this.#unsaved.length === 0) this.doc.clientID = this.#offeredId;
    this.#offeredId = undefined;
  }

  protected override send(message: Uint8Array): void {
    const [type, step] = message;
    if (!this.isConnected || type !== FRAME.sync || step === SYNC.step1) return super.send(message);
    if (step === SYNC.update) this.#sayBase();
    this.#framesSent++;
    if (step === SYNC.step2) {
      this.#hasAnswered = true;
      for (const edit of this.#unsaved) edit.frame ??= this.#framesSent;
    }
    super.send(message);
  }

  protected override hearExtension(type: number, message: Uint8Array): void {
    const decoder = createDecoder(message);
    readVarUint(decoder);
    const said = decodeServerExtension(type, decoder);
    switch (said.type) {
      case "hello":
        return this.#greeted(said.hello);
      case "ack":
        this.#framesAcked = said.ack.frames;
        this.#unsaved = this.#unsaved.filter(({ frame = Infinity }) => frame > said.ack.frames);
        return;
      case "commit":
        return this.#committed(said.changes);
      case "response":
        return this.#answered(said.response);
      case "event":
        if (said.event["type"] === "resynced") this.#included = Number(said.event["version"]);
        return;
      default:
    }
  }

  #greeted({ epoch, version, yjsClientId }: Hello): void {
    if (this.#epoch !== undefined && this.#epoch !== epoch) return this.world.outlived(this, this.#epoch);
    this.#epoch = epoch;
    this.version = version;
    this.#announced = version;
    this.#offeredId = yjsClientId;
  }

  #committed(changes: readonly Change[]): void {
    for (const { version, update } of changes) {
      this.version = version;
      if (this.isSynced && version <= (this.#included ?? 0) + 1) this.#included = version;
      else this.#announced = version;
      if (update.byteLength > 0) Y.applyUpdate(this.doc, update, this);
    }
  }

  /** Before an edit that was made on it; edits from before this connection are in the answer to the server's step 1. */
  #sayBase(): void {
    if (!this.#hasAnswered || this.#included === undefined || this.#included <= this.#baseSent) return;
    this.#baseSent = this.#included;
    super.send(encodeBase(this.#included));
  }

  #ask(change: KeyedChange): void {
    if (!this.isConnected) return;
    const id = ++this.#requestId;
    this.#asked.set(id, change);
    const { key, ops, counts: _counts, ...conditions } = change;
    const changes = ops.map((op): Json => ({ ...op }));
    this.send(encodeRequest(id, "change", { changes, message: key, idempotencyKey: key, ...conditions }));
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
