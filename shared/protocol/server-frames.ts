/**
 * What servers say to mcm.v1 clients beyond y-websocket's messages. PROTOCOL.md is the grammar.
 *
 * Invariants (WIRE):
 *  1. A client reads what it knows of a frame and leaves the rest: a later server may add fields at a frame's end, and
 *     types of its own.
 *
 * Not here: what the messages do (server/sync/session.ts, client/replica.ts).
 */
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import type { Change, ChangeOrigin } from "../change.ts";
import { CHANGE_ORIGINS } from "../change.ts";
import { isErrorCode } from "../errors.ts";
import type { ErrorCode, ErrorDetails } from "../errors.ts";
import { parseActor } from "../ids.ts";
import { isJsonObject } from "../json.ts";
import type { Json, JsonObject } from "../json.ts";
import { readJson } from "./frame-parts.ts";
import { FRAME } from "./frames.ts";

/** First frame of an mcm.v1 session. */
export interface Hello {
  readonly protocol: number;
  readonly sessionId: string;
  readonly contextId: string;
  readonly epoch: number;
  /** Version of the last change that was public when the session began; the state that follows holds at least it. */
  readonly version: number;
  readonly actor: string;
  /**
   * The epoch in which the context was created; a replica of this epoch or a later one shows this context's past. Absent from a
   * server that does not take `base` frames either.
   */
  readonly firstEpoch?: number;
  /** A Yjs client id of this actor under which nobody writes any more: the replica may write under it. */
  readonly yjsClientId?: number;
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
  const hello = {
    protocol: decoding.readVarUint(decoder),
    sessionId: decoding.readVarString(decoder),
    contextId: decoding.readVarString(decoder),
    epoch: decoding.readVarUint(decoder),
    version: decoding.readVarUint(decoder),
    actor: decoding.readVarString(decoder),
  };
  if (!decoding.hasContent(decoder)) return hello;
  const firstEpoch = decoding.readVarUint(decoder);
  const yjsClientId = decoding.readVarUint(decoder);
  return { ...hello, firstEpoch, ...(yjsClientId === 0 ? {} : { yjsClientId }) };
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

export function encodeHello(hello: Hello): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, FRAME.hello);
    encoding.writeVarUint(encoder, hello.protocol);
    encoding.writeVarString(encoder, hello.sessionId);
    encoding.writeVarString(encoder, hello.contextId);
    encoding.writeVarUint(encoder, hello.epoch);
    encoding.writeVarUint(encoder, hello.version);
    encoding.writeVarString(encoder, hello.actor);
    if (hello.firstEpoch === undefined) return;
    encoding.writeVarUint(encoder, hello.firstEpoch);
    encoding.writeVarUint(encoder, hello.yjsClientId ?? 0);
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

function writeWireError(encoder: encoding.Encoder, error: WireError): void {
  encoding.writeVarString(encoder, error.code);
  encoding.writeVarString(encoder, error.message);
  encoding.writeVarString(encoder, JSON.stringify(error.details));
}
