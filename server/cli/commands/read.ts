/**
 * `mcm read`: prints a context's data.
 */
import type { Command } from "commander";
import { addClientOptions, clientOf, wholeNumber } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { safe } from "../output.ts";

interface ReadFlags extends ClientFlags {
  readonly path?: string;
  readonly depth?: number;
}

export function addRead(program: Command, cli: Cli): void {
  const command = program
    .command("read")
    .summary("print a context")
    .description("Prints the data of a context as indented JSON, and about the context on stderr.")
    .argument("<id>", "the context's id")
    .option("--path <pointer>", "only the part at this JSON Pointer, such as /tasks/t1")
    .option("--depth <levels>", "cut off what lies deeper", wholeNumber(1))
    .addHelpText(
      "after",
      "\nExamples:\n  mcm read plan\n  mcm read plan --path /tasks/t1/title\n  mcm read plan --json | jq .version",
    );
  addClientOptions(command).action(async (id: string, { path, depth, json, ...target }: ReadFlags) => {
    const context = await clientOf(cli, target).read(id, { path, depth });
    if (json === true) return cli.io.out(JSON.stringify(context));
    const { version, updatedAt, name } = context;
    const title = name === undefined ? context.id : `${context.id} (${safe(name)})`;
    cli.io.err(cli.color.dim(`${title}, version ${version}, updated ${updatedAt}`));
    cli.io.out(JSON.stringify(context.data, undefined, 2));
  });
}
