/**
 * A stock y-websocket 3.1 client, on a simulated line: the same protocol code, the same order of messages, its own back-off.
 *
 * What it leaves out on purpose: it never expires other people's presence by itself, so that what it shows is what the
 * server said; and it has no BroadcastChannel, which would sync past the server.
 */
import { createDecoder, readVarUint, readVarUint8Array } from "lib0/decoding";
import { createEncoder, length, toUint8Array, writeVarUint, writeVarUint8Array } from "lib0/encoding";
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from "y-protocols/awareness";
import { readSyncMessage, writeSyncStep1, writeUpdate } from "y-protocols/sync";
import * as Y from "yjs";
import type { JsonOp } from "../../shared/change.ts";
import type { Actor, ContextId } from "../../shared/ids.ts";
import { ERRORS } from "../../shared/errors.ts";
import { FRAME, SYNC, encodeToken } from "../../shared/protocol/frames.ts";
import type { ClientEnd, SimLink } from "./sim-link.ts";

/** What a client needs of the world. */
export interface Surroundings {
  nowMs(): number;
  after(delayMs: number, run: () => void): void;
  note(what: string): void;
  violate(rule: string, what: string): void;
  dial(client: SimClient, end: ClientEnd): SimLink;
  /** The client's document is of an earlier epoch, of `epoch` if it was told that: another one takes its place. */
  outlived(client: SimClient, epoch?: number): void;
  /** An edit of the client was refused: its document is wrong for good. False when there is nothing that could refuse one. */
  refused(client: SimClient): boolean;
  /** The client's right to be connected is over. False when there is nobody who could end it. */
  shutOut(client: SimClient, code: number): boolean;
}

export interface ClientIdentity {
  readonly name: string;
  readonly actor: Actor;
  readonly contextId: ContextId;
  /** Whose page it is: one that begins anew with another document is still the same party, one that is loaded anew is not. */
  readonly party: string;
  readonly yjsClientId: number;
  /** It shows no presence, as a program that only syncs: then nothing but the server's keep-alive tells it that the line lives. */
  readonly isShy: boolean;
}

const RENEW_MS = 15_000;
const SILENCE_MS = 30_000;
const BACKOFF_MS_MAX = 2500;

export class SimClient {
  readonly identity: ClientIdentity;
  readonly isExtended: boolean = false;
  readonly doc = new Y.Doc();
  readonly awareness: Awareness;
  protected readonly world: Surroundings;
  protected link: SimLink | undefined;
  #isSynced = false;
  #attempts = 0;
  #heardAtMs = 0;
  #wantsLine = false;
  #isGone = false;

  constructor(identity: ClientIdentity, world: Surroundings) {
    this.identity = identity;
    this.world = world;
    this.doc.clientID = identity.yjsClientId;
    this.doc.guid = identity.name;
    this.awareness = new Awareness(this.doc);
    // it would renew by the wall clock
    clearInterval(this.awareness._checkInterval);
    this.doc.on("update", (update: Uint8Array, origin: unknown) => {
      if (origin !== this) this.edited(update);
    });
    this.awareness.on(
      "update",
      ({ added, updated, removed }: { added: number[]; updated: number[]; removed: number[] }) => {
        this.#sayPresence([...added, ...updated, ...removed]);
      },
    );
    this.awareness.setLocalState(identity.isShy ? null : { name: identity.name });
    if (!identity.isShy) this.#renewLater();
  }

