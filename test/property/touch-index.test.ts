/** The index of last writers against a list of all writes: rule PRE-1. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseActor } from "../../shared/ids.ts";
import { overlaps, parsePath } from "../../shared/path.ts";
import { TouchIndex } from "../../server/state/touch-index.ts";
import type { LastWrite } from "../../server/state/touch-index.ts";

const ada = parseActor("ada");
const path = fc.constantFrom("", "/a", "/b", "/a/b", "/a/c", "/a/b/c", "/a/b/d", "/b/a~1b", "@note", "@note/a", "/ab");
const writes = fc.array(fc.array(path, { minLength: 1, maxLength: 3 }), { maxLength: 40 });

function newestOf(all: readonly LastWrite[], asked: string): number | undefined {
  const steps = parsePath(asked);
  const overlapping = all.filter((write) => overlaps(parsePath(write.path), steps));
  return overlapping.at(-1)?.version;
}

describe("[PRE-1] the newest write at, above or below a path", () => {
  test("is the one that a search through all writes finds", () => {
    fc.assert(
      fc.property(writes, path, (changes, asked) => {
        const index = new TouchIndex(0);
        const all: LastWrite[] = [];
        for (const [at, paths] of changes.entries()) {
          const write = { version: at + 1, actor: ada, atMs: at };
          index.record(paths, write);
          all.push(...paths.map((touched) => ({ ...write, path: touched })));
        }
        expect(index.newestAt(asked)?.version).toBe(newestOf(all, asked));
        expect(index.floor).toBe(0);
      }),
      { seed: 20_261_123, numRuns: 2000 },
    );
  });

  test("is exact after the floor when older ones were forgotten", () => {
    fc.assert(
      fc.property(writes, path, (changes, asked) => {
        const index = new TouchIndex(0, 4);
        const all: LastWrite[] = [];
        for (const [at, paths] of changes.entries()) {
          const write = { version: at + 1, actor: ada, atMs: at };
          index.record(paths, write);
          all.push(...paths.map((touched) => ({ ...write, path: touched })));
        }
        const expected = newestOf(all, asked);
        if (expected !== undefined && expected > index.floor) expect(index.newestAt(asked)?.version).toBe(expected);
        else expect(index.newestAt(asked)?.version ?? 0).toBeLessThanOrEqual(index.floor);
      }),
      { seed: 20_261_124, numRuns: 2000 },
    );
  });
});

test("[PRE-1] what is remembered is bounded: the older half goes, and the floor says so", () => {
  const index = new TouchIndex(0, 100);
  for (let version = 1; version <= 1000; version++) index.record([`/k${version}`], { version, actor: ada, atMs: 0 });
  expect(index.floor).toBeGreaterThan(850);
  expect(index.newestAt("/k1000")).toEqual({ version: 1000, actor: ada, atMs: 0, path: "/k1000" });
  expect(index.newestAt("/k1")).toBeUndefined();
});
