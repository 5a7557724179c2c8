/**
 * The simulation finds mistakes: each planted one within its number of seeds. If a change of the simulator makes it blind,
 * this fails first.
 */
import { expect, test } from "vitest";
import { PLANTED_BUGS } from "./planted.ts";
import { runSeed } from "./run.ts";

test.each(PLANTED_BUGS)("[CTX-1] [PRES-3] finds within $within seeds: $mistake", async ({ within, sabotage }) => {
  let found: string | undefined;
  for (let seed = 1; seed <= within && found === undefined; seed++)
    found = (await runSeed({ seed, sabotage })).violation;
  expect(found).toBeDefined();
});
