/**
 * `mcm checkpoint`: names versions of a context, lists the names, takes them away.
 */
import type { Command } from "commander";
import { addClientOptions, clientOf, wholeNumber } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { checkpointTable } from "../history-output.ts";
import { jsonText, safe } from "../output.ts";

interface CheckpointFlags extends ClientFlags {
  readonly version?: number;
  readonly message?: string;
  readonly delete?: boolean;
}

const EXAMPLES = `
Examples:
  mcm checkpoint plan
  mcm checkpoint plan "before the rewrite"
  mcm checkpoint plan v1 --version 7 --message "sent to the customer"
  mcm checkpoint plan v1 --delete`;

export function addCheckpoint(program: Command, cli: Cli): void {
  const command = program
    .command("checkpoint")
    .summary("name a version")
    .description(
      "Names a version of a context, so that its content is kept for good. Without a name it lists the names there are.",
    )
    .argument("<id>", "the context's id")
    .argument("[name]", "the checkpoint's name")
    .option("--version <version>", "the version to name; the present one if none is given", wholeNumber(0))
    .option("--message <text>", "what it is")
    .option("--delete", "take the name away")
    .addHelpText("after", EXAMPLES);
  addClientOptions(command).action(
    async (id: string, name: string | undefined, flags: CheckpointFlags, self: Command) => {
      const { version, message } = flags;
      const isPlain = version === undefined && message === undefined;
      if (name === undefined && (flags.delete === true || !isPlain)) self.error("error: say the checkpoint's name too");
      if (flags.delete === true && !isPlain) self.error("error: --delete goes with neither --version nor --message");
      if (name === undefined) return list(cli, id, flags);
      if (flags.delete === true) return remove(cli, id, name, flags);
      const made = await clientOf(cli, flags).nameCheckpoint(id, { name, version, message });
      cli.io.out(flags.json === true ? jsonText(made) : `${safe(made.name)} is version ${made.version} of ${id}`);
    },
  );
}

async function list(cli: Cli, id: string, flags: CheckpointFlags): Promise<void> {
  const all = await clientOf(cli, flags).checkpoints(id);
  if (flags.json === true) return cli.io.out(jsonText(all));
  if (all.checkpoints.length === 0) return cli.io.err(`No checkpoints. Make one with 'mcm checkpoint ${id} <name>'.`);
  cli.io.out(checkpointTable(all.checkpoints, cli.color));
}

async function remove(cli: Cli, id: string, name: string, flags: CheckpointFlags): Promise<void> {
  await clientOf(cli, flags).forgetCheckpoint(id, name);
  if (flags.json !== true) cli.io.out(`${safe(name)} is no checkpoint of ${id} any more`);
}
