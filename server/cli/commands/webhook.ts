/**
 * `mcm webhook`: has targets told of changes, and looks after those that are not told.
 *
 * Secrets come from a file or the environment: what is on a command line, other users of the machine can read.
 *
 * Not here: how it looks (webhook-output.ts).
 */
import type { Command } from "commander";
import { addClientOptions, clientOf, collect } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { counted, jsonText, safe } from "../output.ts";
import type { RestClient } from "../rest-client.ts";
import { webhookText, webhookTable } from "../webhook-output.ts";

interface AddFlags extends ClientFlags {
  readonly context?: string[];
  readonly path?: string[];
  readonly secretFile?: string;
}

interface UpdateFlags extends ClientFlags {
  readonly to?: string;
  readonly secretFile?: string;
  readonly newSecret?: boolean;
}

const EXAMPLES = `
Examples:
  mcm webhook add https://example.org/hook --context 'plan-*' --path /tasks --secret-file secret.txt
  mcm webhook list
  mcm webhook test <id>
  mcm webhook resume <id>

The secret is the file's first line ('-' for stdin), or MCM_WEBHOOK_SECRET. With it the target verifies who sent what it gets.`;

const NO_SECRET =
  "error: there is no secret: name a file that begins with it as --secret-file, or set MCM_WEBHOOK_SECRET";

export function addWebhook(program: Command, cli: Cli): void {
  const group = program
    .command("webhook")
    .summary("have targets told of changes by HTTP")
    .description("Webhooks: targets that are told of changes, each at least once, those of a context in order.")
    .addHelpText("after", EXAMPLES);
  addAdd(group, cli);
  addList(group, cli);
  addShow(group, cli);
  addUpdate(group, cli);
  addTest(group, cli);
  addHalt(group, cli, "pause", "Sends nothing until it is resumed.");
  addHalt(group, cli, "resume", "Goes on where it was, at once: after a pause, after it stopped, or between attempts.");
  addRedeliver(group, cli);
  addRemove(group, cli);
}

function addAdd(group: Command, cli: Cli): void {
  const command = group
    .command("add")
    .description("Has a target told of what changes from now on. Prints the webhook's id.")
    .argument("<url>", "the target, https")
    .option("--context <pattern>", "contexts to tell of, '*' stands for any characters; may be given again", collect)
    .option("--path <path>", "tell only of changes at, above or below it; may be given again", collect)
    .option("--secret-file <file>", "file that holds the secret (env MCM_WEBHOOK_SECRET)");
  addClientOptions(command).action(async (url: string, flags: AddFlags, self: Command) => {
    const { path: paths } = flags;
    const contexts = flags.context ?? self.error("error: say which contexts with --context; '*' is all of them");
    const secret = (await secretOf(cli, flags)) ?? self.error(NO_SECRET);
    const made = await clientOf(cli, flags).addWebhook({ url, contexts, paths, secret });
    cli.io.out(flags.json === true ? jsonText(made) : made.id);
  });
}

function addList(group: Command, cli: Cli): void {
  addClientOptions(group.command("list").description("Lists the webhooks.")).action(async (flags: ClientFlags) => {
    const list = await clientOf(cli, flags).webhooks();
    if (flags.json === true) return cli.io.out(jsonText(list));
    if (list.webhooks.length === 0) return cli.io.err("No webhooks. Add one with 'mcm webhook add <url>'.");
    cli.io.out(webhookTable(list.webhooks, cli.color));
  });
}

function addShow(group: Command, cli: Cli): void {
  const command = group.command("show").description("Says how far it has come, and what it could not deliver.");
  onOne(command, cli, async (client, id, flags) => {
    const report = await client.webhook(id);
    cli.io.out(flags.json === true ? jsonText(report) : webhookText(report, cli.color));
  });
}

function addUpdate(group: Command, cli: Cli): void {
  const command = group
    .command("update")
    .description("Gives it another address or secret; what is not delivered goes there.")
    .argument("<id>", "the webhook's id")
    .option("--to <url>", "the target")
    .option("--secret-file <file>", "file that holds the new secret")
    .option("--new-secret", "take the new secret from MCM_WEBHOOK_SECRET");
  addClientOptions(command).action(async (id: string, flags: UpdateFlags, self: Command) => {
    const isNew = flags.newSecret === true || flags.secretFile !== undefined;
    const secret = isNew ? await secretOf(cli, flags) : undefined;
    if (isNew && secret === undefined) self.error(NO_SECRET);
    if (flags.to === undefined && !isNew) self.error("error: say --to, --secret-file or --new-secret");
    const webhook = await clientOf(cli, flags).changeWebhook(id, { url: flags.to, secret });
    cli.io.out(flags.json === true ? jsonText(webhook) : `${id} sends to ${safe(webhook.url)}, key ${webhook.keyId}`);
  });
}

function addTest(group: Command, cli: Cli): void {
  const command = group
    .command("test")
    .description("Sends a delivery that tells nothing, and says whether it arrived.");
  onOne(command, cli, async (client, id, flags) => {
    const { ok, durationMs, error = "" } = await client.testWebhook(id);
    if (flags.json === true) cli.io.out(jsonText({ ok, durationMs, ...(ok ? {} : { error }) }));
    else cli.io.out(ok ? `The target took it, in ${durationMs} ms` : `The target did not take it: ${safe(error)}`);
    if (!ok) cli.endWith(1);
  });
}

function addHalt(group: Command, cli: Cli, name: "pause" | "resume", description: string): void {
  onOne(group.command(name).description(description), cli, async (client, id, flags) => {
    const webhook = await (name === "pause" ? client.pauseWebhook(id) : client.resumeWebhook(id));
    cli.io.out(flags.json === true ? jsonText(webhook) : `${id} is ${webhook.state}`);
  });
}

function addRedeliver(group: Command, cli: Cli): void {
  const command = group
    .command("redeliver")
    .description("Sends dead letters again, oldest first, until one fails.")
    .argument("<id>", "the webhook's id")
    .argument("[delivery]", "only the dead letter of this delivery");
  addClientOptions(command).action(async (id: string, deliveryId: string | undefined, flags: ClientFlags) => {
    const outcome = await clientOf(cli, flags).redeliver(id, { deliveryId });
    const { redelivered, left, error } = outcome;
    if (flags.json === true) cli.io.out(jsonText(outcome));
    else {
      cli.io.out(`${counted(redelivered, "dead letter")} delivered, ${left} left`);
      if (error !== undefined) cli.io.err(`It ended because ${safe(error)}.`);
    }
    if (error !== undefined) cli.endWith(1);
  });
}

function addRemove(group: Command, cli: Cli): void {
  const command = group.command("remove").description("Deletes it, with what it has not delivered.");
  onOne(command, cli, async (client, id, flags) => {
    await client.removeWebhook(id);
    if (flags.json !== true) cli.io.out(`${safe(id)} is removed`);
  });
}

function onOne(
  command: Command,
  cli: Cli,
  act: (client: RestClient, id: string, flags: ClientFlags) => Promise<void>,
): void {
  command.argument("<id>", "the webhook's id");
  addClientOptions(command).action((id: string, flags: ClientFlags) => act(clientOf(cli, flags), id, flags));
}

async function secretOf({ io }: Cli, { secretFile }: { readonly secretFile?: string }): Promise<string | undefined> {
  const text = secretFile === undefined ? io.environment["MCM_WEBHOOK_SECRET"] : await io.read(secretFile);
  const [secret = ""] = (text ?? "").split(/\r?\n/);
  return secret === "" ? undefined : secret;
}
