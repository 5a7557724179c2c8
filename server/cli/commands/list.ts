/**
 * `mcm list`: finds contexts.
 */
import type { Command } from "commander";
import { addClientOptions, clientOf, wholeNumber } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { contextTable, jsonText } from "../output.ts";

interface ListFlags extends ClientFlags {
  readonly query?: string;
  readonly tag?: string;
  readonly type?: string;
  readonly limit?: number;
  readonly cursor?: string;
  readonly figures?: boolean;
}

export function addList(program: Command, cli: Cli): void {
  const command = program
    .command("list")
    .summary("find contexts")
    .description("Lists contexts in order of id.")
    .option("--query <text>", "text that occurs in id, name or description")
    .option("--tag <tag>", "only contexts with this tag")
    .option("--type <type>", "only contexts of this type")
    .option("--limit <count>", "at most so many", wholeNumber(1))
    .option("--cursor <id>", "continue after this id")
    .option("--figures", "with size, sessions, locks and conflicts")
    .addHelpText("after", "\nExamples:\n  mcm list\n  mcm list --figures\n  mcm list --tag sprint-12 --json");
  addClientOptions(command).action(async ({ json, figures, query, tag, type, limit, cursor, ...target }: ListFlags) => {
    const include = figures === true ? "figures" : undefined;
    const page = await clientOf(cli, target).list({ query, tag, type, limit, cursor, include });
    if (json === true) return cli.io.out(jsonText(page));
    if (page.contexts.length === 0) return cli.io.err("No contexts. Make one with 'mcm create'.");
    cli.io.out(contextTable(page.contexts, cli.color));
    if (page.next !== undefined) cli.io.err(`There are more: add --cursor ${page.next}`);
  });
}
