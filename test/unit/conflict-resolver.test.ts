/** What policies and choices do about a conflict: rule CONFLICT-9. */
import { describe, expect, test } from "vitest";
import type { JsonOp } from "../../shared/change.ts";
import { CONFLICT_POLICIES } from "../../shared/conflict.ts";
import type { ConflictPolicy } from "../../shared/conflict.ts";
import type { Json } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Detected } from "../../server/state/conflict/detected.ts";
import { opsOfSide, resolutionOf } from "../../server/state/conflict/conflict-resolver.ts";

const id = { client: 1, clock: 0 };

/** A conflict at `/k`; undefined is a deletion. */
function found(
  winner: Json | undefined,
  loser: Json | undefined,
  more: Partial<Detected> & { winnerIsFirst?: boolean } = {},
): Detected {
  const { winnerIsFirst = false, ...rest } = more;
  const side = (value: Json | undefined, isIncoming: boolean): Detected["winner"] =>
    value === undefined ? { id: null, isIncoming } : { id, value, isIncoming };
  const kind = winner === undefined || loser === undefined ? "set-delete" : "set-set";
  return { path: "/k", kind, winner: side(winner, !winnerIsFirst), loser: side(loser, winnerIsFirst), ...rest };
}

/** With the winner in place. */
function decide(policy: ConflictPolicy, detected: Detected): [status: string, ops: readonly JsonOp[]] {
  const { status, ops } = resolutionOf(policy, detected, () => detected.winner.value);
  return [status, ops];
}

const RECORDED = ["recorded", []];
const OPEN = ["open", []];
const add = (path: string, value: Json): JsonOp => ({ op: "add", path, value });

describe("[CONFLICT-9] policies", () => {
  test("record lets the merge stand, manual leaves it to somebody", () => {
    for (const detected of [
      found(1, 2),
      found(undefined, 2),
      found(1, undefined),
      found(1, 2, { kind: "lost-edits" }),
    ]) {
      expect(decide("record", detected)).toEqual(RECORDED);
      expect(decide("manual", detected)).toEqual(OPEN);
    }
  });

  test.each<[string, Detected, unknown]>([
    ["the later value won", found("late", "first"), ["resolved", [add("/k", "first")]]],
    ["the later value won over a text", found(1, { $text: "t" }), ["resolved", [add("/k", { $text: "t" })]]],
    ["the later value won over a deletion", found("late", undefined), ["resolved", [{ op: "remove", path: "/k" }]]],
    ["the later deletion won", found(undefined, "first"), ["resolved", [add("/k", "first")]]],
    ["the first value won anyway", found("first", "late", { winnerIsFirst: true }), RECORDED],
    ["both came with one change", { ...found(1, 2), loser: { id, value: 2, isIncoming: true } }, RECORDED],
    ["edits were lost", found(undefined, ["x"], { kind: "lost-edits" }), RECORDED],
    ["the first is known in outline only", found(1, { $object: 9000 }), OPEN],
    ["the place has no path", found(1, 2, { isNested: true }), OPEN],
  ])("first-wins: %s", (_, detected, expected) => expect(decide("first-wins", detected)).toEqual(expected));

  test.each<[string, Detected, unknown]>([
    [
      "members that only the loser has",
      found({ a: 1 }, { a: 2, b: 3, "c/~": 4 }),
      ["resolved", [add("/k/b", 3), add("/k/c~1~0", 4)]],
    ],
    [
      "members deeper inside",
      found({ a: { x: 1 } }, { a: { x: 2, y: { z: 3 } } }),
      ["resolved", [add("/k/a/y", { z: 3 })]],
    ],
    [
      "of the loser that wins nothing of the winner goes",
      found({ a: null, b: [1] }, { a: { x: 1 }, b: [2] }),
      RECORDED,
    ],
    [
      "a longer string that contains the kept one",
      found("b", "abc"),
      ["resolved", [{ op: "replace", path: "/k", value: "abc" }]],
    ],
    [
      "a longer text that contains the kept one",
      found({ $text: "b" }, { $text: "abc" }),
      ["resolved", [{ op: "replace", path: "/k", value: { $text: "abc" } }]],
    ],
    ["a string and a text", found({ $text: "b" }, "abc"), RECORDED],
    ["a shorter string", found("abc", "b"), RECORDED],
    ["strings that differ", found("abc", "abd"), RECORDED],
    ["numbers", found(1, 2), RECORDED],
    ["lists", found([1], [1, 2]), RECORDED],
    ["a deletion", found({ a: 1 }, undefined), RECORDED],
    ["a deletion that won", found(undefined, { a: 1 }), RECORDED],
    ["edits were lost", found({ a: 1 }, [{ b: 1 }], { kind: "lost-edits" }), RECORDED],
    ["a side in outline", found({ a: 1 }, { b: { $object: 9000 } }), RECORDED],
    ["a place without a path", found({ a: 1 }, { b: 1 }, { isNested: true }), RECORDED],
    ["bytes", found({ $bytes: "AA==" }, { $bytes: "AQ==", x: 1 }), RECORDED],
  ])("merge: %s", (_, detected, expected) => expect(decide("merge", detected)).toEqual(expected));

  test("merge looks at what stands there, not at what stood when the winner was written", () => {
    const { ops } = resolutionOf("merge", found({ a: 1 }, { b: 2, c: 3 }), () => ({ a: 1, b: "newer" }));
    expect(ops).toEqual([add("/k/c", 3)]);
    expect(resolutionOf("merge", found({ a: 1 }, { b: 2 }), () => undefined).ops).toEqual([]);
  });

  test("more than one change can write is left to somebody", () => {
    const many = Object.fromEntries(Array.from({ length: LIMITS.opsMax + 1 }, (_, i) => [`k${i}`, i]));
    expect(decide("merge", found({}, many))).toEqual(OPEN);
  });

  test("no policy writes where nothing is to be written", () => {
    for (const policy of CONFLICT_POLICIES)
      expect(resolutionOf(policy, found(1, undefined), () => undefined).ops).toEqual([]);
  });
});

describe("[CONFLICT-9] taking a side", () => {
  const set = { path: "/k", kind: "set-set" } as const;

  test("its value, or its deletion", () => {
    expect(opsOfSide({ value: null }, set, () => 1)).toEqual([add("/k", null)]);
    expect(opsOfSide({}, set, () => 1)).toEqual([{ op: "remove", path: "/k" }]);
    expect(opsOfSide({}, set, () => undefined)).toEqual([]);
  });

  test.each([
    ["an outline", { value: { deep: [{ $array: 9 }] } }, set],
    ["a long string", { value: { $string: 20_000 } }, set],
    ["a place without a path", { value: 1 }, { ...set, isNested: true as const }],
    ["lost edits", { value: ["x"] }, { path: "/k", kind: "lost-edits" as const }],
  ])("not from %s", (_, side, place) => {
    expect(() => opsOfSide(side, place, () => 1)).toThrow(expect.objectContaining({ code: "INVALID_CHANGE" }));
  });

  test("data that only looks like an outline at first sight is taken", () => {
    const value = { $object: "a word", list: [{ $array: 1, more: 2 }] };
    expect(opsOfSide({ value }, set, () => 1)).toEqual([add("/k", value)]);
  });
});
