/**
 * `mcm history`: lists a context's changes.
 */
import type { Command } from "commander";
import { addClientOptions, clientOf, wholeNumber } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { changeTable } from "../history-output.ts";
import { jsonText } from "../output.ts";

interface HistoryFlags extends ClientFlags {
  readonly path?: string;
  readonly by?: string;
  readonly since?: number;
  readonly newest?: boolean;
  readonly before?: number;
  readonly limit?: number;
}

export function addHistory(program: Command, cli: Cli): void {
  const command = program
    .command("history")
    .summary("list a context's changes")
    .description("Lists the changes of a context in order of version: when, who, through which door, where, and why.")
    .argument("<id>", "the context's id")
    .option("--path <pointer>", "only changes at, above or below this JSON Pointer")
    .option("--by <name>", "only changes by this actor")
    .option("--since <version>", "only changes after this version", wholeNumber(0))
    .option("--newest", "the newest first")
    .option("--before <version>", "with --newest: only changes before this version", wholeNumber(0))
    .option("--limit <count>", "at most so many", wholeNumber(1))
    .addHelpText(
      "after",
      "\nExamples:\n  mcm history plan --newest --limit 10\n  mcm history plan --path /tasks --by ada",
    );
  addClientOptions(command).action(async (id: string, flags: HistoryFlags, self: Command) => {
    const { path, by: actor, since, newest = false, before, limit, json } = flags;
    if (newest && since !== undefined) self.error("error: --since goes without --newest; say --before");
    if (!newest && before !== undefined) self.error("error: --before goes with --newest");
    const order = newest ? "newest" : undefined;
    const page = await clientOf(cli, flags).changes(id, { path, actor, since, order, before, limit });
    if (json === true) return cli.io.out(jsonText(page));
    if (page.changes.length === 0) return cli.io.err("No changes.");
    cli.io.out(changeTable(page.changes, cli.color));
    if (page.next !== undefined) cli.io.err(`There are more: add ${newest ? "--before" : "--since"} ${page.next}`);
  });
}
