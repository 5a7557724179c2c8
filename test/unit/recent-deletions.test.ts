/** Deletions admitted lately, so that one sent again is not taken for one that came too late: part of rule CONFLICT-5. */
import { describe, expect, test } from "vitest";
import { RecentDeletions } from "../../server/state/conflict/recent-deletions.ts";

const update = (n: number): Uint8Array => Uint8Array.of(0, 1, n);

describe("[CONFLICT-5] deletions admitted lately", () => {
  test("are known by their bytes", () => {
    const recent = new RecentDeletions();
    recent.add(update(1));
    expect([recent.has(update(1)), recent.has(update(2))]).toEqual([true, false]);
  });

  test("are the newest: as many as asked for at least, twice as many at most", () => {
    const recent = new RecentDeletions(10);
    const known: number[] = [];
    for (let n = 0; n < 100; n++) {
      recent.add(update(n));
      const first = Array.from({ length: n + 1 }, (_, i) => i).find((i) => recent.has(update(i))) ?? n;
      expect(Array.from({ length: n + 1 - first }, (_, i) => recent.has(update(first + i)))).not.toContain(false);
      known.push(n + 1 - first);
    }
    expect(Math.min(...known.slice(10))).toBe(11);
    expect(Math.max(...known)).toBe(20);
  });

  test("long ones count as known", () => {
    expect(new RecentDeletions().has(new Uint8Array(1000))).toBe(true);
  });
});
