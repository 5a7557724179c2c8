/**
 * `mcm export`: a context as a file, or many as the data folder of a y-websocket server.
 *
 * Not here: what an export holds (shared/protocol/rest-data.ts), the folder (server/storage/y-leveldb).
 */
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import * as Y from "yjs";
import { LIMITS } from "../../../shared/limits.ts";
import { YLevelWriter } from "../../storage/y-leveldb/y-leveldb-writer.ts";
import { addClientOptions, clientOf } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { counted, jsonText, megabytes } from "../output.ts";
import type { RestClient } from "../rest-client.ts";

const FORMATS = ["json", "yjs", "yjs-v2", "y-leveldb"] as const;
type Format = (typeof FORMATS)[number];

interface ExportFlags extends ClientFlags {
  readonly format: Format;
  readonly out?: string;
}

const EXAMPLES = `
Examples:
  mcm export plan > plan.json
  mcm export plan --format yjs --out plan.yjs
  mcm export --format y-leveldb --out ./yjs-data
  mcm export plan notes --format y-leveldb --out ./yjs-data`;

export function addExport(program: Command, cli: Cli): void {
  const command = program
    .command("export")
    .summary("write contexts to files")
    .description(
      "Writes a context as JSON with marks, or its document as one Yjs update; or contexts, all unless some are named, into a new folder of y-leveldb, which a y-websocket server opens.",
    )
    .argument("[id...]", "the context's id; several for y-leveldb")
    .option("--format <format>", FORMATS.join(", "), formatOf, "json")
    .option("--out <path>", "the file, stdout unless given; for y-leveldb the folder")
    .addHelpText("after", EXAMPLES);
  addClientOptions(command).action(async (ids: readonly string[], flags: ExportFlags, self: Command) => {
    const { format, out = "-" } = flags;
    const client = clientOf(cli, flags);
    if (format === "y-leveldb") {
      if (out === "-") self.error("error: say with --out into which folder");
      return exportFolder(cli, client, { ids, out, isJson: flags.json === true });
    }
    const [id, ...more] = ids;
    if (id === undefined || more.length > 0)
      return self.error("error: name one context; only --format y-leveldb takes several");
    const content = await contentOf(client, id, format);
    await cli.io.write(out, content);
    if (out !== "-") cli.io.err(`${out} holds "${id}", ${megabytes(content.length)}`);
  });
}

async function contentOf(
  client: RestClient,
  id: string,
  format: Exclude<Format, "y-leveldb">,
): Promise<string | Uint8Array> {
  if (format === "json") return `${jsonText(JSON.parse(await client.exportJson(id)), 2)}\n`;
  const update = await client.exportYjs(id);
  return format === "yjs" ? Y.convertUpdateFormatV2ToV1(update) : update;
}

interface FolderExport {
  readonly ids: readonly string[];
  readonly out: string;
  readonly isJson: boolean;
}

async function exportFolder(cli: Cli, client: RestClient, { ids, out, isJson }: FolderExport): Promise<void> {
  const names = ids.length > 0 ? ids : await allIds(client);
  const writer = await YLevelWriter.create(out);
  const progress = cli.io.startProgress("Exporting", "contexts");
  let bytes = 0;
  try {
    for (const [index, id] of names.entries()) {
      const update = Y.convertUpdateFormatV2ToV1(await client.exportYjs(id));
      await writer.add(id, update);
      bytes += update.length;
      progress.update(index + 1, names.length);
    }
    await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  } finally {
    progress.stop();
  }
  if (isJson) return cli.io.out(jsonText({ folder: out, contexts: names.length, bytes }));
  cli.io.out(`${out} holds ${counted(names.length, "context")}, ${megabytes(bytes)}`);
}

async function allIds(client: RestClient): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await client.list({ limit: LIMITS.listLimitMax, cursor });
    for (const { id } of page.contexts) ids.push(id);
    cursor = page.next;
    if (cursor === undefined) return ids;
  }
}

function formatOf(text: string): Format {
  const format = FORMATS.find((one) => one === text);
  if (format === undefined) throw new InvalidArgumentError(`It must be one of: ${FORMATS.join(", ")}.`);
  return format;
}
