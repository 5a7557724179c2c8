/**
 * The wire of `/sync/<id>`: y-websocket's messages 0–3 and ours ≥ 100. PROTOCOL.md is the grammar.
 *
 * Invariants (WIRE):
 *  1. decodeClientFrame is total: any bytes give a frame or a ServiceError MALFORMED_FRAME / TOO_LARGE; nothing else is thrown.
 *  2. Memory taken by decoding is linear in the message's length; byte fields are views into it, not copies.
 *  3. A message holds one frame and nothing after it.
 *
 * Not here: what frames do (server/sync/session.ts), WebSocket framing (server/transport/websocket).
 */
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import type { Change, ChangeOrigin } from "../change.ts";
import { CHANGE_ORIGINS } from "../change.ts";
import { ServiceError, isErrorCode } from "../errors.ts";
import type { ErrorCode, ErrorDetails } from "../errors.ts";
import { parseActor } from "../ids.ts";
import { isJsonObject } from "../json.ts";
import type { Json, JsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";

/** First varint of a message. 0–3 are y-websocket's, the rest are ours. */
export const FRAME = {
  sync: 0,
  awareness: 1,
  auth: 2,
  queryAwareness: 3,
  hello: 100,
  ack: 101,
  rejected: 102,
  commit: 103,
  request: 104,
  response: 105,
  event: 106,
  token: 107,
} as const;

/** Second varint of a sync message (y-protocols/sync). */
export const SYNC = { step1: 0, step2: 1, update: 2 } as const;

/** One client's line of an awareness message; `state` is a JSON text, "null" when the client left. */
export interface AwarenessEntry {
  readonly yjsClientId: number;
  readonly clock: number;
  readonly state: string;
}

export type ClientFrame =
  | { readonly type: "step1"; readonly stateVector: Uint8Array }
  /** `isAnswer`: a step 2, which holds all that the client has beyond what it was asked for. */
  | { readonly type: "data"; readonly update: Uint8Array; readonly isAnswer: boolean }
  | { readonly type: "awareness"; readonly entries: readonly AwarenessEntry[] }
  | { readonly type: "query-awareness" }
  | { readonly type: "request"; readonly id: number; readonly method: string; readonly params: Json }
  | { readonly type: "token"; readonly token: string };

/** First frame of an mcm.v1 session. */
export interface Hello {
  readonly protocol: number;
  readonly sessionId: string;
  readonly contextId: string;
  readonly epoch: number;
  /** Version of the last change that was public when the session began; the state that follows holds at least it. */
  readonly version: number;
  readonly actor: string;
}

/** Everything up to the n-th data frame of this connection is durable, the newest of it as `version`. */
export interface Ack {
  readonly frames: number;
  readonly version: number;
}

/** An error on the wire: same fields as the body of a REST problem. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** The n-th data frame of this connection was refused; what else was sent stands. */
export interface Rejected extends WireError {
  readonly frame: number;
}

export type Response =
  | { readonly id: number; readonly ok: true; readonly result: Json }
  | { readonly id: number; readonly ok: false; readonly error: WireError };

export type ServerExtension =
  | { readonly type: "hello"; readonly hello: Hello }
  | { readonly type: "ack"; readonly ack: Ack }
  | { readonly type: "rejected"; readonly rejected: Rejected }
  | { readonly type: "commit"; readonly changes: readonly Change[] }
  | { readonly type: "response"; readonly response: Response }
  | { readonly type: "event"; readonly event: JsonObject }
  | { readonly type: "unknown" };

/** @throws {ServiceError} MALFORMED_FRAME, TOO_LARGE */
export function decodeClientFrame(message: Uint8Array): ClientFrame {
  if (message.byteLength > LIMITS.frameBytesMax) {
    throw new ServiceError(
      "TOO_LARGE",
      `A message may have ${LIMITS.frameBytesMax} bytes. Send the change in smaller steps.`,
    );
  }
  const decoder = decoding.createDecoder(message);
  try {
    const frame = readClientFrame(decoder);
    if (decoding.hasContent(decoder)) throw malformed("has bytes after its end");
    return frame;
  } catch (error) {
    // lib0 throws plain errors on short input; they are the sender's fault, not ours (WIRE 1)
    if (error instanceof ServiceError) throw error;
    throw malformed("ends too early or holds an invalid number or text");
  }
}

function readClientFrame(decoder: decoding.Decoder): ClientFrame {
  const type = decoding.readVarUint(decoder);
  switch (type) {
    case FRAME.sync:
      return readSync(decoder);
    case FRAME.awareness:
      return { type: "awareness", entries: readAwareness(decoding.createDecoder(decoding.readVarUint8Array(decoder))) };
    case FRAME.queryAwareness:
      return { type: "query-awareness" };
    case FRAME.request: {
      const id = decoding.readVarUint(decoder);
      const method = decoding.readVarString(decoder);
      return { type: "request", id, method, params: readJson(decoder) };
    }
    case FRAME.token:
      return { type: "token", token: decoding.readVarString(decoder) };
    default:
      throw malformed(`has the unknown type ${type}`);
  }
}

function readSync(decoder: decoding.Decoder): ClientFrame {
  const step = decoding.readVarUint(decoder);
  const bytes = decoding.readVarUint8Array(decoder);
  if (step === SYNC.step1) return { type: "step1", stateVector: bytes };
  if (step === SYNC.step2 || step === SYNC.update)
    return { type: "data", update: bytes, isAnswer: step === SYNC.step2 };
  throw malformed(`has the unknown sync step ${step}`);
}

/** Reads the payload of an awareness message. @throws {ServiceError} MALFORMED_FRAME, TOO_LARGE; lib0's errors on short input */
export function readAwareness(decoder: decoding.Decoder): AwarenessEntry[] {
  const count = decoding.readVarUint(decoder);
  if (count > LIMITS.presenceEntriesMax)
    throw malformed(`speaks for ${count} clients, ${LIMITS.presenceEntriesMax} are allowed`);
  const entries: AwarenessEntry[] = [];
  for (let i = 0; i < count; i++) {
    const yjsClientId = decoding.readVarUint(decoder);
    const clock = decoding.readVarUint(decoder);
    const state = decoding.readVarString(decoder);
    if (state.length > LIMITS.presenceBytesMax)
      throw new ServiceError("TOO_LARGE", `A presence state may have ${LIMITS.presenceBytesMax} bytes.`);
    const value = parseJson(state);
    if (value !== null && !isJsonObject(value)) throw malformed("has a presence state that is not an object");
    entries.push({ yjsClientId, clock, state });
  }
  if (decoding.hasContent(decoder)) throw malformed("has bytes after its presence entries");
  return entries;
}

/** Decodes the rest of a message ≥ 100 after its type, as a client. Unknown types are for later versions: ignored. */
export function decodeServerExtension(type: number, decoder: decoding.Decoder): ServerExtension {
  switch (type) {
    case FRAME.hello:
      return { type: "hello", hello: readHello(decoder) };
    case FRAME.ack:
      return { type: "ack", ack: { frames: decoding.readVarUint(decoder), version: decoding.readVarUint(decoder) } };
    case FRAME.rejected:
      return { type: "rejected", rejected: { frame: decoding.readVarUint(decoder), ...readWireError(decoder) } };
    case FRAME.commit:
      return { type: "commit", changes: readCommit(decoder) };
    case FRAME.response: {
      const id = decoding.readVarUint(decoder);
      const ok = decoding.readUint8(decoder) === 1;
      return {
        type: "response",
        response: ok ? { id, ok, result: readJson(decoder) } : { id, ok, error: readWireError(decoder) },
      };
    }
    case FRAME.event: {
      const event = readJson(decoder);
      return isJsonObject(event) ? { type: "event", event } : { type: "unknown" };
    }
    default:
      return { type: "unknown" };
  }
}

function readHello(decoder: decoding.Decoder): Hello {
  return {
    protocol: decoding.readVarUint(decoder),
    sessionId: decoding.readVarString(decoder),
    contextId: decoding.readVarString(decoder),
    epoch: decoding.readVarUint(decoder),
    version: decoding.readVarUint(decoder),
    actor: decoding.readVarString(decoder),
  };
}

function readWireError(decoder: decoding.Decoder): WireError {
  const code = decoding.readVarString(decoder);
  const message = decoding.readVarString(decoder);
  const details = readJson(decoder);
  // a code of a newer server is still an error; INTERNAL is the one without promises
  return { code: isErrorCode(code) ? code : "INTERNAL", message, details: isJsonObject(details) ? details : {} };
}

function readCommit(decoder: decoding.Decoder): Change[] {
  const count = decoding.readVarUint(decoder);
  const changes: Change[] = [];
  for (let i = 0; i < count; i++) changes.push(readChange(decoder));
  return changes;
}

function readChange(decoder: decoding.Decoder): Change {
  const version = decoding.readVarUint(decoder);
  const seq = decoding.readVarUint(decoder);
  const atMs = decoding.readVarUint(decoder);
  const actor = parseActor(decoding.readVarString(decoder));
  const origin: ChangeOrigin = CHANGE_ORIGINS[decoding.readVarUint(decoder)] ?? "sync";
  const message = decoding.readVarString(decoder);
  const paths: string[] = [];
  for (let n = decoding.readVarUint(decoder); n > 0; n--) paths.push(decoding.readVarString(decoder));
  const update = decoding.readVarUint8Array(decoder);
  return { version, seq, atMs, actor, origin, paths, update, ...(message === "" ? {} : { message }) };
}

export const encodeStep1 = (stateVector: Uint8Array): Uint8Array => encodeSync(SYNC.step1, stateVector);
export const encodeStep2 = (update: Uint8Array): Uint8Array => encodeSync(SYNC.step2, update);
export const encodeUpdate = (update: Uint8Array): Uint8Array<ArrayBuffer> => encodeSync(SYNC.update, update);

/** By hand and in one piece: this is the hot path of fan-out, where an encoder's buffers cost more than the copy. */
function encodeSync(step: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = bytes.byteLength;
  const lengthBytes = varUintBytes(length);
  const message = new Uint8Array(2 + lengthBytes + length);
  message[0] = FRAME.sync;
  message[1] = step;
  let rest = length;
  for (let at = 2; at < 2 + lengthBytes; at++) {
    message[at] = (rest & 0x7f) | (rest > 0x7f ? 0x80 : 0);
    rest >>>= 7;
  }
  message.set(bytes, 2 + lengthBytes);
  return message;
}

function varUintBytes(value: number): number {
  let count = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) count++;
  return count;
}

