/**
 * `mcm import`: contexts from files, or from the data folder of a y-websocket server.
 *
 * Not here: how updates are judged (server/state/import), reading the folder (server/storage/y-leveldb).
 */
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import * as Y from "yjs";
import { ServiceError } from "../../../shared/errors.ts";
import { parseContextId } from "../../../shared/ids.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { ImportResult } from "../../../shared/protocol/rest-data.ts";
import { joinUpdates } from "../../../shared/protocol/update-list.ts";
import { firstSentence } from "../../storage/verify/first-sentence.ts";
import { addClientOptions, clientOf, collect } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { EXIT } from "../exit-codes.ts";
import { importFolder } from "../folder-import.ts";
import { jsonArgument } from "../json-argument.ts";
import { counted, jsonText, safe } from "../output.ts";
import type { RestClient } from "../rest-client.ts";

const FORMATS = ["json", "yjs", "yjs-v2", "y-leveldb"] as const;
type Format = (typeof FORMATS)[number];

export interface ImportFlags extends ClientFlags {
  readonly format?: Format;
  readonly replace?: boolean;
  readonly skip?: boolean;
  readonly type?: string;
  readonly name?: string;
  readonly description?: string;
  readonly tag?: readonly string[];
  readonly only?: readonly string[];
  readonly as?: ReadonlyMap<string, string>;
}

const EXAMPLES = `
Examples:
  mcm import plan.json
  mcm import plan.json plan-copy
  mcm import plan.yjs plan --name "Release 2"
  mcm import ./yjs-data
  mcm import ./yjs-data --skip --as "team/plan=plan"`;

export function addImport(program: Command, cli: Cli): void {
  const command = program
    .command("import")
    .summary("make contexts of files")
    .description(
      "Makes a context of an exported file, or one of every document in the data folder of a y-websocket server (y-leveldb), which is only read. Exit code 5 when not all of it could be taken.",
    )
    .argument("<path>", "the file, '-' for stdin, or the folder")
    .argument("[id]", "the context's id; JSON has one itself, of a folder the documents' names are taken")
    .option("--format <format>", `${FORMATS.join(", ")}; told by the path unless given`, formatOf)
    .option("--replace", "take the place of contexts that are there; their history goes")
    .option("--skip", "leave out those that are there")
    .option("--type <type>", "the type of what is imported")
    .option("--name <text>", "of a Yjs update: a name for people")
    .option("--description <text>", "… what it is for")
    .option("--tag <tag>", "… a tag; may be given several times", collect)
    .option("--only <name>", "of a folder: only this document; may be given several times", collect)
    .option("--as <name=id>", "of a folder: the id for a document; may be given several times", renamed)
    .addHelpText("after", EXAMPLES);
  addClientOptions(command).action(async (path: string, id: string | undefined, flags: ImportFlags, self: Command) => {
    if (flags.replace === true && flags.skip === true) self.error("error: give --replace or --skip, not both");
    const format = flags.format ?? (await guessed(cli, path));
    const client = clientOf(cli, flags);
    if (format === "y-leveldb") {
      if (id !== undefined) self.error("error: a folder has many documents; say --only NAME --as NAME=ID");
      return importFolder(cli, client, { folder: path, ...flags });
    }
    if (flags.only !== undefined || flags.as !== undefined) self.error("error: --only and --as are for folders");
    await importFile(cli, client, { path, id, format, flags, self });
  });
}

interface FileImport {
  readonly path: string;
  readonly id: string | undefined;
  readonly format: Exclude<Format, "y-leveldb">;
  readonly flags: ImportFlags;
  readonly self: Command;
}

async function importFile(cli: Cli, client: RestClient, file: FileImport): Promise<void> {
  const { flags } = file;
  let result: ImportResult;
  try {
    result = file.format === "json" ? await sendJson(cli, client, file) : await sendUpdate(cli, client, file);
  } catch (error) {
    if (flags.skip !== true || !(error instanceof ServiceError && error.code === "ALREADY_EXISTS")) throw error;
    return cli.io.err("It is there already, and was left as it is.");
  }
  tellResult(cli, result, flags);
}

function tellResult(cli: Cli, result: ImportResult, flags: ImportFlags): void {
  const { id, updates } = result;
  if (updates !== undefined && updates.refused > 0) cli.endWith(EXIT.damaged);
  if (flags.json === true) return cli.io.out(jsonText(result));
  for (const { message, code } of updates?.refusals ?? []) cli.io.err(`Refused: ${safe(message)} (${code})`);
  cli.io.out(`${id} is made${updates === undefined ? "" : `, of ${counted(updates.applied, "update")}`}`);
}

async function sendJson(cli: Cli, client: RestClient, { path, id, flags, self }: FileImport): Promise<ImportResult> {
  const value = jsonArgument(await cli.io.read(path), path);
  if (!isJsonObject(value)) return self.error(`error: ${path} must hold a JSON object, as 'mcm export' writes it`);
  const given = id ?? value["id"];
  if (typeof given !== "string") return self.error("error: the file has no id; say one");
  const { type = value["type"], replace } = flags;
  return client.importJson(parseContextId(given), { ...value, ...(type === undefined ? {} : { type }) }, { replace });
}

async function sendUpdate(
  cli: Cli,
  client: RestClient,
  { path, id, format, flags, self }: FileImport,
): Promise<ImportResult> {
  const bytes = await cli.io.readBytes(path);
  if (id === undefined) return self.error("error: say the id of the context that is to be made");
  const update = format === "yjs-v2" ? v1Of(bytes, path) : bytes;
  const { replace, type, name, description, tag } = flags;
  const query = { replace, type, name, description, tags: tag?.join(",") };
  return client.importUpdates(parseContextId(id), joinUpdates([update]), query).catch((error: unknown) => {
    if (format === "yjs-v2" || !(error instanceof ServiceError && error.code === "MALFORMED_UPDATE")) throw error;
    const hint = `${path} holds no Yjs update in V1 encoding (${firstSentence(error.message)}). Say --format yjs-v2 if it is one in V2.`;
    throw new ServiceError(error.code, hint, { cause: error });
  });
}

function v1Of(update: Uint8Array, path: string): Uint8Array {
  try {
    return Y.convertUpdateFormatV2ToV1(update);
  } catch (error) {
    throw new Error(`${path} holds no Yjs update in V2 encoding. Say --format yjs if it is one in V1.`, {
      cause: error,
    });
  }
}

async function guessed(cli: Cli, path: string): Promise<Format> {
  if ((await cli.io.kindOf(path)) === "folder") return "y-leveldb";
  return path === "-" || path.endsWith(".json") ? "json" : "yjs";
}

function formatOf(text: string): Format {
  const format = FORMATS.find((one) => one === text);
  if (format === undefined) throw new InvalidArgumentError(`It must be one of: ${FORMATS.join(", ")}.`);
  return format;
}

function renamed(text: string, former: ReadonlyMap<string, string> = new Map()): ReadonlyMap<string, string> {
  const at = text.lastIndexOf("=");
  if (at <= 0) throw new InvalidArgumentError("It must be name=id, such as team/plan=plan.");
  return new Map([...former, [text.slice(0, at), text.slice(at + 1)]]);
}
