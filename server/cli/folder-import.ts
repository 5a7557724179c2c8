/**
 * Every document of a y-websocket server's data folder as a context, one after the other.
 *
 * A document that cannot be taken is told and passed over; a server that cannot be reached ends it, and `--skip` goes on from
 * there.
 *
 * Not here: reading the folder (server/storage/y-leveldb), the command line (commands/import.ts).
 */
import { ServiceError } from "../../shared/errors.ts";
import { parseContextId } from "../../shared/ids.ts";
import { joinUpdates } from "../../shared/protocol/update-list.ts";
import type { ImportResult } from "../../shared/protocol/rest-data.ts";
import { YLevelReader } from "../storage/y-leveldb/y-leveldb-reader.ts";
import type { StoredDocument } from "../storage/y-leveldb/y-leveldb-reader.ts";
import type { Cli } from "./client-command.ts";
import { EXIT } from "./exit-codes.ts";
import { counted, jsonText, safe } from "./output.ts";
import type { RestClient } from "./rest-client.ts";

export interface FolderImport {
  readonly folder: string;
  readonly replace?: boolean;
  readonly skip?: boolean;
  readonly type?: string;
  readonly only?: readonly string[];
  readonly as?: ReadonlyMap<string, string>;
  readonly json?: boolean;
}

/** What became of one document. */
interface Outcome {
  readonly name: string;
  readonly id?: string;
  readonly status: "imported" | "skipped" | "refused";
  readonly updates?: NonNullable<ImportResult["updates"]>;
  readonly reason?: string;
}

export async function importFolder(cli: Cli, client: RestClient, options: FolderImport): Promise<void> {
  const { folder, only, json } = options;
  const reader = await YLevelReader.open(folder);
  const total = only?.length ?? (await reader.count());
  const progress = cli.io.startProgress("Importing", "contexts");
  const outcomes: Outcome[] = [];
  let metaCount = 0;
  try {
    for await (const document of reader.documents()) {
      if (only !== undefined && !only.includes(document.name)) continue;
      metaCount += document.metaCount;
      const outcome = await importDocument(client, document, options);
      outcomes.push(outcome);
      progress.update(outcomes.length, Math.max(total, outcomes.length));
    }
  } finally {
    progress.stop();
  }
  const missing = (only ?? []).filter((name) => !outcomes.some((outcome) => outcome.name === name));
  for (const name of missing) outcomes.push({ name, status: "refused", reason: "The folder has no such document." });
  if (reader.damages.length > 0 || outcomes.some(isPartial)) cli.endWith(EXIT.damaged);
  if (json === true) return cli.io.out(jsonText({ documents: outcomes, damages: reader.damages, metaCount }));
  tell(cli, options, { outcomes, damages: reader.damages, metaCount });
}

async function importDocument(client: RestClient, document: StoredDocument, options: FolderImport): Promise<Outcome> {
  const { name, updates, problem } = document;
  if (problem !== undefined) return { name, status: "refused", reason: `${problem}.` };
  try {
    const id = idFor(name, options.as);
    const { replace, type } = options;
    const result = await client.importUpdates(id, joinUpdates(updates), { replace, type });
    return { name, id, status: "imported", ...(result.updates === undefined ? {} : { updates: result.updates }) };
  } catch (error) {
    if (!(error instanceof ServiceError) || error.retry === "later") throw error;
    if (error.code === "ALREADY_EXISTS" && options.skip === true) return { name, status: "skipped" };
    return { name, status: "refused", reason: error.message };
  }
}

function idFor(name: string, as: ReadonlyMap<string, string> | undefined): string {
  const given = as?.get(name);
  if (given !== undefined) return parseContextId(given);
  try {
    return parseContextId(name);
  } catch {
    throw new ServiceError(
      "INVALID_REQUEST",
      `Its name is none that a context may have. Give it one: --as '${name}=another-name'.`,
    );
  }
}

/** Not all of it is in. */
function isPartial({ status, updates }: Outcome): boolean {
  return status === "refused" || (updates?.refused ?? 0) > 0;
}

interface Told {
  readonly outcomes: readonly Outcome[];
  readonly damages: readonly string[];
  readonly metaCount: number;
}

function tell({ io }: Cli, { folder }: FolderImport, { outcomes, damages, metaCount }: Told): void {
  for (const damage of damages) io.err(`${folder} is damaged: ${safe(damage)}. Documents in it may be missing.`);
  for (const outcome of outcomes.filter(isPartial)) {
    const { name, reason, updates } = outcome;
    if (reason !== undefined) io.err(`${safe(name)}: ${safe(reason)}`);
    if (updates === undefined || updates.refused === 0) continue;
    io.err(`${safe(name)}: ${counted(updates.refused, "update")} of it refused`);
    for (const { index, message } of updates.refusals) io.err(`  number ${index + 1}: ${safe(message)}`);
  }
  if (metaCount > 0) io.err(`Left out: ${counted(metaCount, "record")} that an application kept beside the documents.`);
  const count = (status: Outcome["status"]): number => outcomes.filter((outcome) => outcome.status === status).length;
  const updates = outcomes.reduce((sum, outcome) => sum + (outcome.updates?.applied ?? 0), 0);
  io.out(
    `${counted(count("imported"), "context")} made of ${counted(updates, "update")}, ${count("skipped")} skipped, ${count("refused")} refused`,
  );
}
