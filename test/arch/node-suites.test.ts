/** The lists of what runs on several nodes (test/support/node-suites.ts) against the tests that are there. */
import { posix } from "node:path";
import { expect, test } from "vitest";
import { MORE_NODE_SUITES, NODE_SUITES, ONE_NODE } from "../support/node-suites.ts";
import { filesIn, read } from "./source.ts";

const FOLDER = "test/integration/";
const ENDING = ".test.ts";
const runs: readonly string[] = [...NODE_SUITES, ...MORE_NODE_SUITES];

test("every test of test/integration runs on nodes, or says why not", () => {
  const there = filesIn()
    .filter((path) => path.startsWith(FOLDER) && path.endsWith(ENDING))
    .map((path) => posix.basename(path, ENDING));
  expect(there.length).toBeGreaterThan(40);
  expect([...runs, ...Object.keys(ONE_NODE)].sort()).toEqual(there.sort());
  for (const reason of Object.values(ONE_NODE)) expect(reason).not.toBe("");
});

test("what runs on nodes starts its servers the way that makes it nodes", () => {
  const starters = /support\/(?:jwt-server|panel-desk|running-server|secure-server|start-server)\.ts"/;
  const others = runs.filter((name) => !starters.test(read(`${FOLDER}${name}${ENDING}`).text));
  expect(others).toEqual([]);
  for (const name of runs)
    expect(read(`${FOLDER}${name}${ENDING}`).text).not.toMatch(/^import \{.*\/server\/server\.ts"/m);
});
