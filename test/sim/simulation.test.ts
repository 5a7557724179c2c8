/**
 * The server's core and its clients under faults, seed by seed: what was told or shown is kept, versions count, everybody
 * ends up equal, and everything settles. A failing seed is replayed with `npm run sim -- --seed N --trace`.
 */
import { describe, expect, test } from "vitest";
import { OPS, runSeed } from "./run.ts";
import { KNOWN_SEEDS } from "./seeds.ts";

const SEEDS = 120;
const CHUNK = 20;
const REPLAYED = [3, 33, 133];

const seedsFrom = (first: number): number[] => Array.from({ length: CHUNK }, (_, at) => first + at);

async function failures(seeds: readonly number[]): Promise<string[]> {
  const failed: string[] = [];
  for (const seed of seeds) {
    const { violation } = await runSeed({ seed });
    if (violation !== undefined)
      failed.push(`${violation}\n  again: npm run sim -- --seed ${seed} --ops ${OPS} --trace`);
  }
  return failed;
}

describe("[CTX-1] [CTX-3] [CTX-4] [IDEM-1] [LOG-1] [LOG-2] [LOG-3] [STATE-7] [WIRE-15] [WIRE-19] [LOCK-1] [LOCK-2] [LOCK-4] [LOCK-5] [LOCK-6] [LOCK-7] [LOCK-8] [LOCK-9] [LOCK-10] [VOID-1] [VOID-2] [VOID-6] [ACL-2] [ACL-4] [ACL-8] [ACL-9] nothing is lost or out of order, nobody does what they may not, all settles", () => {
  test.each(Array.from({ length: SEEDS / CHUNK }, (_, at) => 1 + at * CHUNK))(
    `${CHUNK} seeds from %i`,
    async (first) => {
      expect(await failures(seedsFrom(first))).toEqual([]);
    },
  );

  test.each(KNOWN_SEEDS)("seed $seed, which found that $found", async ({ seed, ops, without }) => {
    expect((await runSeed({ seed, ops, without })).violation).toBeUndefined();
  });
});

describe("the simulator", () => {
  test.each(REPLAYED)("runs seed %i alike to the last event", async (seed) => {
    const [first, second] = [await runSeed({ seed }), await runSeed({ seed })];
    expect(second).toEqual(first);
  });

  test("runs different seeds differently", async () => {
    const traces = await Promise.all([1, 2, 3].map(async (seed) => (await runSeed({ seed, ops: 10 })).trace));
    expect(new Set(traces).size).toBe(3);
  });

  test("prints a trace that says what broke", async () => {
    const lines: string[] = [];
    await runSeed({ seed: 1, ops: 10, print: (line) => lines.push(line) });
    expect(lines[0]).toMatch(/^0 seed 1 \{/);
    expect(lines.some((line) => line.endsWith("server is up"))).toBe(true);
  });
});
