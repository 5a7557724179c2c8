/**
 * `mcm locks` and `mcm unlock`: which locks a context has, and giving one back.
 */
import type { Command } from "commander";
import type { LockView, LockWaiterView } from "../../../shared/protocol/rest-locks.ts";
import { addClientOptions, clientOf } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { jsonText, pathsText, safe, table } from "../output.ts";
import type { Colors } from "../output.ts";

interface UnlockFlags extends ClientFlags {
  readonly force?: boolean;
}

export function addLocks(program: Command, cli: Cli): void {
  const command = program
    .command("locks")
    .summary("list a context's locks, and who waits")
    .description(
      "Lists the locks that are held in a context, in the order in which they were granted, and who waits for one.",
    )
    .argument("<id>", "the context's id")
    .addHelpText("after", "\nExamples:\n  mcm locks plan\n  mcm locks plan --json");
  addClientOptions(command).action(async (id: string, flags: ClientFlags) => {
    const all = await clientOf(cli, flags).locks(id);
    if (flags.json === true) return cli.io.out(jsonText(all));
    if (all.locks.length === 0) return cli.io.err("No locks.");
    cli.io.out(lockTable(all.locks, cli.color));
    if (all.waiting.length > 0) cli.io.out(`\n${waiterTable(all.waiting, cli.color)}`);
  });
}

export function addUnlock(program: Command, cli: Cli): void {
  const command = program
    .command("unlock")
    .summary("release a lock")
    .description(
      "Releases a lock that you hold, or with --force, as an admin of the context, anybody's; its holder is told.",
    )
    .argument("<id>", "the context's id")
    .argument("<lock>", "the lock's id")
    .option("--force", "whoever holds it")
    .addHelpText("after", "\nExamples:\n  mcm unlock plan 0f3c9a52-6f0c-4f7e-9a55-7a4d3c1b2e10 --force");
  addClientOptions(command).action(async (id: string, lockId: string, flags: UnlockFlags) => {
    await clientOf(cli, flags).unlock(id, lockId, flags.force === true ? { force: true } : {});
    if (flags.json !== true) cli.io.out(`${safe(lockId)} is released`);
  });
}

function lockTable(locks: readonly LockView[], color: Colors): string {
  const rows = locks.map(({ lockId, fencingToken, mode, holder, expiresAt, paths, purpose = "" }) => [
    safe(lockId),
    String(fencingToken),
    mode,
    safe(holder),
    expiresAt,
    pathsText(paths),
    safe(purpose),
  ]);
  return table([["LOCK", "TOKEN", "MODE", "HOLDER", "ENDS", "PATHS", "PURPOSE"], ...rows], color);
}

function waiterTable(waiting: readonly LockWaiterView[], color: Colors): string {
  const rows = waiting.map(({ position, mode, actor, since, until, paths, purpose = "" }) => [
    String(position),
    mode,
    safe(actor),
    since,
    until,
    pathsText(paths),
    safe(purpose),
  ]);
  return table([["PLACE", "MODE", "WAITS", "SINCE", "UNTIL", "PATHS", "PURPOSE"], ...rows], color);
}
