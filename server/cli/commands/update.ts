/**
 * `mcm update`: changes a context, all or nothing.
 */
import { Option } from "commander";
import type { Command } from "commander";
import { VERSION_SCOPES } from "../../../shared/change.ts";
import type { VersionScope } from "../../../shared/change.ts";
import { addClientOptions, clientOf, wholeNumber } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { addLockTokenOption, lockTokensOf } from "../lock-tokens.ts";
import type { LockTokenFlags } from "../lock-tokens.ts";
import { addOperationOptions } from "../operations.ts";
import type { OperationFlags } from "../operations.ts";
import { jsonText } from "../output.ts";

interface UpdateFlags extends ClientFlags, OperationFlags, LockTokenFlags {
  readonly ifVersion?: number;
  readonly scope?: VersionScope;
  readonly message?: string;
  readonly idempotencyKey?: string;
}

const EXAMPLES = `
Examples:
  mcm update plan --set /tasks/t1/done=true --set '/title=Ship it'
  mcm update plan --merge '{"owner": "ada", "draft": null}' --message "hand over"
  mcm update plan --op '{"op": "edit_text", "path": "/notes", "old": "teh", "new": "the"}'
  mcm update plan --file patch.json --if-version 7
  jq -n '[{op: "remove", path: "/draft"}]' | mcm update plan --file -`;

export function addUpdate(program: Command, cli: Cli): void {
  const command = program
    .command("update")
    .summary("change a context")
    .description("Changes a context, all or nothing, in the order given; prints the version that holds the change.")
    .argument("<id>", "the context's id");
  const operations = addOperationOptions(command, cli);
  command
    .option("--if-version <version>", "only if what it touches did not change after this version", wholeNumber(0))
    .addOption(new Option("--scope <scope>", "with --if-version: or if nothing did").choices(VERSION_SCOPES))
    .option("--message <text>", "why; shown in the history")
    .option("--idempotency-key <key>", "a second try with the same key changes nothing more")
    .addHelpText("after", EXAMPLES);
  addLockTokenOption(command);
  addClientOptions(command).action(async (id: string, flags: UpdateFlags, self: Command) => {
    const changes = [...(await operations(flags))];
    if (changes.length === 0) self.error("error: nothing to change; say it with --set, --op, --merge or --file");
    const { ifVersion, scope: ifVersionScope, message, idempotencyKey } = flags;
    if (ifVersionScope !== undefined && ifVersion === undefined) self.error("error: --scope goes with --if-version");
    const body = { changes, ifVersion, ifVersionScope, message };
    const options = { idempotencyKey, lockTokens: lockTokensOf(cli, id, flags) };
    const result = await clientOf(cli, flags).change(id, body, options);
    if (flags.json === true) return cli.io.out(jsonText(result));
    const again = result.replayed ? cli.color.dim(" (this key had been used: nothing more was changed)") : "";
    cli.io.out(`${result.id} is at version ${cli.color.bold(String(result.version))}${again}`);
  });
}
