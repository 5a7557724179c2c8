/**
 * The test layers (CONTRIBUTING.md says what belongs in which): one vitest project each, named after its folder in test/.
 *
 * 1. A layer's timeout ends what hangs. It is no measure: whoever is slow because the machine is busy must still pass.
 * 2. The files of a layer that run in one process share its modules, which takes a third less time than loading them for
 *    each: a test puts back what it changes of globals, and nothing in shared/, server/ or client/ keeps state by itself.
 * 3. Layers that start servers and processes run after the quick ones, and more files at a time than the two cores of the
 *    reference machine: they wait as much as they work.
 *
 * Not here: bench, demo and sim programs (run by tsx), e2e (Playwright).
 */
import { defineConfig } from "vitest/config";
import { MORE_NODE_SUITES, NODE_SUITES } from "./test/support/node-suites.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const layer = (name: string, order: number, limits: { timeoutMs: number; maxWorkers?: number }) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    environment: "node",
    setupFiles: ["test/support/quick-chance.ts"],
    testTimeout: limits.timeoutMs,
    expect: { poll: { timeout: limits.timeoutMs / 2 } },
    hookTimeout: Math.max(limits.timeoutMs, 10 * SECOND),
    maxWorkers: limits.maxWorkers ?? 2,
    isolate: false,
    unstubGlobals: true,
    unstubEnvs: true,
    sequence: { groupOrder: order },
  },
});

/** Tests of `integration` once more, on three nodes over a database (test/support/start-server.ts). */
const nodes = (name: string, suites: readonly string[]) => {
  const { test } = layer("integration", 1, { timeoutMs: 3 * MINUTE, maxWorkers: 3 });
  const include = suites.map((suite) => `test/integration/${suite}.test.ts`);
  return { test: { ...test, name, include, globalSetup: ["test/support/test-engine.ts"] } };
};

export default defineConfig({
  test: {
    projects: [
      layer("arch", 0, { timeoutMs: MINUTE }),
      layer("unit", 0, { timeoutMs: 20 * SECOND }),
      layer("contract", 0, { timeoutMs: MINUTE }),
      layer("compat", 0, { timeoutMs: MINUTE }),
      layer("property", 0, { timeoutMs: 2 * MINUTE }),
      layer("sim", 0, { timeoutMs: 2 * MINUTE }),
      layer("integration", 1, { timeoutMs: 3 * MINUTE, maxWorkers: 3 }),
      nodes("nodes", NODE_SUITES),
      nodes("nodes-more", MORE_NODE_SUITES),
      layer("chaos", 2, { timeoutMs: 10 * MINUTE, maxWorkers: 2 }),
    ],
    passWithNoTests: true,
    allowOnly: process.env["CI"] === undefined,
    coverage: { include: ["shared/**", "server/**", "client/**"], reportsDirectory: "coverage" },
  },
});
