/**
 * The bytes of mcm.v1, pinned. If this fails, a peer of an earlier release cannot talk to this one: give the new form a new
 * subprotocol name (shared/protocol/version.ts), keep serving the former, and only then pin the new bytes here.
 */
import { expect, test } from "vitest";
import { parseActor } from "../../shared/ids.ts";
import * as frames from "../../shared/protocol/frames.ts";
import * as serverFrames from "../../shared/protocol/server-frames.ts";

const hex = (message: Uint8Array): string => Buffer.from(message).toString("hex");
const change = {
  version: 3,
  seq: 4,
  actor: parseActor("ada"),
  origin: "rest" as const,
  atMs: 1000,
  message: "why",
  paths: ["/a"],
  update: Uint8Array.from([1, 2]),
};

test.each([
  ["step 1", frames.encodeStep1(Uint8Array.from([0])), "00000100"],
  ["step 2", frames.encodeStep2(Uint8Array.from([0, 0])), "0001020000"],
  ["update", frames.encodeUpdate(Uint8Array.from([0, 0])), "0002020000"],
  ["keep-alive", frames.encodeAwareness([]), "010100"],
  ["awareness", frames.encodeAwareness([{ yjsClientId: 300, clock: 2, state: "{}" }]), "010701ac0202027b7d"],
  [
    "hello",
    serverFrames.encodeHello({ protocol: 1, sessionId: "s", contextId: "c", epoch: 1, version: 2, actor: "a" }),
    "64010173016301020161",
  ],
  [
    "hello with what later servers add",
    serverFrames.encodeHello({
      protocol: 1,
      sessionId: "s",
      contextId: "c",
      epoch: 3,
      version: 2,
      actor: "a",
      firstEpoch: 2,
      yjsClientId: 300,
    }),
    "6401017301630302016102ac02",
  ],
  ["ack", serverFrames.encodeAck({ frames: 300, version: 2 }), "65ac0202"],
  [
    "rejected",
    serverFrames.encodeRejected({ frame: 1, code: "LOCKED", message: "m", details: {} }),
    "6601064c4f434b4544016d027b7d",
  ],
  [
    "commit",
    serverFrames.encodeCommit([change], { withUpdates: true }),
    "67010304e80703616461020377687901022f61020102",
  ],
  ["request", frames.encodeRequest(1, "ping", {}), "68010470696e67027b7d"],
  ["response", serverFrames.encodeResponse({ id: 1, ok: true, result: {} }), "690101027b7d"],
  ["event", serverFrames.encodeEvent({ type: "x" }), "6a0c7b2274797065223a2278227d"],
  ["base", frames.encodeBase(300), "6cac02"],
  ["token", frames.encodeToken("t"), "6b0174"],
])("[WIRE-4] %s", (_name, message, expected) => {
  expect(hex(message)).toBe(expected);
});
