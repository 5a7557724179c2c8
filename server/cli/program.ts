/**
 * The CLI as a whole: the commands, and how errors become one sentence, a hint and an exit code.
 *
 * Not here: the process (io.ts, main.ts).
 */
import { Command, CommanderError } from "commander";
import picocolors from "picocolors";
import { ServiceError } from "../../shared/errors.ts";
import { PRODUCT_VERSION } from "../../shared/protocol/version.ts";
import { ConfigError } from "../config.ts";
import type { Cli } from "./client-command.ts";
import { addAcl } from "./commands/acl.ts";
import { addAudit } from "./commands/audit.ts";
import { addBackup } from "./commands/backup.ts";
import { addBlame } from "./commands/blame.ts";
import { addCheckpoint } from "./commands/checkpoint.ts";
import { addCompact } from "./commands/compact.ts";
import { addConflicts, addResolve } from "./commands/conflicts.ts";
import { addType } from "./commands/context-type.ts";
import { addCreate } from "./commands/create.ts";
import { addDemo } from "./commands/demo.ts";
import { addDiff } from "./commands/diff.ts";
import { addExport } from "./commands/export.ts";
import { addHistory } from "./commands/history.ts";
import { addImport } from "./commands/import.ts";
import { addList } from "./commands/list.ts";
import { addLock } from "./commands/lock.ts";
import { addLocks, addUnlock } from "./commands/locks.ts";
import { addMcp } from "./commands/mcp.ts";
import { addRead } from "./commands/read.ts";
import { addRestore, addUndo } from "./commands/restore.ts";
import { addServe } from "./commands/serve.ts";
import type { Start } from "./commands/serve.ts";
import { addToken } from "./commands/token.ts";
import { addUpdate } from "./commands/update.ts";
import { addMigrate } from "./commands/migrate.ts";
import { addVerify } from "./commands/verify.ts";
import { addWatch } from "./commands/watch.ts";
import { addWebhook } from "./commands/webhook.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import type { CliIo } from "./io.ts";
import { safe } from "./output.ts";

const EXIT_CODES = `
Exit codes: 0 done · 1 failed · 2 wrong usage · 3 refused by the server · 4 server unavailable, try later · 5 data damaged`;

/** As --help lists them. */
const COMMANDS: readonly ((program: Command, cli: Cli) => void)[] = [
  addList,
  addCreate,
  addRead,
  addUpdate,
  addWatch,
  addHistory,
  addDiff,
  addBlame,
  addRestore,
  addUndo,
  addCheckpoint,
  addConflicts,
  addResolve,
  addLock,
  addLocks,
  addUnlock,
  addAcl,
  addType,
  addCompact,
  addWebhook,
  addToken,
  addAudit,
  addExport,
  addImport,
  addBackup,
  addVerify,
  addMigrate,
];

export interface CliOptions {
  readonly io: CliIo;
  /** Starts a server: the composition root's. */
  readonly start: Start;
}

/** Runs one command line (without node and script) and returns the exit code. Never throws. */
export async function runCli(args: readonly string[], { io, start }: CliOptions): Promise<number> {
  let code: number = EXIT.ok;
  const endWith = (other: number): void => void (code = other);
  const cli: Cli = { io, color: picocolors.createColors(io.isColourful), args, endWith };
  try {
    await buildProgram(cli, start).parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    return report(error, cli);
  }
}

function buildProgram(cli: Cli, start: Start): Command {
  const program = new Command("mcm")
    .description("Live contexts for AI agents, tools and people.")
    .version(PRODUCT_VERSION)
    // What stands behind a command is the command's: `--version` of `read` is not that of the program.
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError("Add --help for all options and examples.")
    .configureOutput({ writeOut: (text) => cli.io.out(text.trimEnd()), writeErr: (text) => cli.io.err(text.trimEnd()) })
    .addHelpText("after", EXIT_CODES);
  addServe(program, cli, start);
  addDemo(program, cli, start);
  addMcp(program, cli, start);
  for (const add of COMMANDS) add(program, cli);
  return program;
}

function report(error: unknown, { io, color }: Cli): number {
  const say = (text: string): void => io.err(`${color.red("error:")} ${text}`);
  if (error instanceof CommanderError) {
    if (error.code === "commander.invalidArgument") say(error.message);
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
  if (error instanceof ConfigError) {
    for (const problem of error.problems) say(problem);
    return EXIT.usage;
  }
  if (error instanceof ServiceError) {
    say(`${safe(error.message)} ${color.dim(`(${error.code})`)}`);
    return exitCodeOf(error);
  }
  say(sentenceOf(error));
  return EXIT.failed;
}

/** Failures of the operating system, by their code, in words that say what to do. */
function sentenceOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "EADDRINUSE":
      return `The port is in use (${message}). Choose another with --port, or stop the other server.`;
    case "EACCES":
    case "EPERM":
      return `Not permitted (${message}). Choose another --port or --data-dir, or change the permissions.`;
    case "EADDRNOTAVAIL":
      return `This machine has no such address (${message}). Choose another with --host.`;
    case "ENOENT":
      return `No such file (${message}).`;
    default:
      return message;
  }
}
