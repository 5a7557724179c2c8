/**
 * `mcm migrate`: all data from a folder into a PostgreSQL database, or back; most of it while the old server runs.
 *
 * Not here: how it is copied and proven (server/storage/migrate).
 */
import type { Command } from "commander";
import { systemClock } from "../../clock.ts";
import { receiveBackup } from "../../storage/backup/backup-stream.ts";
import { copyRunning, copyStopped } from "../../storage/migrate/copy-data.ts";
import type { CopyOptions, CopyReport } from "../../storage/migrate/copy-data.ts";
import { addClientOptions, clientOf } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { counted, jsonText, megabytes } from "../output.ts";

interface Flags extends ClientFlags {
  readonly from?: string;
  readonly to: string;
}

export function addMigrate(program: Command, cli: Cli): void {
  const command = program
    .command("migrate")
    .summary("move all data into PostgreSQL, or back")
    .description(
      "Copies all that a server keeps to another place, and reads back what it wrote to prove that it is the same. A place is a data folder, or the address of a PostgreSQL database; the old one stays as it is. With --url the server runs meanwhile, and the copy is not in service yet: stop the server, and let --from copy what changed since.",
    )
    .option("--from <place>", "where the data of a stopped server is")
    .requiredOption("--to <place>", "where it shall be: an empty place, or what an earlier --url or a cut made of one")
    .addHelpText(
      "after",
      "\nExamples:\n  mcm migrate --url http://127.0.0.1:4400 --to postgres://mcm@localhost/mcm\n  mcm migrate --from ./data --to postgres://mcm@localhost/mcm\n  mcm migrate --from postgres://mcm@localhost/mcm --to ./data",
    );
  addClientOptions(command).action(async (flags: Flags, self: Command) => {
    const { from, to, url } = flags;
    if ((from === undefined) === (url === undefined))
      self.error("error: give --from with the place of a stopped server, or --url of one that runs");
    const stopped = new AbortController();
    const forget = cli.io.onStop(() => stopped.abort());
    const progress = cli.io.startProgress("Copying", "bytes");
    const onProgress = (bytes: number, total: number): void => {
      if (stopped.signal.aborted) throw new Error("The copy was stopped. The same command goes on with it.");
      progress.update(bytes, total);
    };
    const options: CopyOptions = { to, clock: systemClock, onProgress };
    try {
      const report =
        from === undefined
          ? await copyRunning(receiveBackup(await clientOf(cli, flags).backup(stopped.signal)), options)
          : await copyStopped(from, options);
      progress.stop();
      if (flags.json === true) return cli.io.out(jsonText({ ...report, isInService: from !== undefined }));
      cli.io.out(textOf(report, from === undefined));
    } finally {
      progress.stop();
      forget();
    }
  });
}

function textOf({ contexts, records, bytes, differences }: CopyReport, isRunning: boolean): string {
  const what = `${counted(contexts, "context")}, ${counted(records, "record")}, ${megabytes(bytes)}`;
  const done = `${what}: ${differences} copied and read back, the others were the same already.`;
  return isRunning
    ? `${done} Not in service yet: stop the server, and copy what changed since with --from.`
    : `${done} Start the server on the new place.`;
}
