/**
 * `mcm blame`: who wrote what stands in a context last.
 */
import type { Command } from "commander";
import { addClientOptions, clientOf } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { blameTable } from "../history-output.ts";
import { jsonText } from "../output.ts";

export function addBlame(program: Command, cli: Cli): void {
  const command = program
    .command("blame")
    .summary("see who wrote what")
    .description(
      "Prints for each value, and for each run of a text, who wrote it last and at which version; '-' is before what the history keeps.",
    )
    .argument("<id>", "the context's id")
    .argument("[path]", "only the part at this JSON Pointer")
    .addHelpText("after", "\nExamples:\n  mcm blame plan\n  mcm blame plan /notes");
  addClientOptions(command).action(async (id: string, path: string | undefined, flags: ClientFlags) => {
    const blame = await clientOf(cli, flags).blame(id, { path });
    if (flags.json === true) return cli.io.out(jsonText(blame));
    if (blame.lines.length === 0) return cli.io.err("There is nothing.");
    cli.io.out(blameTable(blame, cli.color));
  });
}
