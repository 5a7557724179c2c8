/** `npm run mutants`: all of them, or those whose names contain the words that are given. Fails when one survives. */
import { MUTANTS } from "./mutants.ts";
import { survival } from "./plant.ts";

const words = process.argv.slice(2).join(" ");
const chosen = MUTANTS.filter(({ name }) => name.includes(words));
const survivors: string[] = [];
for (const mutant of chosen) {
  const why = await survival(mutant);
  if (why !== undefined) survivors.push(mutant.name);
  process.stdout.write(
    `${why === undefined ? "caught" : "SURVIVED"}  ${mutant.name}${why === undefined ? "" : `: ${why}`}\n`,
  );
}
process.stdout.write(`${chosen.length - survivors.length} of ${chosen.length} caught\n`);
if (survivors.length > 0 || chosen.length === 0) process.exitCode = 1;
