/**
 * `mcm restore` and `mcm undo`: put back what was, by a new change.
 */
import type { Command } from "commander";
import type { RevertResult } from "../../../shared/protocol/rest-history.ts";
import { addClientOptions, clientOf, wholeNumber } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { addLockTokenOption, lockTokensOf } from "../lock-tokens.ts";
import type { LockTokenFlags } from "../lock-tokens.ts";
import { keptLines, opLines } from "../history-output.ts";
import { counted, jsonText } from "../output.ts";

interface RestoreFlags extends ClientFlags, LockTokenFlags {
  readonly path?: string;
  readonly dryRun?: boolean;
  readonly message?: string;
}

interface UndoFlags extends RestoreFlags {
  readonly by: string;
  readonly from: number;
  readonly to?: number;
}

export function addRestore(program: Command, cli: Cli): void {
  const command = program
    .command("restore")
    .summary("go back to a version")
    .description(
      "Makes a context, or a part of it, what it was at a version, by a new change: nothing of the history is lost.",
    )
    .argument("<id>", "the context's id")
    .argument("<version>", "the version", wholeNumber(0))
    .option("--path <pointer>", "only the part at this JSON Pointer")
    .addHelpText(
      "after",
      "\nExamples:\n  mcm restore plan 7 --dry-run\n  mcm restore plan 7 --path /tasks/t1 --message 'wrong task'",
    );
  addRevertOptions(command).action(async (id: string, version: number, flags: RestoreFlags) => {
    const { path, dryRun, message, json } = flags;
    const lockTokens = lockTokensOf(cli, id, flags);
    print(cli, id, json, await clientOf(cli, flags).restore(id, { version, path, dryRun, message }, { lockTokens }));
  });
}

export function addUndo(program: Command, cli: Cli): void {
  const command = program
    .command("undo")
    .summary("take one actor's changes back")
    .description(
      "Takes the changes that one actor made in a range of versions back; what others wrote over is kept and listed.",
    )
    .argument("<id>", "the context's id")
    .requiredOption("--by <name>", "whose changes")
    .requiredOption("--from <version>", "changes after this version …", wholeNumber(0))
    .option("--to <version>", "… up to this one; the present one if none is given", wholeNumber(0))
    .option("--path <pointer>", "only what lies at or below this JSON Pointer")
    .addHelpText(
      "after",
      "\nExamples:\n  mcm undo plan --by agent-7 --from 12 --dry-run\n  mcm undo plan --by agent-7 --from 12 --to 30 --path /tasks",
    );
  addRevertOptions(command).action(async (id: string, flags: UndoFlags) => {
    const { by: actor, from, to, path, dryRun, message, json } = flags;
    const lockTokens = lockTokensOf(cli, id, flags);
    const body = { actor, from, to, path, dryRun, message };
    print(cli, id, json, await clientOf(cli, flags).undo(id, body, { lockTokens }));
  });
}

function addRevertOptions(command: Command): Command {
  command
    .option("--dry-run", "say what would be done, and do nothing")
    .option("--message <text>", "why; shown in the history");
  return addClientOptions(addLockTokenOption(command));
}

function print({ io, color }: Cli, id: string, json: boolean | undefined, result: RevertResult): void {
  if (json === true) return io.out(jsonText(result));
  const { version, changes, kept, dryRun } = result;
  if (kept.length > 0) io.err(keptLines(kept));
  if (dryRun) {
    if (changes.length > 0) io.out(opLines(changes, color));
    return io.err(color.dim(`Dry run: ${id} stays at version ${version}.`));
  }
  const what = changes.length === 0 ? ": there was nothing to do" : ` (${counted(changes.length, "operation")})`;
  io.out(`${id} is at version ${color.bold(String(version))}${what}`);
}
