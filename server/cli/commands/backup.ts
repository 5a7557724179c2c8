/**
 * `mcm backup`: puts all that a server holds into a folder, while it runs.
 *
 * Not here: how a backup is sent and kept (server/storage/backup).
 */
import type { Command } from "commander";
import { receiveBackup } from "../../storage/backup/backup-stream.ts";
import type { BackupFrame } from "../../storage/backup/backup-stream.ts";
import { framesOfFolder, storeBackup } from "../../storage/backup/store-backup.ts";
import { systemClock } from "../../clock.ts";
import { addClientOptions, clientOf, targetOf } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { counted, jsonText, megabytes } from "../output.ts";

interface BackupFlags extends ClientFlags {
  readonly out: string;
  readonly dataDir?: string;
}

export function addBackup(program: Command, cli: Cli): void {
  const command = program
    .command("backup")
    .summary("back a server up")
    .description(
      "Writes all that the server has acknowledged by now into a new folder, which 'mcm verify' checks and 'mcm serve --data-dir' opens. Others go on working meanwhile.",
    )
    .requiredOption("--out <folder>", "where to; it must be empty, or not there yet")
    .option("--data-dir <folder>", "of a data folder whose server is stopped, instead of a running server")
    .addHelpText(
      "after",
      "\nExamples:\n  mcm backup --out /backups/monday\n  mcm backup --url https://contexts.example --out monday\n  mcm backup --data-dir ./data --out monday",
    );
  addClientOptions(command).action(async (flags: BackupFlags, self: Command) => {
    const { out, dataDir } = flags;
    if (dataDir !== undefined && flags.url !== undefined) self.error("error: give --url or --data-dir, not both");
    const stopped = new AbortController();
    const forget = cli.io.onStop(() => stopped.abort());
    const progress = cli.io.startProgress("Backing up", "bytes");
    const onProgress = (bytes: number, total: number): void => {
      if (stopped.signal.aborted) throw new Error("The backup was stopped; nothing of it is left.");
      progress.update(bytes, total);
    };
    try {
      const frames = await framesFor(cli, flags, stopped.signal);
      const from = dataDir ?? targetOf(cli, flags).url;
      const manifest = await storeBackup(frames, { out, from, onProgress });
      progress.stop();
      if (flags.json === true) return cli.io.out(jsonText(manifest));
      const { contexts, bytes } = manifest;
      cli.io.out(`${out} holds ${counted(contexts, "context")}, ${megabytes(bytes)}. Check it with: mcm verify ${out}`);
    } finally {
      progress.stop();
      forget();
    }
  });
}

async function framesFor(cli: Cli, flags: BackupFlags, signal: AbortSignal): Promise<AsyncIterable<BackupFrame>> {
  if (flags.dataDir !== undefined) return framesOfFolder(flags.dataDir, systemClock.nowMs());
  return receiveBackup(await clientOf(cli, flags).backup(signal));
}
