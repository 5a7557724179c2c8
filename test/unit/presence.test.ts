/** The presence table: rules PRES-1…5. */
import { beforeEach, describe, expect, test } from "vitest";
import { LIMITS } from "../../shared/limits.ts";
import type { AwarenessEntry } from "../../shared/protocol/frames.ts";
import { Presence } from "../../server/sync/presence.ts";

const ADA = { info: { actor: "ada" } };
const BOB = { info: { actor: "bob" } };

const says = (yjsClientId: number, clock: number, state = '{"at":1}'): AwarenessEntry => ({
  yjsClientId,
  clock,
  state,
});
/** The same as others get it. */
const from = ({ info }: typeof ADA, yjsClientId: number, clock: number, state = '{"at":1}'): AwarenessEntry =>
  says(yjsClientId, clock, JSON.stringify({ ...JSON.parse(state), actor: info.actor }));
const gone = (yjsClientId: number, clock: number): AwarenessEntry => says(yjsClientId, clock, "null");

let presence: Presence;
beforeEach(() => {
  presence = new Presence();
});

describe("[PRES-1] a session speaks for one id", () => {
  test("its own changes are passed on", () => {
    presence.hear(ADA, [says(1, 1)], 0);
    expect(presence.takeChanges()).toEqual([from(ADA, 1, 1)]);
    presence.hear(ADA, [says(1, 2, '{"at":2}')], 1);
    expect(presence.takeChanges()).toEqual([from(ADA, 1, 2, '{"at":2}')]);
    expect(presence.hasChanges).toBe(false);
  });

  test("what it repeats about others is ignored", () => {
    presence.hear(ADA, [says(1, 1)], 0);
    presence.takeChanges();
    presence.hear(BOB, [says(1, 1), says(2, 1)], 0);
    expect(presence.takeChanges()).toEqual([from(BOB, 2, 1)]);
    presence.hear(BOB, [says(3, 1)], 0);
    expect(presence.all()).toEqual([from(ADA, 1, 1), from(BOB, 2, 1)]);
  });
});

describe("[PRES-2] taking an id", () => {
  test("an id that is spoken for cannot be taken over, with whatever clock", () => {
    presence.hear(ADA, [says(1, 1)], 0);
    expect(presence.hear(BOB, [says(1, 2 ** 31, '{"at":"false"}'), gone(1, 2 ** 31)], 0)).toEqual([]);
    expect(presence.all()).toEqual([from(ADA, 1, 1)]);
    presence.hear(ADA, [says(1, 2, '{"at":2}')], 0);
    expect(presence.all()).toEqual([from(ADA, 1, 2, '{"at":2}')]);
  });

  test("an id that left is taken with a higher clock", () => {
    presence.hear(ADA, [says(1, 5)], 0);
    presence.leave(ADA, 0);
    presence.hear(BOB, [says(1, 7)], 0);
    expect(presence.all()).toEqual([from(BOB, 1, 7)]);
  });

  test("clocks beyond all reason are ignored, so that nobody can lock an id", () => {
    presence.hear(ADA, [says(1, 2 ** 40)], 0);
    expect(presence.all()).toEqual([]);
  });
});

describe("[PRES-3] leaving", () => {
  test("a session that ends takes its line along, and others hear of it", () => {
    presence.hear(ADA, [says(1, 5)], 0);
    presence.takeChanges();
    presence.leave(ADA, 0);
    expect(presence.takeChanges()).toEqual([gone(1, 6)]);
    expect(presence.all()).toEqual([]);
  });

  test("a client may leave by itself and come back", () => {
    presence.hear(ADA, [says(1, 5)], 0);
    presence.hear(ADA, [gone(1, 6)], 0);
    expect(presence.takeChanges()).toEqual([gone(1, 6)]);
    presence.hear(ADA, [says(1, 7)], 0);
    expect(presence.all()).toEqual([from(ADA, 1, 7)]);
  });

  test("what is not renewed in time is gone, what is renewed stays", () => {
    presence.hear(ADA, [says(1, 1)], 0);
    presence.hear(BOB, [says(2, 1)], 0);
    presence.hear(BOB, [says(2, 2)], LIMITS.presenceTtlMs - 1);
    presence.takeChanges();
    presence.expire(LIMITS.presenceTtlMs);
    expect(presence.takeChanges()).toEqual([gone(1, 2)]);
    expect(presence.all()).toEqual([from(BOB, 2, 2)]);
  });

  test("one who left long ago is forgotten: the id starts anew", () => {
    presence.hear(ADA, [says(1, 9)], 0);
    presence.leave(ADA, 0);
    presence.expire(LIMITS.presenceTtlMs);
    expect(presence.hear(BOB, [says(1, 1)], LIMITS.presenceTtlMs)).toEqual([]);
    expect(presence.all()).toEqual([from(BOB, 1, 1)]);
  });
});

test("[PRES-4] who comes back with the old clock is told of its end, and only it", () => {
  presence.hear(ADA, [says(1, 5)], 0);
  presence.leave(ADA, 0);
  presence.takeChanges();
  expect(presence.hear(BOB, [says(1, 5)], 0)).toEqual([gone(1, 6)]);
  expect(presence.hasChanges).toBe(false);
  expect(presence.hear(BOB, [says(1, 7)], 0)).toEqual([]);
  expect(presence.all()).toEqual([from(BOB, 1, 7)]);
});

describe("[PRES-5] every state says who speaks", () => {
  test.each([
    ["of a client that says nothing of it", '{"user":{"name":"Ada"}}'],
    ["of one that says it is somebody else", '{"actor":"root","user":{"name":"Ada"}}'],
    ["of one that tries tricks", '{"__proto__":{"actor":"root"},"actor":{"toString":1},"user":{"name":"Ada"}}'],
  ])("%s", (_who, state) => {
    presence.hear(ADA, [says(1, 1, state)], 0);
    const [entry] = presence.all();
    const told = JSON.parse(entry?.state ?? "{}");
    expect([told.actor, told.user]).toEqual(["ada", { name: "Ada" }]);
    expect(Object.getOwnPropertyNames(told).filter((name) => name === "actor")).toHaveLength(1);
  });
});
