/**
 * `mcm create`: makes a context.
 */
import type { Command } from "commander";
import { isJsonObject } from "../../../shared/json.ts";
import type { JsonObject } from "../../../shared/json.ts";
import { addClientOptions, clientOf, collect } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { jsonArgument } from "../json-argument.ts";
import { jsonText } from "../output.ts";

interface CreateFlags extends ClientFlags {
  readonly name?: string;
  readonly description?: string;
  readonly type?: string;
  readonly tag?: string[];
  readonly data?: string;
  readonly file?: string;
}

export function addCreate(program: Command, cli: Cli): void {
  const command = program
    .command("create")
    .summary("make a context")
    .description("Makes a context and prints its id.")
    .argument("[id]", "its id; a UUID if none is given")
    .option("--name <text>", "a name for people")
    .option("--description <text>", "what it is for")
    .option("--type <type>", "its type")
    .option("--tag <tag>", "a tag; may be given several times", collect)
    .option("--data <json>", "initial content, a JSON object")
    .option("--file <path>", "initial content from a file, '-' for stdin")
    .addHelpText(
      "after",
      `\nExamples:\n  mcm create plan --data '{"tasks": {}}'\n  mcm create --name "Release 2" --tag release --file plan.json`,
    );
  addClientOptions(command).action(async (id: string | undefined, flags: CreateFlags, self: Command) => {
    const { name, description, type, tag: tags } = flags;
    const data = await initialData(cli, flags, self);
    // What is undefined is left out of the JSON.
    const created = await clientOf(cli, flags).create({ id, name, description, type, tags, data });
    cli.io.out(flags.json === true ? jsonText(created) : created.id);
  });
}

async function initialData(cli: Cli, { data, file }: CreateFlags, command: Command): Promise<JsonObject | undefined> {
  if (data !== undefined && file !== undefined) command.error("error: give --data or --file, not both");
  const text = file === undefined ? data : await cli.io.read(file);
  if (text === undefined) return undefined;
  const value = jsonArgument(text, file ?? "--data");
  return isJsonObject(value) ? value : command.error("error: the initial content must be a JSON object, such as {}");
}
