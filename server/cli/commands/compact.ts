/**
 * `mcm compact`: recreates a context's document without what was deleted.
 */
import type { Command } from "commander";
import { addClientOptions, clientOf } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { jsonText } from "../output.ts";

export function addCompact(program: Command, cli: Cli): void {
  const command = program
    .command("compact")
    .summary("shrink a context's document")
    .description(
      "Recreates a context's document without what was deleted, as a new epoch. Data, version and history stay; sessions of the SDK carry over, other live clients are disconnected.",
    )
    .argument("<id>", "the context's id")
    .addHelpText("after", "\nExamples:\n  mcm compact plan");
  addClientOptions(command).action(async (id: string, flags: ClientFlags) => {
    const result = await clientOf(cli, flags).compact(id);
    if (flags.json === true) return cli.io.out(jsonText(result));
    const { bytesBefore, bytesAfter, epoch, version } = result;
    cli.io.out(`${id} takes ${bytesAfter} bytes instead of ${bytesBefore} (epoch ${epoch}, version ${version})`);
  });
}
