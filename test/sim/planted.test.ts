/**
 * The simulation finds mistakes: each planted one within its number of seeds. If a change of the simulator makes it blind,
 * this fails first.
 */
import { expect, test } from "vitest";
import { PLANTED_BUGS } from "./planted.ts";
import { drawMore, runSeed } from "./run.ts";

test.each(PLANTED_BUGS)(
  "[CTX-1] [PRES-3] finds within $within seeds: $mistake",
  async ({ within, needs, sabotage }) => {
    let found: string | undefined;
    for (let seed = 1, tried = 0; tried < within && found === undefined; seed++) {
      if (needs !== undefined && drawMore(seed)[needs] === undefined) continue;
      tried++;
      found = (await runSeed({ seed, sabotage, without: needs === "locks" ? ["access"] : [] })).violation;
    }
    expect(found).toBeDefined();
  },
);
