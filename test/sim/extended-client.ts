/**
 * An mcm.v1 client: a stock one that also counts its data frames, takes acks and commits, says what its edits are based on,
 * and asks for JSON changes under idempotency keys, again after each reconnect until they are answered.
 *
 * One with locks goes on as the SDK does: nothing is sent before the first sync, then its leases, then each edit by itself;
 * and when one was refused, its successor begins with an empty document and puts the others into it (client/replay.ts).
 *
 * A compaction it outlives as the SDK does, in the simplest honest way: its successor begins with an empty document and
 * asks for what was not acknowledged once more, as JSON changes; what JSON cannot say is handed back to its author.
 */
import { createDecoder, readVarUint } from "lib0/decoding";
import * as Y from "yjs";
import type { Change, JsonOp } from "../../shared/change.ts";
import type { Json, JsonObject } from "../../shared/json.ts";
import { FRAME, SYNC, encodeBase, encodeRequest } from "../../shared/protocol/frames.ts";
import { decodeServerExtension } from "../../shared/protocol/server-frames.ts";
import type { Hello, Rejected, Response } from "../../shared/protocol/server-frames.ts";
import { Replay } from "../../client/replay.ts";
import type { AccessLedger } from "./access/access-ledger.ts";
import type { KeyedChange } from "./ledger.ts";
import type { ClientLocks, Line } from "./locks/client-locks.ts";
import type { EditLedger } from "./refusals/edit-ledger.ts";
import { changedPlaces, readable } from "./refusals/places.ts";
import { SimClient } from "./sim-client.ts";
import type { ClientIdentity, Surroundings } from "./sim-client.ts";
import { RETRIED } from "./wiretap.ts";

/** An edit that is not known to be saved, and the data frame that carries it. */
interface Unsaved {
  readonly mark: string;
  readonly ops: readonly JsonOp[];
  /** Where it changed what is read. */
  readonly places: readonly string[];
  readonly madeMs: number;
  /** A version that the document included when it was made. */
  readonly base: number | undefined;
  /** Absent when it is sent with all else that the server lacks. */
  update?: Uint8Array;
  frame: number | undefined;
}

/** What a client with locks has beyond one without. */
interface PatientParts {
  readonly locks: ClientLocks;
  readonly edits: EditLedger;
  readonly access: AccessLedger;
}

const RETRY_MS = 300;
/** A Yjs update that says nothing. */
const NOTHING = Uint8Array.of(0, 0);

export class ExtendedClient extends SimClient implements Line {
  override readonly isExtended: boolean = true;
  /** Of the newest commit it was told of. */
  version = 0;
  readonly #parts: PatientParts | undefined;
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
  /** Refused in a document before this one; not to be put into this one. */
  #refused: Uint8Array[] = [];
  /** How many of the unsaved edits were made in a document before this one, which is yet to get them. */
  #inherited: number | undefined;
  /** It was told that it may not write. */
  #isReader = false;
  /** What the present edit did to the document. */
  #made: Uint8Array | undefined;
  readonly #unanswered = new Map<string, KeyedChange>();
  readonly #asked = new Map<number, (response: Response) => void>();

  constructor(identity: ClientIdentity, world: Surroundings, parts?: PatientParts) {
    super(identity, world);
    this.#parts = parts;
  }

  get locks(): ClientLocks | undefined {
    return this.#parts?.locks;
  }

  /** In step with the server: what it sends now is in order. */
  get isReady(): boolean {
    return this.isConnected && this.isSynced && this.#hasAnswered;
  }

  get hasUnsavedEdits(): boolean {
    return this.#parts === undefined ? this.#framesAcked !== this.#framesSent : this.#unsaved.length > 0;
  }

  override get isSaved(): boolean {
    return !this.hasUnsavedEdits && this.#unanswered.size === 0;
  }

  request(change: KeyedChange): void {
    this.#unanswered.set(change.key, change);
    this.#askFor(change);
  }

  ask(method: string, params: JsonObject, answered: (response: Response) => void): void {
    const id = ++this.#requestId;
    this.#asked.set(id, answered);
    this.send(encodeRequest(id, method, params));
  }

