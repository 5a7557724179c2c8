/** What the benchmark takes for an ack or a conflict: a message misread is a latency made up. */
import { expect, test } from "vitest";
import { encodeUpdate } from "../../shared/protocol/frames.ts";
import { encodeAck, encodeEvent } from "../../shared/protocol/server-frames.ts";
import { ackedFrames, toldConflict } from "../bench/events.ts";

test("acks and conflicts are told from each other and from the rest", () => {
  const messages = [
    encodeAck({ frames: 300, version: 5 }),
    encodeEvent({ type: "conflict", conflict: { path: "/a" } }),
    encodeEvent({ type: "resynced", version: 3 }),
    encodeUpdate(Uint8Array.of(0, 0)),
  ];
  expect(messages.map(ackedFrames)).toEqual([300, undefined, undefined, undefined]);
  expect(messages.map(toldConflict)).toEqual([undefined, "/a", undefined, undefined]);
});
