/** The codec of the sync wire: rules WIRE-1…6 of PROTOCOL.md. */
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { describe, expect, test } from "vitest";
import type { Change } from "../../shared/change.ts";
import { ServiceError } from "../../shared/errors.ts";
import { parseActor } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import * as frames from "../../shared/protocol/frames.ts";
import * as serverFrames from "../../shared/protocol/server-frames.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

function codeOf(message: Uint8Array): string {
  try {
    frames.decodeClientFrame(message);
    return "decoded";
  } catch (error) {
    return error instanceof ServiceError ? error.code : `not a ServiceError: ${String(error)}`;
  }
}

/** A message ≥ 100 as the SDK decodes it. */
function decodeExtension(message: Uint8Array): serverFrames.ServerExtension {
  const decoder = decoding.createDecoder(message);
  return serverFrames.decodeServerExtension(decoding.readVarUint(decoder), decoder);
}

const awarenessOf = (...states: string[]): Uint8Array =>
  frames.encodeAwareness(states.map((state, index) => ({ yjsClientId: index, clock: 1, state })));

describe("what clients send", () => {
  test("[WIRE-2] y-websocket's frames", () => {
    expect(frames.decodeClientFrame(frames.encodeStep1(bytes(0)))).toEqual({ type: "step1", stateVector: bytes(0) });
    expect(frames.decodeClientFrame(frames.encodeStep2(bytes(7, 8)))).toEqual({
      type: "data",
      update: bytes(7, 8),
      isAnswer: true,
    });
    expect(frames.decodeClientFrame(frames.encodeUpdate(bytes(9)))).toEqual({
      type: "data",
      update: bytes(9),
      isAnswer: false,
    });
    expect(frames.decodeClientFrame(bytes(frames.FRAME.queryAwareness))).toEqual({ type: "query-awareness" });
    const entries = [{ yjsClientId: 7, clock: 3, state: '{"name":"Ada"}' }];
    expect(frames.decodeClientFrame(frames.encodeAwareness(entries))).toEqual({ type: "awareness", entries });
  });

  test("[WIRE-2] our frames", () => {
    expect(frames.decodeClientFrame(frames.encodeRequest(5, "change", { changes: [] }))).toEqual({
      type: "request",
      id: 5,
      method: "change",
      params: { changes: [] },
    });
    expect(frames.decodeClientFrame(frames.encodeToken("abc"))).toEqual({ type: "token", token: "abc" });
    expect(frames.decodeClientFrame(frames.encodeBase(300))).toEqual({ type: "base", version: 300 });
  });

  test.each([
    ["nothing", bytes()],
    ["an unknown type", bytes(99)],
    ["auth, which only servers send", bytes(2, 0)],
    ["a sync step that does not exist", bytes(0, 3, 0)],
    ["a length beyond the end", bytes(0, 2, 100, 1)],
    ["a length of 2^40", bytes(0, 2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20)],
    ["a varint without end", bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)],
    ["a request whose parameters are not JSON", bytes(104, 1, 1, 0x61, 1, 0x7b)],
    ["invalid UTF-8 that is no JSON either", bytes(104, 1, 1, 0xff, 1, 0xff)],
  ])("[WIRE-1] %s is malformed", (_what, message) => {
    expect(codeOf(message)).toBe("MALFORMED_FRAME");
  });

  test("[WIRE-1] a message above the limit is too large", () => {
    expect(codeOf(new Uint8Array(LIMITS.frameBytesMax + 1))).toBe("TOO_LARGE");
  });

  test("[WIRE-3] bytes after a frame are refused", () => {
    expect(codeOf(bytes(...frames.encodeUpdate(bytes(1)), 0))).toBe("MALFORMED_FRAME");
  });

  test("[WIRE-6] a state of a size and nesting at the bound is taken, one beyond is not", () => {
    const sized = (size: number) => `{"x":"${"é".repeat((size - 8) / 2)}"}`;
    expect(codeOf(awarenessOf(sized(LIMITS.presenceBytesMax)))).toBe("decoded");
    expect(codeOf(awarenessOf(`${sized(LIMITS.presenceBytesMax)} `))).toBe("TOO_LARGE");
    const nested = (levels: number) => `{"x":"]{\\"[","y":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
    expect(codeOf(awarenessOf(nested(LIMITS.depthMax)))).toBe("decoded");
    expect(codeOf(awarenessOf(nested(LIMITS.depthMax + 1)))).toBe("MALFORMED_FRAME");
  });

  test("[WIRE-6] awareness states are objects or null, few and small", () => {
    expect(codeOf(awarenessOf("{}", "null"))).toBe("decoded");
    for (const state of ["1", '"text"', "[]", "{", ""]) expect(codeOf(awarenessOf(state))).toBe("MALFORMED_FRAME");
    expect(codeOf(awarenessOf(JSON.stringify({ at: "x".repeat(LIMITS.presenceBytesMax) })))).toBe("TOO_LARGE");
    expect(codeOf(awarenessOf(...Array.from({ length: LIMITS.presenceEntriesMax + 1 }, () => "{}")))).toBe(
      "MALFORMED_FRAME",
    );
  });
});

const ada = parseActor("ada");
const change: Change = {
  version: 3,
  seq: 4,
  actor: ada,
  origin: "rest",
  atMs: 1_700_000_000_000,
  message: "why",
  paths: ["/a", "@xml"],
  update: bytes(1, 2, 3),
};

describe("what servers send", () => {
  test("[WIRE-2] hello, ack, rejected, response, event", () => {
    const hello = { protocol: 1, sessionId: "s", contextId: "plan", epoch: 1, version: 7, actor: "ada" };
    expect(decodeExtension(serverFrames.encodeHello(hello))).toEqual({ type: "hello", hello });
    const later = { ...hello, firstEpoch: 1 };
    expect(decodeExtension(serverFrames.encodeHello(later))).toEqual({ type: "hello", hello: later });
    const offering = { ...later, yjsClientId: 4_000_000_000 };
    expect(decodeExtension(serverFrames.encodeHello(offering))).toEqual({ type: "hello", hello: offering });
    expect(decodeExtension(serverFrames.encodeAck({ frames: 300, version: 70_000 }))).toEqual({
      type: "ack",
      ack: { frames: 300, version: 70_000 },
    });
    const error = { code: "LOCKED" as const, message: "no", details: { path: "/a" } };
    expect(decodeExtension(serverFrames.encodeRejected({ frame: 2, ...error }))).toEqual({
      type: "rejected",
      rejected: { frame: 2, ...error },
    });
    const ok = { id: 1, ok: true as const, result: { version: 2 } };
    expect(decodeExtension(serverFrames.encodeResponse(ok))).toEqual({ type: "response", response: ok });
    const failed = { id: 2, ok: false as const, error };
    expect(decodeExtension(serverFrames.encodeResponse(failed))).toEqual({ type: "response", response: failed });
    expect(decodeExtension(serverFrames.encodeEvent({ type: "resynced" }))).toEqual({
      type: "event",
      event: { type: "resynced" },
    });
  });

  test("[WIRE-2] commits, with and without the bytes", () => {
    const { message: _, ...silent } = change;
    expect(decodeExtension(serverFrames.encodeCommit([change, silent], { withUpdates: true }))).toEqual({
      type: "commit",
      changes: [change, silent],
    });
    expect(decodeExtension(serverFrames.encodeCommit([change], { withUpdates: false }))).toEqual({
      type: "commit",
      changes: [{ ...change, update: bytes() }],
    });
  });

  test("[WIRE-5] types and codes of a later server do no harm", () => {
    expect(decodeExtension(bytes(120, 1, 2))).toEqual({ type: "unknown" });
    const later = encoding.encode((encoder) => {
      encoding.writeVarUint(encoder, frames.FRAME.rejected);
      encoding.writeVarUint(encoder, 1);
      for (const text of ["CODE_OF_TOMORROW", "no", "{}"]) encoding.writeVarString(encoder, text);
    });
    expect(decodeExtension(later)).toMatchObject({ type: "rejected", rejected: { code: "INTERNAL", message: "no" } });
  });
});