/** With no entries this is the keep-alive that stock clients take as a sign of life. */
export function encodeAwareness(entries: readonly AwarenessEntry[]): Uint8Array {
  const payload = encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, entries.length);
    for (const entry of entries) {
      encoding.writeVarUint(encoder, entry.yjsClientId);
      encoding.writeVarUint(encoder, entry.clock);
      encoding.writeVarString(encoder, entry.state);
    }
  });
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, FRAME.awareness);
    encoding.writeVarUint8Array(encoder, payload);
  });
}

export function encodeHello(hello: Hello): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, FRAME.hello);
    encoding.writeVarUint(encoder, hello.protocol);
    encoding.writeVarString(encoder, hello.sessionId);
    encoding.writeVarString(encoder, hello.contextId);
    encoding.writeVarUint(encoder, hello.epoch);
    encoding.writeVarUint(encoder, hello.version);
    encoding.writeVarString(encoder, hello.actor);
  });
}

export function encodeAck(ack: Ack): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, FRAME.ack);
    encoding.writeVarUint(encoder, ack.frames);
    encoding.writeVarUint(encoder, ack.version);
  });
}

export function encodeRejected(rejected: Rejected): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, FRAME.rejected);
    encoding.writeVarUint(encoder, rejected.frame);
    writeWireError(encoder, rejected);
  });
}

