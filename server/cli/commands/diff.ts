/**
 * `mcm diff`: what turns one version of a context into another.
 */
import type { Command } from "commander";
import { addClientOptions, clientOf, wholeNumber } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { opLines } from "../history-output.ts";
import { jsonText } from "../output.ts";

interface DiffFlags extends ClientFlags {
  readonly path?: string;
}

export function addDiff(program: Command, cli: Cli): void {
  const command = program
    .command("diff")
    .summary("compare two versions")
    .description("Prints the operations that turn one version of a context into another; with --json as a JSON Patch.")
    .argument("<id>", "the context's id")
    .argument("<from>", "a version", wholeNumber(0))
    .argument("[to]", "another one, also an earlier one; the present one if none is given", wholeNumber(0))
    .option("--path <pointer>", "only the part at this JSON Pointer")
    .addHelpText(
      "after",
      "\nExamples:\n  mcm diff plan 3\n  mcm diff plan 3 7 --path /tasks\n  mcm diff plan 7 3 --json",
    );
  addClientOptions(command).action(async (id: string, from: number, to: number | undefined, flags: DiffFlags) => {
    const diff = await clientOf(cli, flags).diff(id, { from, to, path: flags.path });
    if (flags.json === true) return cli.io.out(jsonText(diff));
    if (diff.changes.length === 0) return cli.io.err(`Versions ${diff.from} and ${diff.to} are the same.`);
    cli.io.err(cli.color.dim(`${id}, from version ${diff.from} to version ${diff.to}`));
    cli.io.out(opLines(diff.changes, cli.color));
  });
}
