/**
 * `mcm lock`: takes a lock, or holds one while a command runs.
 *
 * Not here: running it (under-lock.ts), what becomes of a lock that was taken (locks.ts).
 */
import type { Command } from "commander";
import { LIMITS } from "../../../shared/limits.ts";
import { addClientOptions, clientOf, targetOf } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { duration } from "../duration.ts";
import { jsonText } from "../output.ts";
import type { LockRequest } from "../rest-client.ts";
import { runUnderLock } from "../under-lock.ts";

interface LockFlags extends ClientFlags {
  readonly shared?: boolean;
  readonly ttl?: number;
  readonly wait?: number;
  readonly purpose?: string;
}

const EXAMPLES = `
Examples:
  mcm lock plan /tasks/t1 --wait 30s --purpose rewriting -- ./rewrite.sh
  mcm lock plan /tasks /notes --shared -- sh -c 'mcm read plan > snapshot.json'
  mcm lock plan /tasks/t1 --ttl 2m

While the command runs, the lock is renewed. The command has MCM_LOCK_TOKEN, under which 'mcm update' writes, and
MCM_LOCK_ID. Exit codes: the command's own; 124 the lock was lost and the command stopped; 126 or 127 it cannot be
run or is not there; 128 and the signal's number when a signal ended it. Without a command the lock's id and its token are printed.`;

export function addLock(program: Command, cli: Cli): void {
  const command = program
    .command("lock")
    .summary("hold a lock while a command runs")
    .description(
      "Takes a lock on paths, all of them or none, and runs the command behind -- under it; without a command it takes the lock.",
    )
    .usage("<id> <path...> [options] [-- <command> <arg...>]")
    .argument("<id>", "the context's id")
    .argument("<path...>", 'JSON Pointers, "" for the whole context; they need not exist')
    .option("--shared", "let nobody write there, and others lock it like this too")
    .option(
      "--ttl <duration>",
      `how long it lasts unless it is renewed (default ${LIMITS.lockTtlMsDefault / 1000}s)`,
      duration(LIMITS.lockTtlMsMin, LIMITS.lockTtlMsMax),
    )
    .option("--wait <duration>", "wait for it so long", duration(0, LIMITS.lockWaitMsMax))
    .option("--purpose <text>", "why; those who want the lock too see it")
    .addHelpText("after", EXAMPLES);
  addClientOptions(command).action(async (id: string, operands: string[], flags: LockFlags, self: Command) => {
    const { paths, command: toRun } = split(cli.args, operands);
    if (paths.length === 0) self.error("error: say the paths to lock, before --");
    const request = requestOf(paths, flags);
    if (toRun === undefined) return take(cli, id, request, flags);
    if (toRun.length === 0) self.error("error: say the command to run, behind --");
    if (flags.json === true) self.error("error: --json goes without a command");
    const job = { client: clientOf(cli, flags), target: targetOf(cli, flags), id, request, command: toRun };
    cli.endWith(await runUnderLock(cli, job));
  });
}

/** What stands behind the first -- is the command; commander has taken the -- out. */
function split(args: readonly string[], operands: readonly string[]) {
  const at = args.indexOf("--");
  if (at === -1) return { paths: operands, command: undefined };
  const command = args.slice(at + 1);
  return { paths: operands.slice(0, operands.length - command.length), command };
}

function requestOf(paths: readonly string[], { shared = false, ttl, wait, purpose }: LockFlags): LockRequest {
  return { paths: [...paths], mode: shared ? "shared" : "exclusive", ttlMs: ttl, waitMs: wait, purpose };
}

async function take(cli: Cli, id: string, request: LockRequest, flags: LockFlags): Promise<void> {
  const lock = await clientOf(cli, flags).lock(id, request);
  if (flags.json === true) return cli.io.out(jsonText(lock));
  cli.io.out(`${lock.lockId} ${lock.fencingToken}`);
  cli.io.err(cli.color.dim(`It ends at ${lock.expiresAt}. Write under it with --lock-token ${lock.fencingToken}.`));
}
