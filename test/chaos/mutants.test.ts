/** Mistakes between nodes are noticed: the quick ones of test/mutants in every run, all of them by `npm run mutants`. */
import { expect, test } from "vitest";
import { MUTANTS } from "../mutants/mutants.ts";
import { survival } from "../mutants/plant.ts";

test.each(MUTANTS.filter(({ isQuick }) => isQuick === true))("$name: a test fails", async (mutant) => {
  expect(await survival(mutant)).toBeUndefined();
});
