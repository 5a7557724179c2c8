/** The benchmark's arithmetic: a wrong percentile would make every other figure worthless. */
import { describe, expect, test } from "vitest";
import { percentile, readable, summarize } from "../bench/stats.ts";

describe("percentile", () => {
  test("is the nearest rank, of values in any order", () => {
    const values = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect([0.5, 0.99, 1].map((q) => percentile(values, q))).toEqual([50, 99, 100]);
    expect([0.3, 0.34, 0.5, 0.99].map((q) => percentile([3, 1, 2], q))).toEqual([1, 2, 2, 3]);
  });

  test("sorts as numbers and leaves the input alone", () => {
    const values = [10, 9, 1];
    expect(percentile(values, 1)).toBe(10);
    expect(values).toEqual([10, 9, 1]);
  });

  test("of one value is that value, of none an error", () => {
    expect(percentile([7], 0.01)).toBe(7);
    expect(() => percentile([], 0.5)).toThrow("nothing");
  });
});

describe("summarize", () => {
  test("gives the middle of an odd number, the mean of the two middles of an even one, and the range", () => {
    expect(summarize([30, 10, 20])).toEqual({ median: 20, min: 10, max: 30 });
    expect(summarize([4, 1, 2, 100])).toEqual({ median: 3, min: 1, max: 100 });
    expect(summarize([5])).toEqual({ median: 5, min: 5, max: 5 });
  });

  test("of nothing is an error", () => {
    expect(() => summarize([])).toThrow("nothing");
  });
});

test.each([
  [0.47234, "0.472"],
  [13.94, "13.9"],
  [999.6, "1,000"],
  [1638.2, "1,640"],
  [3_766_123, "3,770,000"],
  [0, "0"],
  [Number.NaN, "–"],
])("%d reads as %s", (value, text) => {
  expect(readable(value)).toBe(text);
});
