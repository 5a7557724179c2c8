/**
 * How far a run is: a bar on a terminal, and a line for every measurement that is done.
 *
 * Not here: the report.
 */
import { MultiBar, Presets } from "cli-progress";
import type { SingleBar } from "cli-progress";
import type { Task } from "./plan.ts";
import type { Measurement } from "./results.ts";
import { readable } from "./stats.ts";

const FORMAT = "{bar} {value}/{total} · {duration_formatted}, {eta_formatted} left · {task}";

export class Progress {
  readonly #bars: MultiBar | undefined;
  readonly #bar: SingleBar | undefined;
  readonly #total: number;
  #done = 0;
  #startedAt = 0;

  constructor(total: number) {
    this.#total = total;
    if (!process.stdout.isTTY) return;
    this.#bars = new MultiBar({ format: FORMAT, hideCursor: true, emptyOnZero: true }, Presets.shades_classic);
    this.#bar = this.#bars.create(total, 0, { task: "" });
  }

  begin(task: Task): void {
    this.#startedAt = performance.now();
    this.#bar?.update(this.#done, { task: nameOf(task) });
  }

  end(task: Task, measurement: Measurement): void {
    this.#done += 1;
    const took = ((performance.now() - this.#startedAt) / 1000).toFixed(1);
    const line = `[${this.#done}/${this.#total}] ${nameOf(task)}: ${outcomeOf(task, measurement)} (${took} s)`;
    if (this.#bars === undefined) console.log(line);
    else this.#bars.log(`${line}\n`);
    this.#bar?.update(this.#done);
  }

  stop(): void {
    this.#bars?.stop();
  }
}

const nameOf = ({ scenario, server, run }: Task): string => `${scenario.id} · ${server.id} · run ${run + 1}`;

/** The scenario's first metric stands for all. */
function outcomeOf({ scenario }: Task, { values, failed }: Measurement): string {
  const [first] = Object.entries(scenario.metrics);
  if (values === undefined || first === undefined) return `FAILED: ${failed}`;
  return `${readable(values[first[0]] ?? Number.NaN)} ${first[1].label}`;
}
