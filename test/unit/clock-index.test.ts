/** Who added which clocks, and what a sender had seen: part of rule STATE-8. */
import { describe, expect, test } from "vitest";
import { parseActor } from "../../shared/ids.ts";
import { ClockIndex } from "../../server/state/clock-index.ts";

const ada = parseActor("ada");
const bob = parseActor("bob");

function filled(changesMax?: number): ClockIndex {
  const index = new ClockIndex(5, changesMax);
  index.record([{ client: 1, from: 10, to: 20 }], { version: 6, actor: ada, source: undefined });
  index.record([{ client: 2, from: 0, to: 1 }], { version: 7, actor: bob, source: undefined });
  index.record([], { version: 8, actor: bob, source: undefined });
  index.record(
    [
      { client: 1, from: 20, to: 21 },
      { client: 3, from: 4, to: 9 },
    ],
    { version: 9, actor: ada, source: undefined },
  );
  return index;
}

describe("[STATE-8] clocks and the changes that added them", () => {
  test("a clock is found in the change that added it, and not beside it", () => {
    const index = filled();
    const versions = [9, 10, 19, 20, 21].map((clock) => index.rangeOf(1, clock)?.version);
    expect(versions).toEqual([undefined, 6, 6, 9, undefined]);
    expect(index.rangeOf(2, 0)).toMatchObject({ actor: bob, version: 7 });
    expect(index.rangeOf(4, 0)).toBeUndefined();
  });

  test("a sender has seen what its base includes and what is older than all that is remembered", () => {
    const knows = filled().knowledgeOf(7, undefined);
    expect([knows?.(1, 3), knows?.(1, 15), knows?.(2, 0), knows?.(1, 20)]).toEqual([true, true, true, false]);
  });

  test("a sender has seen what it wrote itself, and nobody else's by that", () => {
    const index = new ClockIndex(0);
    const [mine, theirs] = [{}, {}];
    index.record([{ client: 1, from: 0, to: 1 }], { version: 1, actor: ada, source: mine });
    index.record([{ client: 2, from: 0, to: 1 }], { version: 2, actor: ada, source: theirs });
    const knows = index.knowledgeOf(0, mine);
    expect([knows?.(1, 0), knows?.(2, 0)]).toEqual([true, false]);
  });

  test("what is remembered is bounded, and of an older base nothing is said", () => {
    const index = filled(1);
    expect(index.rangeOf(1, 15)).toBeUndefined();
    expect(index.rangeOf(1, 20)?.version).toBe(9);
    expect(index.knowledgeOf(6, undefined)).toBeUndefined();
    expect(index.knowledgeOf(7, undefined)).toBeDefined();
  });
});
