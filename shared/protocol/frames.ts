/**
 * The wire of `/sync/<id>`: y-websocket's messages 0–3, and what clients say beyond them. PROTOCOL.md is the grammar.
 *
 * Invariants (WIRE):
 *  1. decodeClientFrame is total: any bytes give a frame or a ServiceError MALFORMED_FRAME / TOO_LARGE; nothing else is thrown.
 *  2. Memory taken by decoding is linear in the message's length; byte fields are views into it, not copies.
 *  3. A message holds one frame and nothing after it.
 *
 * Not here: what servers say beyond y-websocket (server-frames.ts), what frames do (server/sync/session.ts), WebSocket
 * framing (server/transport/websocket).
 */
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { ServiceError } from "../errors.ts";
import { isJsonObject } from "../json.ts";
import type { Json } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { malformed, parseJson, readJson } from "./frame-parts.ts";

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
  base: 108,
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
  | { readonly type: "token"; readonly token: string }
  /** What this connection's later data frames were made on: a replica that includes this version, or a later one. */
  | { readonly type: "base"; readonly version: number };

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
    case FRAME.base:
      return { type: "base", version: decoding.readVarUint(decoder) };
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
    const beganAt = decoder.pos;
    const state = decoding.readVarString(decoder);
    if (decoder.pos - beganAt > LIMITS.presenceBytesMax + varUintBytes(LIMITS.presenceBytesMax))
      throw new ServiceError("TOO_LARGE", `A presence state may have ${LIMITS.presenceBytesMax} bytes.`);
    const value = parseJson(state);
    if (value !== null && !isJsonObject(value)) throw malformed("has a presence state that is not an object");
    if (nestingOf(state) > LIMITS.depthMax) throw malformed("has a presence state that is nested too deep");
    entries.push({ yjsClientId, clock, state });
  }
  if (decoding.hasContent(decoder)) throw malformed("has bytes after its presence entries");
  return entries;
}

/** Levels of JSON text, without recursion: who writes or reads a deep value with it would need a deep stack. */
function nestingOf(json: string): number {
  let [depth, deepest] = [0, 0];
  let isInString = false;
  for (let at = 0; at < json.length; at++) {
    const char = json[at];
    if (char === "\\") at++;
    else if (char === '"') isInString = !isInString;
    else if (isInString) continue;
    else if (char === "{" || char === "[") deepest = Math.max(deepest, ++depth);
    else if (char === "}" || char === "]") depth--;
  }
  return deepest;
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

export function encodeRequest(id: number, method: string, params: Json): Uint8Array<ArrayBuffer> {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, FRAME.request);
    encoding.writeVarUint(encoder, id);
    encoding.writeVarString(encoder, method);
    encoding.writeVarString(encoder, JSON.stringify(params));
  });
}

export function encodeToken(token: string): Uint8Array<ArrayBuffer> {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, FRAME.token);
    encoding.writeVarString(encoder, token);
  });
}

export function encodeBase(version: number): Uint8Array<ArrayBuffer> {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, FRAME.base);
    encoding.writeVarUint(encoder, version);
  });
}
