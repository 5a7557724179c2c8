/**
 * `mcm read`: prints a context's data.
 */
import type { Command } from "commander";
import { addClientOptions, clientOf, wholeNumber } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { jsonText, safe } from "../output.ts";

interface ReadFlags extends ClientFlags {
  readonly path?: string;
  readonly depth?: number;
  readonly version?: number;
}

export function addRead(program: Command, cli: Cli): void {
  const command = program
    .command("read")
    .summary("print a context")
    .description("Prints the data of a context as indented JSON, and about the context on stderr.")
    .argument("<id>", "the context's id")
    .option("--path <pointer>", "only the part at this JSON Pointer, such as /tasks/t1")
    .option("--depth <levels>", "cut off what lies deeper", wholeNumber(1))
    .option("--version <version>", "as it was at this version", wholeNumber(0))
    .addHelpText(
      "after",
      "\nExamples:\n  mcm read plan\n  mcm read plan --path /tasks/t1/title\n  mcm read plan --version 7\n  mcm read plan --json | jq .version",
    );
  addClientOptions(command).action(async (id: string, flags: ReadFlags) => {
    const { path, depth, version: at } = flags;
    const context = await clientOf(cli, flags).read(id, { path, depth, version: at });
    if (flags.json === true) return cli.io.out(jsonText(context));
    const { version, updatedAt, name } = context;
    const title = name === undefined ? context.id : `${context.id} (${safe(name)})`;
    cli.io.err(cli.color.dim(`${title}, version ${version}, updated ${updatedAt}`));
    cli.io.out(jsonText(context.data, 2));
  });
}
