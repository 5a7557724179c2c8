/**
 * `mcm conflicts` and `mcm resolve`: concurrent writes of which the merge kept one, and what to do about them.
 */
import { Option } from "commander";
import type { Command } from "commander";
import type { JsonOp } from "../../../shared/change.ts";
import { CONFLICT_STATUSES } from "../../../shared/conflict.ts";
import type { ConflictStatus } from "../../../shared/conflict.ts";
import type { ResolveBody } from "../../../shared/protocol/rest-conflicts.ts";
import { addClientOptions, clientOf, wholeNumber } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { conflictTable } from "../history-output.ts";
import { addLockTokenOption, lockTokensOf } from "../lock-tokens.ts";
import type { LockTokenFlags } from "../lock-tokens.ts";
import { addOperationOptions } from "../operations.ts";
import type { OperationFlags } from "../operations.ts";
import { jsonText } from "../output.ts";

interface ConflictsFlags extends ClientFlags {
  readonly status?: ConflictStatus;
  readonly path?: string;
  readonly limit?: number;
  readonly cursor?: string;
}

interface ResolveFlags extends ClientFlags, OperationFlags, LockTokenFlags {
  readonly take?: "winner" | "loser";
  readonly keep?: boolean;
  readonly message?: string;
}

const RESOLVE_EXAMPLES = `
Examples:
  mcm resolve plan 17.0 --take loser
  mcm resolve plan 17.0 --set '/title=Ship it, both said' --message "put together"
  mcm resolve plan 17.0 --keep`;

export function addConflicts(program: Command, cli: Cli): void {
  const command = program
    .command("conflicts")
    .summary("list conflicts")
    .description("Lists concurrent writes of which the merge kept one, newest first; with --json both values whole.")
    .argument("<id>", "the context's id")
    .addOption(new Option("--status <status>", "only of this status").choices(CONFLICT_STATUSES))
    .option("--path <pointer>", "only conflicts at, above or below this JSON Pointer")
    .option("--limit <count>", "at most so many", wholeNumber(1))
    .option("--cursor <conflict>", "continue after this one")
    .addHelpText("after", "\nExamples:\n  mcm conflicts plan --status open\n  mcm conflicts plan --path /tasks --json");
  addClientOptions(command).action(async (id: string, flags: ConflictsFlags) => {
    const { status, path, limit, cursor } = flags;
    const page = await clientOf(cli, flags).conflicts(id, { status, path, limit, cursor });
    if (flags.json === true) return cli.io.out(jsonText(page));
    if (page.conflicts.length === 0) return cli.io.err("No conflicts.");
    cli.io.out(conflictTable(page.conflicts, cli.color));
    if (page.next !== undefined) cli.io.err(`There are more: add --cursor ${page.next}`);
  });
}

export function addResolve(program: Command, cli: Cli): void {
  const command = program
    .command("resolve")
    .summary("resolve a conflict")
    .description(
      "Resolves a conflict by a change that names it: takes a side's value, writes another, or keeps what is there.",
    )
    .argument("<id>", "the context's id")
    .argument("<conflict>", "the conflict's id")
    .addOption(new Option("--take <side>", "write the value of this side").choices(["winner", "loser"]))
    .option("--keep", "let what is there now stand");
  const operations = addOperationOptions(command, cli);
  command.option("--message <text>", "why; shown in the history").addHelpText("after", RESOLVE_EXAMPLES);
  addLockTokenOption(command);
  addClientOptions(command).action(async (id: string, conflictId: string, flags: ResolveFlags, self: Command) => {
    const decision = decisionOf(flags, await operations(flags), self);
    const body = { ...decision, message: flags.message };
    const options = { lockTokens: lockTokensOf(cli, id, flags) };
    const result = await clientOf(cli, flags).resolve(id, conflictId, body, options);
    if (flags.json === true) return cli.io.out(jsonText(result));
    const { bold } = cli.color;
    cli.io.out(`${conflictId} is resolved, ${id} is at version ${bold(String(result.version))}`);
  });
}

function decisionOf({ take, keep = false }: ResolveFlags, ops: readonly JsonOp[], command: Command): ResolveBody {
  const said = [take !== undefined, keep, ops.length > 0].filter(Boolean).length;
  if (said !== 1)
    command.error("error: say one of --take, --keep, or what to write with --set, --op, --merge or --file");
  return take === undefined ? { changes: [...ops] } : { take };
}