  override edit(mark: string, change: (doc: Y.Doc) => readonly JsonOp[]): void {
    const before = this.#framesSent;
    const base = this.#included;
    const madeMs = this.world.nowMs();
    const was = this.#parts === undefined ? undefined : readable(this.doc);
    this.#made = undefined;
    const ops = this.doc.transact(() => change(this.doc));
    if (was === undefined) {
      this.#unsaved.push({
        mark,
        ops,
        places: [],
        madeMs,
        base,
        frame: this.#framesSent > before ? this.#framesSent : undefined,
      });
      return;
    }
    const update = this.#made;
    if (update === undefined) return;
    this.#parts?.edits.made(mark, this.identity.party, update);
    const places = changedPlaces(was, readable(this.doc));
    const edit = { mark, ops, places, madeMs, base, update, frame: undefined };
    this.#unsaved.push(edit);
    if (this.isReady) this.#sendEdit(edit);
  }

  protected override edited(update: Uint8Array): void {
    if (this.#parts === undefined) super.edited(update);
    else this.#made = update;
  }

  /** Takes over what its predecessor has not saved: what may be lost with the document it asks for under new keys. */
  inherit(predecessor: ExtendedClient, newChange: (ops: readonly JsonOp[]) => KeyedChange): void {
    for (const change of predecessor.#unanswered.values()) this.request(change);
    for (const { mark, ops } of predecessor.#unsaved) {
      this.#parts?.edits.became(mark, "carried");
      if (ops.length > 0) this.request(newChange(ops));
    }
  }

  /** Takes over from a predecessor of whose edits one was refused: the others go on as they are. */
  takeOver(predecessor: ExtendedClient): void {
    for (const [key, change] of predecessor.#unanswered) this.#unanswered.set(key, change);
    this.#epoch = predecessor.#epoch;
    this.#unsaved = predecessor.#unsaved;
    this.#refused = predecessor.#refused;
    this.#inherited = this.#unsaved.length;
  }

  /** The page is closed; what it has not saved goes with it. */
  abandon(): void {
    for (const { mark } of this.#unsaved) this.#parts?.edits.became(mark, "lost");
    this.#unsaved = [];
    this.#unanswered.clear();
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
    if (this.#parts === undefined) for (const change of this.#unanswered.values()) this.#askFor(change);
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
    if (this.#parts === undefined || this.#hasAnswered) return;
    this.#hasAnswered = true;
    this.#parts.locks.resume(this);
    // what a reader wrote into this document can't be taken out of it
    if (this.#isReader && this.#unsaved.length > (this.#inherited ?? 0)) return void this.world.refused(this);
    if (this.#inherited !== undefined) this.#replay(this.#parts.edits);
    for (const edit of this.#unsaved) this.#sendEdit(edit);
    for (const change of this.#unanswered.values()) this.#askFor(change);
  }

  protected override send(message: Uint8Array): void {
    const [type, step] = message;
    if (!this.isConnected || type !== FRAME.sync || step === SYNC.step1) return super.send(message);
    // what it has is sent edit by edit, when the first sync is complete
    if (this.#parts !== undefined && !this.isReady) return;
    if (step === SYNC.update && this.#parts === undefined) this.#sayBase(this.#included);
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
        return this.#acked(said.ack.frames);
      case "rejected":
        return this.#rejected(said.rejected);
      case "commit":
        return this.#committed(said.changes);
      case "response":
        return this.#answered(said.response);
      case "event":
        if (said.event["type"] === "resynced") this.#included = Number(said.event["version"]);
        if (said.event["type"] === "access") this.#isReader = said.event["mayWrite"] === false;
        this.locks?.heard(said.event);
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

  #acked(frames: number): void {
    this.#framesAcked = frames;
    for (const { mark, frame = Infinity } of this.#unsaved)
      if (frame <= frames) this.#parts?.edits.became(mark, "saved");
    this.#unsaved = this.#unsaved.filter(({ frame = Infinity }) => frame > frames);
  }

  /** Its document holds what nobody else has: another one takes its place. */
  #rejected({ frame, code, details }: Rejected): void {
    const { party, actor } = this.identity;
    for (const edit of this.#unsaved.filter((it) => it.frame === frame)) {
      const { places, madeMs } = edit;
      if (code !== "FORBIDDEN") this.#parts?.edits.refusals.push({ party, actor, code, details, places });
      else if (details["rule"] !== "voided") this.#parts?.access.refused(party, actor, { places, sinceMs: madeMs });
      this.#refuse(edit);
    }
    this.world.refused(this);
  }

  #refuse(edit: Unsaved): void {
    this.#parts?.edits.became(edit.mark, "refused");
    this.#unsaved = this.#unsaved.filter((it) => it !== edit);
    if (edit.update !== undefined) this.#refused.push(edit.update);
  }

  /**
   * Edits of the document before this one. Those that build on what was refused are given back, and so are all when nothing
   * may be written; those that have arrived have arrived.
   */
  #replay(edits: EditLedger): void {
    const replay = new Replay(this.doc, this.#refused);
    this.#inherited = undefined;
    this.#refused = [];
    this.#unsaved = this.#unsaved.filter((edit) => {
      const { mark, update: made = NOTHING } = edit;
      const update = this.#isReader ? undefined : replay.put(made, this);
      if (update === undefined) edits.became(mark, this.#isReader && replay.includes(made) ? "saved" : "returned");
      else edit.update = update;
      return update !== undefined;
    });
  }

  #committed(changes: readonly Change[]): void {
    for (const { version, update } of changes) {
      this.version = version;
      if (this.isSynced && version <= (this.#included ?? 0) + 1) this.#included = version;
      else this.#announced = version;
      if (update.byteLength > 0) Y.applyUpdate(this.doc, update, this);
    }
  }

  #sendEdit(edit: Unsaved): void {
    if (edit.update === undefined) return;
    this.#sayBase(edit.base);
    super.edited(edit.update);
    edit.frame = this.#framesSent;
  }

  /** Before an edit that was made on it; edits from before this connection are in the answer to the server's step 1. */
  #sayBase(version: number | undefined): void {
    if (!this.#hasAnswered || version === undefined || version <= this.#baseSent) return;
    this.#baseSent = version;
    super.send(encodeBase(version));
  }

  #askFor(change: KeyedChange): void {
    if (!this.isConnected || (this.#parts !== undefined && !this.isReady)) return;
    const { key, ops, counts: _counts, lockTokens, ...conditions } = change;
    const changes = ops.map((op): Json => ({ ...op }));
    const tokens = lockTokens === undefined ? {} : { lockTokens: [...lockTokens] };
    const params = { changes, message: key, idempotencyKey: key, ...conditions, ...tokens };
    this.ask("change", params, (response) => this.#changeAnswered(change, response));
  }

  #answered(response: Response): void {
    const answered = this.#asked.get(response.id);
    this.#asked.delete(response.id);
    answered?.(response);
  }

  #changeAnswered(change: KeyedChange, response: Response): void {
    if (response.ok || !RETRIED.has(response.error.code)) {
      this.#unanswered.delete(change.key);
      return;
    }
    this.world.after(RETRY_MS, () => {
      if (this.#unanswered.has(change.key) && this.link?.isClientOver === false) this.#askFor(change);
    });
  }
}
