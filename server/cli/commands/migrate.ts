/**
 * `mcm migrate`: the data of a stopped server from a folder into a PostgreSQL database, or back.
 *
 * Not here: how it is copied and proven (server/storage/migrate).
 */
import type { Command } from "commander";
import { systemClock } from "../../clock.ts";
import { copyData } from "../../storage/migrate/copy-data.ts";
import type { Cli } from "../client-command.ts";
import { counted, jsonText, megabytes } from "../output.ts";

interface Flags {
  readonly from: string;
  readonly to: string;
  readonly json?: boolean;
}

export function addMigrate(program: Command, cli: Cli): void {
  program
    .command("migrate")
    .summary("move all data into PostgreSQL, or back")
    .description(
      "Copies all that a stopped server keeps to another place, which must be empty, and reads it back to prove that it is the same. A place is a data folder, or the address of a PostgreSQL database. The old place stays as it is.",
    )
    .requiredOption("--from <place>", "where the data is")
    .requiredOption("--to <place>", "where it shall be")
    .option("--json", "print the report as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  mcm migrate --from ./data --to postgres://mcm@localhost/mcm\n  mcm migrate --from postgres://mcm@localhost/mcm --to ./data",
    )
    .action(async ({ from, to, json = false }: Flags) => {
      const progress = cli.io.startProgress("Copying", "bytes");
      const onProgress = (done: number, total: number): void => progress.update(done, total);
      try {
        const report = await copyData(from, to, { clock: systemClock, onProgress });
        progress.stop();
        if (json) return cli.io.out(jsonText({ ...report }));
        const { contexts, records, bytes } = report;
        const what = `${counted(contexts, "context")}, ${counted(records, "record")}, ${megabytes(bytes)}`;
        cli.io.out(`${what} copied, read back and found the same. Start the server on the new place.`);
      } finally {
        progress.stop();
      }
    });
}
