/** Writes that wait for another server that recreates their document: NODE-40. */
import { expect, test } from "vitest";
import { PeerHolds } from "../../server/context/peer-holds.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Json } from "../../shared/json.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { PLAN } from "../support/service-rig.ts";

/** Two servers that hear each other. */
function start() {
  const clock = new ManualClock();
  const held: string[] = [];
  let heard = (_message: Json): void => undefined;
  let isLost = false;
  const context = { pauses: 0 };
  const state = {
    get: () => context,
    pause: () => void held.push("pause"),
    resume: () => void held.push("resume"),
  } as unknown as ConstructorParameters<typeof PeerHolds>[0]["state"];
  const here = new PeerHolds({
    clock,
    state,
    peers: { say: () => undefined, hear: (_topic, listener) => (heard = listener) },
  });
  const there = new PeerHolds({
    clock,
    state,
    peers: { say: (_topic, message) => void (isLost || heard(message)), hear: () => undefined },
  });
  return { clock, held, here, there, lose: () => (isLost = true), hear: (message: Json) => heard(message) };
}

test("[NODE-40] they wait from the word to the word, however long it takes", () => {
  const { clock, held, there } = start();
  const letGo = there.hold(PLAN);
  clock.advance(3 * LIMITS.peerHoldMs);
  expect(held).toEqual(["pause"]);
  letGo();
  expect(held).toEqual(["pause", "resume"]);
  clock.advance(3 * LIMITS.peerHoldMs);
  expect(held).toHaveLength(2);
});

test("[NODE-40] whoever is not heard of any more holds nobody", () => {
  const { clock, held, there, lose } = start();
  there.hold(PLAN);
  lose();
  clock.advance(LIMITS.peerHoldMs - 1);
  expect(held).toEqual(["pause"]);
  clock.advance(1);
  expect(held).toEqual(["pause", "resume"]);
});

test("what is no such word is passed over", () => {
  const { held, hear } = start();
  for (const message of [
    null,
    {},
    { contextId: "plan" },
    { contextId: "no id!", isHeld: true },
    { contextId: "plan", isHeld: false },
  ])
    hear(message);
  expect(held).toEqual([]);
});
