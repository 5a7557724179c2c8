/**
 * `npm run sim -- --seed 123 --ops 500 --trace` replays one run; `--seeds 1000 [--from 1]` looks for failing ones;
 * `--without locks` or `access` leaves these out.
 */
import { parseArgs } from "node:util";
import { OPS, runSeed } from "./run.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string", default: "200" },
    from: { type: "string", default: "1" },
    ops: { type: "string", default: String(OPS) },
    without: { type: "string", default: "" },
    trace: { type: "boolean", default: false },
  },
});

const first = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const ops = Number(values.ops);
const without = (["locks", "access"] as const).filter((it) => values.without.split(",").includes(it));
const print = values.trace ? (line: string): void => console.log(line) : undefined;
const startedMs = performance.now();
let events = 0;
let simulatedMs = 0;
let failures = 0;

for (let seed = first; seed < first + count; seed++) {
  const result = await runSeed({ seed, ops, without, ...(print === undefined ? {} : { print }) });
  events += result.events;
  simulatedMs += result.simulatedMs;
  if (values.seed !== undefined) console.log(`seed ${seed}: trace ${result.trace}`);
  if (result.violation === undefined) continue;
  failures++;
  console.log(`seed ${seed} FAILED: ${result.violation}\n  again: npm run sim -- --seed ${seed} --ops ${ops} --trace`);
}

const seconds = (performance.now() - startedMs) / 1000;
console.log(
  `${count} seeds, ${failures} failed; ${events} events, ${Math.round(simulatedMs / 60_000)} simulated minutes in ${seconds.toFixed(1)} s`,
);
process.exitCode = failures > 0 ? 1 : 0;
