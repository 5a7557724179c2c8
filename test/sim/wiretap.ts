/**
 * Listens to one connection and writes down what the server thereby promises; checks the order of what it says.
 *
 *  S3  commits of a session go on without a gap from the version that hello named, unless it fell behind
 *  S6  what waits for a slow receiver is bounded
 *  WIRE-14  acks name frames that were sent, and never go back
 *  WIRE-21  a stock client is told nothing of the document before it said what it has
 *  WIRE-23  hello tells the session's epoch
 */
import { createDecoder, readVarUint, readVarUint8Array } from "lib0/decoding";
import * as Y from "yjs";
import { isJsonObject } from "../../shared/json.ts";
import type { Json } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import { FRAME, SYNC, decodeClientFrame } from "../../shared/protocol/frames.ts";
import type { ClientFrame } from "../../shared/protocol/frames.ts";
import { decodeServerExtension } from "../../shared/protocol/server-frames.ts";
import type { Response, ServerExtension } from "../../shared/protocol/server-frames.ts";
import type { Answer, Ledger } from "./ledger.ts";
import type { LockTap } from "./locks/lock-tap.ts";
import type { Tap } from "./sim-link.ts";

export interface WiretapOptions {
  readonly isExtended: boolean;
  readonly party: string;
  readonly actor: string;
  /** Under which the session is; absent on an open server. */
  readonly token: { readonly shown: string; readonly isOver: (token: string) => boolean } | undefined;
  /** There are locks, and what they forbid is refused. */
  readonly locks: LockTap | undefined;
  /** A good moment to hold the disk against what was promised. */
  readonly look: () => void;
  readonly ledger: Ledger;
  readonly violate: (rule: string, what: string) => void;
  /** What a byte counts for (sim-link.ts). */
  readonly weight: number;
}

export class Wiretap implements Tap {
  readonly #options: WiretapOptions;
  #token: string | undefined;
  #isOver = false;
  readonly #frames: Uint8Array[] = [];
  readonly #keyOf = new Map<number, string>();
  #acked = 0;
  /** Requests under way, and the most there were at once. */
  #asking = 0;
  #askingMax = 0;
  /** Bytes of what is being said at once, and the most there were. */
  #saying = 0;
  #largest = 0;
  #version: number | undefined;
  #hasAsked = false;
  #epoch: number | undefined;
  /** Said before it was known in which epoch. */
  #early: Uint8Array[] = [];

  constructor(options: WiretapOptions) {
    this.#options = options;
    this.#token = options.token?.shown;
  }

  /** Of the session; undefined before there is one. */
  get epoch(): number | undefined {
    return this.#epoch;
  }

  /** That the server has from the client: the newest that came to it before it ended the session. */
  get token(): string | undefined {
    return this.#token;
  }

