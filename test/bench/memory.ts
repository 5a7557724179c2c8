/**
 * `npm run bench:memory [-- --kills N]`: four processes as four hosts start them, each with 20 concurrent writes into one
 * memory: what is kept of what was sent, by the reference memory server and by ours; and by ours when the process that serves
 * the others is killed with -9 on the way, again and again.
 *
 * Ends with an error when ours loses or doubles anything.
 *
 * Not here: how fast anything is.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ourMemory, referenceMemory, writeTogether } from "../support/memory-writers.ts";
import type { Tally } from "../support/memory-writers.ts";

const { values: options } = parseArgs({
  options: { runs: { type: "string", default: "5" }, kills: { type: "string", default: "20" } },
});

let isLossy = false;

console.log("| memory                       | run | sent | answered | kept | twice |");
console.log("| ---------------------------- | --: | ---: | -------: | ---: | ----: |");
for (let n = 1; n <= Number(options.runs); n++) {
  await row("reference server-memory", n, (folder) => writeTogether(referenceMemory(join(folder, "memory.json"))));
  await row("ours", n, (folder) => writeTogether(ourMemory(folder)));
}
for (let n = 1; n <= Number(options.kills); n++)
  await row("ours, its hub killed", n, (folder) => writeTogether(ourMemory(folder), { killAfter: 1 + ((n * 7) % 79) }));
if (isLossy) process.exitCode = 1;

async function row(name: string, run: number, write: (folder: string) => Promise<Tally>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "mcm-memory-"));
  try {
    const { sent, answered, kept, doubled } = await write(folder);
    if (name.startsWith("ours") && (kept !== sent || doubled > 0)) isLossy = true;
    print(name, run, [sent, answered, kept, doubled]);
  } catch (error) {
    // the reference server's file may not be JSON any more
    if (name.startsWith("ours")) throw error;
    print(name, run, ["–", "–", "unreadable", "–"]);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function print(name: string, run: number, cells: readonly (number | string)[]): void {
  const [sent = "", answered = "", kept = "", doubled = ""] = cells.map(String);
  console.log(
    `| ${name.padEnd(28)} | ${String(run).padStart(3)} | ${sent.padStart(4)} | ${answered.padStart(8)} | ${kept.padStart(4)} | ${doubled.padStart(5)} |`,
  );
}
