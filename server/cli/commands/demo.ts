/**
 * `mcm demo`: a server in memory, contexts, and four scripted agents that work on them until it is stopped.
 *
 * Not here: the server and its clients, which are loaded when they are wanted (demo/play.ts).
 */
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import { wholeNumber } from "../client-command.ts";
import type { Cli } from "../client-command.ts";
import type { DemoFlags } from "../demo/play.ts";
import type { Start } from "./serve.ts";

export function addDemo(program: Command, cli: Cli, start: Start): void {
  program
    .command("demo")
    .summary("watch four agents share contexts")
    .description(
      "Starts a server that keeps everything in memory, and four scripted agents on it: they plan, lock, type, are refused, " +
        "go offline and settle conflicts, while the panel shows why. Join them: open the article and write. Ctrl-C ends it.",
    )
    .option("--port <number>", "where to listen", "4400")
    .option("--rounds <number>", "tell the story so often, and end; without it, until stopped", wholeNumber(1))
    .option("--speed <factor>", "how fast they are", positive, 1)
    .option("--no-open", "do not open the panel in a browser")
    .addHelpText("after", "\nExamples:\n  mcm demo\n  mcm demo --port 4500 --speed 3 --no-open\n  mcm demo --rounds 1")
    .action(async (flags: DemoFlags) => (await import("../demo/play.ts")).playDemo(cli, flags, start));
}

function positive(text: string): number {
  const factor = Number(text);
  if (!(factor > 0 && factor <= 1000)) throw new InvalidArgumentError("It must be a number above 0, at most 1000.");
  return factor;
}
