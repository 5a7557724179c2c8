/** The presence table: rules PRES-1 to PRES-7. */
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
    expect(presence.takeChanges(0)).toEqual([from(ADA, 1, 1)]);
    presence.hear(ADA, [says(1, 2, '{"at":2}')], 1);
    expect(presence.takeChanges(0)).toEqual([from(ADA, 1, 2, '{"at":2}')]);
    expect(presence.hasChanges).toBe(false);
  });

  test("what it repeats about others is ignored", () => {
    presence.hear(ADA, [says(1, 1)], 0);
    presence.takeChanges(0);
    presence.hear(BOB, [says(1, 1), says(2, 1)], 0);
    expect(presence.takeChanges(0)).toEqual([from(BOB, 2, 1)]);
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
    presence.takeChanges(0);
    presence.leave(ADA, 0);
    expect(presence.takeChanges(0)).toEqual([gone(1, 6)]);
    expect(presence.all()).toEqual([]);
  });

  test("a client may leave by itself and come back", () => {
    presence.hear(ADA, [says(1, 5)], 0);
    presence.hear(ADA, [gone(1, 6)], 0);
    expect(presence.takeChanges(0)).toEqual([gone(1, 6)]);
    presence.hear(ADA, [says(1, 7)], 0);
    expect(presence.all()).toEqual([from(ADA, 1, 7)]);
  });

  test("what is not renewed in time is gone, what is renewed stays", () => {
    presence.hear(ADA, [says(1, 1)], 0);
    presence.hear(BOB, [says(2, 1)], 0);
    presence.hear(BOB, [says(2, 2)], LIMITS.presenceTtlMs - 1);
    presence.takeChanges(0);
    presence.expire(LIMITS.presenceTtlMs);
    expect(presence.takeChanges(0)).toEqual([gone(1, 2)]);
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
  presence.takeChanges(0);
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

describe("[PRES-6] what a session says is passed on at a rate", () => {
  const { presenceBurst, presencePerS, presenceBytesMax } = LIMITS;

  /** Says something new every millisecond; how often it was passed on. */
  function flood(ms: number, state: (at: number) => string): number {
    let passedOn = 0;
    for (let at = 0; at < ms; at++) {
      presence.hear(ADA, [says(1, at + 1, state(at))], at);
      passedOn += presence.takeChanges(at).length;
    }
    return passedOn;
  }

  test("a burst, then so many a second, and the newest in the end", () => {
    const ms = 10_000;
    // the id that it took has a price, too
    expect(flood(ms, (at) => `{"at":${at}}`)).toBe(presenceBurst - 10 + (ms / 1000) * presencePerS - 1);
    expect(presence.hasChanges).toBe(true);
    expect(presence.takeChanges(ms + 1000 / presencePerS)).toEqual([from(ADA, 1, ms, `{"at":${ms - 1}}`)]);
    expect(presence.hasChanges).toBe(false);
  });

  test("a full state costs by its size: so many KB a second go to each receiver", () => {
    const full = `{"x":"${"x".repeat(presenceBytesMax - 30)}"}`;
    expect(flood(10_000, () => full)).toBeLessThanOrEqual(1 + (10 * presencePerS) / 16);
  });

  test("who comes and goes is held to it, too, and others are not", () => {
    let passedOn = 0;
    for (let at = 0; at < 1000; at++) {
      presence.hear(ADA, [says(1, 2 * at + 1), gone(1, 2 * at + 2)], at);
      passedOn += presence.takeChanges(at).length;
    }
    expect(passedOn).toBeLessThanOrEqual(presenceBurst + presencePerS);
    presence.hear(BOB, [says(2, 1)], 1000);
    expect(presence.takeChanges(1000)).toContainEqual(from(BOB, 2, 1));
  });

  test("a departure goes out when its turn comes, also after its session is gone", () => {
    flood(990, (at) => `{"at":${at}}`);
    presence.leave(ADA, 990);
    expect(presence.takeChanges(990)).toEqual([]);
    expect(presence.takeChanges(1001)).toEqual([gone(1, 991)]);
  });
});

describe("[PRES-7] presence takes bounded memory", () => {
  test("a session that keeps taking new ids leaves few behind, and room for others", () => {
    for (let at = 0; at < 10_000; at++) {
      presence.hear(ADA, [says(100 + at, 1), gone(100 + at, 2)], at);
      presence.takeChanges(at);
    }
    expect(presence.allAndDeparted().length).toBeLessThan(40);
    presence.hear(BOB, [says(2, 1)], 10_000);
    expect(presence.all()).toEqual([from(BOB, 2, 1)]);
  });

  test("a state that grows when it is written anew is refused, with room for the name that the server adds", () => {
    const { presenceBytesMax } = LIMITS;
    const full = `{"x":"${"x".repeat(presenceBytesMax - 8)}"}`;
    expect(full).toHaveLength(presenceBytesMax);
    const quotes = { info: { actor: '"'.repeat(LIMITS.actorCharsMax) } };
    presence.hear(quotes, [says(1, 1, full)], 0);
    expect(presence.all()).toEqual([from(quotes, 1, 1, full)]);
    const numbers = `{"x":[${Array(3000).fill("1e20").join(",")}]}`;
    expect(() => presence.hear(BOB, [says(2, 1, numbers)], 0)).toThrow("A presence state may have");
  });

  test("all states together are bounded: who would pass it is not taken, until others are gone", () => {
    const full = `{"x":"${"x".repeat(LIMITS.presenceBytesMax - 100)}"}`;
    const crowd = Array.from({ length: 400 }, (_, i) => ({ info: { actor: `actor-${i}` } }));
    for (const [i, speaker] of crowd.entries()) presence.hear(speaker, [says(i, 1, full)], 0);
    const bytes = presence.all().reduce((sum, { state }) => sum + state.length, 0);
    expect(bytes).toBeLessThanOrEqual(LIMITS.presenceContextBytesMax);
    expect(bytes).toBeGreaterThan(LIMITS.presenceContextBytesMax - LIMITS.presenceBytesMax);
    presence.hear(ADA, [says(1000, 1, full)], 0);
    expect(presence.all().some(({ yjsClientId }) => yjsClientId === 1000)).toBe(false);
    for (const speaker of crowd) presence.leave(speaker, 1);
    presence.expire(1 + LIMITS.presenceTtlMs);
    presence.hear(ADA, [says(1000, 1, full)], 2 + LIMITS.presenceTtlMs);
    expect(presence.all()).toEqual([from(ADA, 1000, 1, full)]);
  });
});

describe("[NODE-13] sessions at other servers", () => {
  const ADA_ELSEWHERE = from(ADA, 1, 5);

  test("stand among ours, are told to ours, and are not said again", () => {
    presence.hear(BOB, [says(2, 1)], 0);
    presence.hearPeer([ADA_ELSEWHERE], 0);
    expect(presence.all()).toEqual([from(BOB, 2, 1), ADA_ELSEWHERE]);
    const changes = presence.takeChanges(0);
    expect(changes).toEqual([from(BOB, 2, 1), ADA_ELSEWHERE]);
    expect(presence.ours(changes)).toEqual([from(BOB, 2, 1)]);
    presence.hearPeer([gone(1, 6)], 1);
    expect(presence.takeChanges(1000)).toEqual([gone(1, 6)]);
    expect(presence.ours()).toEqual([from(BOB, 2, 1)]);
  });

  test("go when their server says nothing more of them", () => {
    presence.hearPeer([ADA_ELSEWHERE], 0);
    presence.expire(LIMITS.presenceTtlMs - 1);
    expect(presence.all()).toEqual([ADA_ELSEWHERE]);
    presence.expire(LIMITS.presenceTtlMs);
    expect(presence.all()).toEqual([]);
    expect(presence.ours()).toEqual([]);
  });

  test("are not spoken for by a session here that repeats or raises them, unless its actor comes here", () => {
    presence.hearPeer([ADA_ELSEWHERE], 0);
    presence.hear(BOB, [says(1, 9)], 0);
    const again = { info: { actor: "ada" } };
    presence.hear(again, [says(1, 5)], 0);
    expect(presence.ours()).toEqual([]);
    presence.hear(again, [says(1, 6)], 0);
    expect(presence.ours()).toEqual([from(ADA, 1, 6)]);
  });

  test("take the line of a session here only with its actor, whose session then ends without a word", () => {
    presence.hear(ADA, [says(1, 5)], 0);
    presence.hearPeer([from(BOB, 1, 9), gone(1, 9)], 0);
    expect(presence.ours()).toEqual([from(ADA, 1, 5)]);
    presence.hearPeer([from(ADA, 1, 6)], 0);
    presence.leave(ADA, 0);
    expect(presence.all()).toEqual([from(ADA, 1, 6)]);
    expect(presence.ours()).toEqual([]);
  });

  test("take no more room than there is", () => {
    const state = JSON.stringify({ actor: "ada", note: "x".repeat(LIMITS.presenceBytesMax) });
    const most = Math.floor(LIMITS.presenceContextBytesMax / state.length);
    const lines = Array.from({ length: most + 1 }, (_, id) => says(id + 1, 1, state));
    presence.hearPeer(lines, 0);
    expect(presence.all()).toEqual(lines.slice(0, most));
  });
});