/** The changes of one commit. Their author gets them without the bytes it has (`withUpdates: false`). */
export function encodeCommit(changes: readonly Change[], options: { readonly withUpdates: boolean }): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, FRAME.commit);
    encoding.writeVarUint(encoder, changes.length);
    for (const change of changes) writeChange(encoder, change, options.withUpdates ? change.update : NO_BYTES);
  });
}

const NO_BYTES = new Uint8Array(0);

function writeChange(encoder: encoding.Encoder, change: Change, update: Uint8Array): void {
  encoding.writeVarUint(encoder, change.version);
  encoding.writeVarUint(encoder, change.seq);
  encoding.writeVarUint(encoder, change.atMs);
  encoding.writeVarString(encoder, change.actor);
  encoding.writeVarUint(encoder, CHANGE_ORIGINS.indexOf(change.origin));
  encoding.writeVarString(encoder, change.message ?? "");
  encoding.writeVarUint(encoder, change.paths.length);
  for (const path of change.paths) encoding.writeVarString(encoder, path);
  encoding.writeVarUint8Array(encoder, update);
}

export function encodeRequest(id: number, method: string, params: Json): Uint8Array<ArrayBuffer> {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, FRAME.request);
    encoding.writeVarUint(encoder, id);
    encoding.writeVarString(encoder, method);
    encoding.writeVarString(encoder, JSON.stringify(params));
  });
}

export function encodeResponse(response: Response): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, FRAME.response);
    encoding.writeVarUint(encoder, response.id);
    encoding.writeUint8(encoder, response.ok ? 1 : 0);
    if (response.ok) encoding.writeVarString(encoder, JSON.stringify(response.result));
    else writeWireError(encoder, response.error);
  });
}

export function encodeEvent(event: JsonObject): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, FRAME.event);
    encoding.writeVarString(encoder, JSON.stringify(event));
  });
}

export function encodeToken(token: string): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, FRAME.token);
    encoding.writeVarString(encoder, token);
  });
}

function writeWireError(encoder: encoding.Encoder, error: WireError): void {
  encoding.writeVarString(encoder, error.code);
  encoding.writeVarString(encoder, error.message);
  encoding.writeVarString(encoder, JSON.stringify(error.details));
}

function readJson(decoder: decoding.Decoder): Json {
  return parseJson(decoding.readVarString(decoder));
}

function parseJson(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed("holds text that is not JSON");
  }
}

function malformed(what: string): ServiceError {
  return new ServiceError("MALFORMED_FRAME", `The message ${what}. See shared/protocol/PROTOCOL.md for the grammar.`);
}