  /** The session is open. What it has said so far comes with it. */
  opened(epoch: number): void {
    this.#epoch = epoch;
    this.#options.ledger.epoch(epoch);
    for (const message of this.#early.splice(0)) this.#hear(message, epoch);
  }

  fromClient(message: Uint8Array): void {
    const frame = decodeClientFrame(message);
    if (frame.type === "step1") this.#hasAsked = true;
    if (frame.type === "data") {
      this.#frames.push(frame.update);
      if (this.#options.locks !== undefined) this.#options.ledger.edits.sends(this.#options.party, frame.update);
    }
    if (frame.type === "request") this.#asks(frame);
  }

  reached(message: Uint8Array): void {
    const { locks, ledger } = this.#options;
    if (locks === undefined) return;
    const frame = decodeClientFrame(message);
    if (frame.type === "request") locks.reached(frame.id);
    if (frame.type === "token" && !this.#isOver) this.#token = frame.token;
    if (frame.type === "data") ledger.edits.reaches(frame.update, locks.leases);
  }

  over(): void {
    this.#isOver = true;
    this.#options.locks?.over();
  }

  fromServer(message: Uint8Array): void {
    const { ledger, party, actor, token, violate } = this.#options;
    ledger.access.shows(party, actor);
    if (this.#token !== undefined && token?.isOver(this.#token) === true)
      violate("S5 ACL-9", `something is told under a token that is over`);
    this.#saying += message.byteLength;
    if (this.#epoch === undefined) this.#early.push(message);
    else this.#hear(message, this.#epoch);
  }

  #asks({ id, method, params }: Extract<ClientFrame, { type: "request" }>): void {
    this.#askingMax = Math.max(this.#askingMax, ++this.#asking);
    const key = isJsonObject(params) ? params["idempotencyKey"] : undefined;
    if (typeof key === "string") {
      this.#keyOf.set(id, key);
      this.#options.ledger.sends(key);
    }
    this.#options.locks?.asks(id, method, params);
  }

  #hear(message: Uint8Array, epoch: number): void {
    const { ledger, isExtended, violate, locks, party } = this.#options;
    if (locks !== undefined) ledger.edits.shows(party, message);
    const decoder = createDecoder(message);
    const type = readVarUint(decoder);
    if (type >= FRAME.hello) return this.#extension(decodeServerExtension(type, decoder), epoch);
    if (type !== FRAME.sync) return;
    const step = readVarUint(decoder);
    const bytes = readVarUint8Array(decoder);
    if (step === SYNC.step1) return ledger.sawVector(epoch, Y.decodeStateVector(bytes));
    if (!isExtended && !this.#hasAsked) violate("WIRE-21", "a stock client was shown content before its step 1");
    ledger.sawUpdate(epoch, bytes);
  }

  #extension(said: ServerExtension, epoch: number): void {
    const { ledger, violate } = this.#options;
    switch (said.type) {
      case "hello":
        if (said.hello.epoch !== epoch) violate("WIRE-23", `hello tells epoch ${said.hello.epoch} instead of ${epoch}`);
        this.#version = said.hello.version;
        ledger.sawVersion(said.hello.version);
        return;
      case "commit":
        for (const change of said.changes) {
          this.#follows(change.version);
          ledger.sawChange(change, epoch);
        }
        return;
      case "ack":
        return this.#ack(said.ack.frames, { epoch, version: said.ack.version });
      case "rejected": {
        const { code, message } = said.rejected;
        if (this.#options.locks !== undefined && REFUSALS.has(code)) return;
        return violate("STATE-1", `an honest edit was refused: ${code} ${message}`);
      }
      case "response":
        return this.#response(said.response);
      case "event":
        this.#options.locks?.heard(said.event);
        return this.#event(said.event["conflict"]);
      default:
        violate("WIRE-5", "the server sent a frame of an unknown type");
    }
  }

  /** The limit, and what was asked for before it was reached: a state or two, answers to requests. */
  buffered(bytes: number): void {
    const { weight, violate } = this.#options;
    this.#largest = Math.max(this.#largest, this.#saying);
    this.#saying = 0;
    const max = LIMITS.outboundBytesMax + (STATES_MAX + this.#askingMax) * this.#largest * weight;
    if (bytes > max) violate("S6 SYNC-3", `${bytes} bytes wait for one receiver, at most ${max} should`);
  }

  #follows(version: number): void {
    const last = this.#version ?? -1;
    this.#version = version;
    if (version === last + 1 || (version > last && this.#options.weight > 1)) return;
    this.#options.violate("S3 WIRE-15", `a session got version ${version} after ${last}`);
  }

  #event(conflict: Json | undefined): void {
    if (conflict === undefined || !isJsonObject(conflict)) return;
    const { ledger, look } = this.#options;
    const { id, status } = conflict;
    if (typeof id === "string") ledger.sawConflict(id, status === "open" ? "open" : "recorded");
    look();
  }

  #ack(frames: number, at: { readonly epoch: number; readonly version: number }): void {
    const { ledger, violate } = this.#options;
    if (frames <= this.#acked || frames > this.#frames.length)
      violate("WIRE-14", `frame ${frames} was acknowledged after ${this.#acked}, of ${this.#frames.length} sent`);
    for (const update of this.#frames.slice(this.#acked, frames)) {
      ledger.sawUpdate(at.epoch, update);
      ledger.claim({ ...at, vector: Y.parseUpdateMeta(update).to, why: "an ack" });
    }
    this.#acked = frames;
  }

  #response(response: Response): void {
    this.#asking--;
    this.#options.locks?.answered(response);
    const key = this.#keyOf.get(response.id);
    if (key === undefined) return;
    const answer = answerOf(response);
    if (answer !== undefined) this.#options.ledger.sawAnswer(key, answer);
    if (!response.ok && response.error.code === "INTERNAL")
      this.#options.violate("CTX-3", `a request failed: ${response.error.message}`);
  }
}

const STATES_MAX = 2;

/** What locks, and refusals before, make the server refuse. */
const REFUSALS: ReadonlySet<string> = new Set(["LOCKED", "FENCE_STALE", "FORBIDDEN"]);

/** Undefined when the request is to be sent again. */
function answerOf(response: Response): Answer | undefined {
  if (!response.ok)
    return RETRIED.has(response.error.code)
      ? undefined
      : { kind: "refused", code: response.error.code, details: response.error.details };
  const { result } = response;
  if (!isJsonObject(result)) return undefined;
  return {
    kind: "done",
    version: Number(result["version"]),
    seq: Number(result["seq"]),
    replayed: result["replayed"] === true,
  };
}

/** Answers that are none. */
export const RETRIED: ReadonlySet<string> = new Set(["STORE_UNAVAILABLE", "SHUTTING_DOWN", "INTERNAL", "UNREACHABLE"]);
