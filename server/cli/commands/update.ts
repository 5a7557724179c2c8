/**
 * `mcm update`: changes a context, all or nothing. Every way to say an operation adds to one list, in the order given.
 *
 * Not here: what operations do (server/state/json/json-changes.ts).
 */
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import type { JsonOp } from "../../../shared/change.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json } from "../../../shared/json.ts";
import { jsonOpSchema, jsonPatchSchema } from "../../../shared/protocol/rest.ts";
import { addClientOptions, clientOf, wholeNumber } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { jsonArgument } from "../json-argument.ts";

interface UpdateFlags extends ClientFlags {
  readonly file?: string;
  readonly ifVersion?: number;
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
  const ops: JsonOp[] = [];
  const add = (parse: (text: string) => JsonOp) => (text: string) => void ops.push(parse(text));
  const command = program
    .command("update")
    .summary("change a context")
    .description("Changes a context, all or nothing, in the order given; prints the version that holds the change.")
    .argument("<id>", "the context's id")
    .option("--set <path=value>", "set the value at a path; JSON, or else text (in a list: insert there)", add(setOp))
    .option("--op <json>", "one operation", add(opOf))
    .option("--merge <json>", "merge an object into the data (RFC 7396); null removes", add(mergeOp))
    .option("--file <path>", "a JSON Patch from a file, '-' for stdin; applied last")
    .option("--if-version <version>", "only if this is the context's version", wholeNumber(0))
    .option("--message <text>", "why; shown in the history")
    .option("--idempotency-key <key>", "a second try with the same key changes nothing more")
    .addHelpText("after", EXAMPLES);
  addClientOptions(command).action(async (id: string, flags: UpdateFlags, self: Command) => {
    if (flags.file !== undefined) ops.push(...patchOf(await cli.io.read(flags.file), flags.file, self));
    if (ops.length === 0) self.error("error: nothing to change; say it with --set, --op, --merge or --file");
    const { ifVersion, message, idempotencyKey } = flags;
    const precondition = ifVersion === undefined ? {} : { ifVersion };
    const body = { changes: ops, ...precondition, ...(message === undefined ? {} : { message }) };
    const result = await clientOf(cli, flags).change(id, body, idempotencyKey);
    if (flags.json === true) return cli.io.out(JSON.stringify(result));
    const again = result.replayed ? cli.color.dim(" (this key had been used: nothing more was changed)") : "";
    cli.io.out(`${result.id} is at version ${cli.color.bold(String(result.version))}${again}`);
  });
}

function setOp(text: string): JsonOp {
  const [, path, value] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (path === undefined || value === undefined)
    throw new InvalidArgumentError("It must be path=value, such as /title=Hello.");
  return { op: "add", path, value: jsonOrText(value) };
}

function jsonOrText(text: string): Json {
  try {
    return jsonArgument(text, "--set");
  } catch {
    return text;
  }
}

function opOf(text: string): JsonOp {
  const parsed = jsonOpSchema.safeParse(jsonArgument(text, "--op"));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new InvalidArgumentError(`It is not an operation: ${issue?.path.join("/") ?? ""} ${issue?.message ?? ""}`);
}

function mergeOp(text: string): JsonOp {
  const value = jsonArgument(text, "--merge");
  if (!isJsonObject(value)) throw new InvalidArgumentError('It must be a JSON object, such as {"done": true}.');
  return { op: "merge", path: "", value };
}

function patchOf(text: string, file: string, command: Command): readonly JsonOp[] {
  const parsed = jsonPatchSchema.safeParse(jsonArgument(text, file));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return command.error(`error: ${file} is not a JSON Patch: ${issue?.path.join("/") ?? ""} ${issue?.message ?? ""}`);
}