  get isConnected(): boolean {
    return this.link !== undefined;
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Whether it wants to be connected. */
  get isHere(): boolean {
    return this.#wantsLine;
  }

  get currentLink(): SimLink | undefined {
    return this.link;
  }

  /** Everything it said is known to be kept; a stock client never knows. */
  get isSaved(): boolean {
    return true;
  }

  connect(): void {
    if (this.#isGone) return;
    this.#wantsLine = true;
    if (this.link === undefined) this.#dial();
  }

  /** The page is gone, and does not come back. */
  leave(): void {
    this.#isGone = true;
    this.disconnect();
    this.awareness.destroy();
  }

  /** Closes properly, as a page that is left. */
  disconnect(): void {
    this.#wantsLine = false;
    this.link?.clientClose();
    this.lineGone();
  }

  /** A newer token, while it is connected. */
  showToken(token: string): void {
    this.send(encodeToken(token));
  }

  /** `mark` makes its content unlike any other. */
  edit(_mark: string, change: (doc: Y.Doc) => readonly JsonOp[]): void {
    this.doc.transact(() => change(this.doc));
  }

  /** Its document changed by its own doing. */
  protected edited(update: Uint8Array): void {
    this.#say(FRAME.sync, (encoder) => writeUpdate(encoder, update));
  }

  protected lineGone(): void {
    this.link = undefined;
    this.#isSynced = false;
    const others = [...this.awareness.getStates().keys()].filter((id) => id !== this.awareness.clientID);
    removeAwarenessStates(this.awareness, others, this);
  }

  /** A step 2 came. */
  protected synced(): void {}

  /** Says hello; an mcm.v1 client adds to it. */
  protected lineOpen(): void {
    this.#say(FRAME.sync, (encoder) => writeSyncStep1(encoder, this.doc));
    if (!this.identity.isShy) this.#sayPresence([this.awareness.clientID]);
  }

  /** A message of a type that stock clients do not know. */
  protected hearExtension(type: number, _message: Uint8Array): void {
    this.world.violate("WIRE-5", `a stock client was sent frame ${type}`);
  }

  protected send(message: Uint8Array): void {
    this.link?.clientSend(message);
  }

  #dial(): void {
    const end: ClientEnd = {
      receive: (message) => {
        if (this.link === link) this.#hear(message);
      },
      closed: (code, reason) => {
        if (this.link === link) this.#closed(code, reason);
      },
    };
    const link = this.world.dial(this, end);
    this.link = link;
    this.#heardAtMs = this.world.nowMs();
    this.#watchSilence(link);
    this.lineOpen();
  }

  #closed(code: number, reason = ""): void {
    this.world.note(`${this.identity.name} closed ${code} ${reason}`);
    if (code === ERRORS.EPOCH_CHANGED.closeCode) return this.world.outlived(this);
    this.lineGone();
    if (this.world.shutOut(this, code)) return;
    // an mcm.v1 client was told before which edit it is
    if (code === ERRORS.FORBIDDEN.closeCode && !this.isExtended && this.world.refused(this)) return;
    if (code >= 4400 && code < 4500)
      this.world.violate("S9", `${this.identity.name} was shut out with ${code} ${reason}`);
    const delayMs = Math.min(100 * 2 ** this.#attempts++, BACKOFF_MS_MAX);
    this.world.after(delayMs, () => {
      if (this.#wantsLine && this.link === undefined) this.#dial();
    });
  }

  #hear(message: Uint8Array): void {
    this.#heardAtMs = this.world.nowMs();
    const decoder = createDecoder(message);
    const type = readVarUint(decoder);
    if (type === FRAME.awareness) return applyAwarenessUpdate(this.awareness, readVarUint8Array(decoder), this);
    if (type !== FRAME.sync) return this.hearExtension(type, message);
    const reply = createEncoder();
    writeVarUint(reply, FRAME.sync);
    const step = readSyncMessage(decoder, reply, this.doc, this, (error) =>
      this.world.violate("S1", `an update does not apply: ${error.message}`),
    );
    if (step === SYNC.step2) {
      this.#isSynced = true;
      this.#attempts = 0;
      this.synced();
    }
    if (length(reply) > 1) this.send(toUint8Array(reply));
  }

  #say(type: number, write: (encoder: ReturnType<typeof createEncoder>) => void): void {
    const encoder = createEncoder();
    writeVarUint(encoder, type);
    write(encoder);
    this.send(toUint8Array(encoder));
  }

  #sayPresence(ids: number[]): void {
    this.#say(FRAME.awareness, (encoder) => writeVarUint8Array(encoder, encodeAwarenessUpdate(this.awareness, ids)));
  }

  #renewLater(): void {
    this.world.after(RENEW_MS, () => {
      if (this.#wantsLine) this.awareness.setLocalState(this.awareness.getLocalState());
      this.#renewLater();
    });
  }

  #watchSilence(link: SimLink): void {
    this.world.after(SILENCE_MS / 10, () => {
      if (this.link !== link) return;
      if (this.world.nowMs() - this.#heardAtMs <= SILENCE_MS) return this.#watchSilence(link);
      if (!link.isDisturbed) this.world.violate("WIRE-13", `${this.identity.name} heard nothing for 30 s`);
      link.clientClose();
      this.#closed(1006);
    });
  }
}
