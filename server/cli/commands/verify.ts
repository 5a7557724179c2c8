/**
 * `mcm verify`: reads a data folder or a backup through and says whether it is whole.
 *
 * Not here: what is checked (server/storage/verify).
 */
import type { Command } from "commander";
import { verifyFolder } from "../../storage/verify/verify-folder.ts";
import type { VerifyReport } from "../../storage/verify/verify-folder.ts";
import type { Cli } from "../client-command.ts";
import { EXIT } from "../exit-codes.ts";
import { counted, jsonText, megabytes, safe } from "../output.ts";

export function addVerify(program: Command, cli: Cli): void {
  program
    .command("verify")
    .summary("check a data folder or a backup")
    .description(
      "Reads every record of a data folder or a backup and plays the log of each context again. It writes nothing; the folder's server must be stopped. Exit code 5 when something is damaged.",
    )
    .argument("<folder>", "a data folder, or the --out of a backup")
    .option("--json", "print the report as JSON")
    .addHelpText("after", "\nExamples:\n  mcm verify /backups/monday\n  mcm verify ./data --json | jq .damaged")
    .action(async (folder: string, flags: { readonly json?: boolean }) => {
      const progress = cli.io.startProgress("Verifying", "contexts");
      const startedAtMs = cli.io.monotonicMs();
      let report: VerifyReport;
      try {
        report = await verifyFolder(folder, { onProgress: (done, total) => progress.update(done, total) });
      } finally {
        progress.stop();
      }
      const ms = Math.max(1, cli.io.monotonicMs() - startedAtMs);
      if (!report.isSound) cli.endWith(EXIT.damaged);
      if (flags.json === true) return cli.io.out(jsonText({ ...report, ms: Math.round(ms) }));
      for (const line of linesOf(report)) cli.io.out(line);
      const { contexts, entries, checkpoints, bytes, isSound } = report;
      const read = `${counted(contexts, "context")}, ${counted(entries, "entry", "entries")}, ${counted(checkpoints, "checkpoint")}`;
      const speed = `${megabytes(bytes)} in ${(ms / 1000).toFixed(1)} s, ${megabytes((bytes / ms) * 1000)}/s`;
      cli.io.out(`${folder} is ${isSound ? cli.color.green("whole") : cli.color.red("damaged")}: ${read} (${speed})`);
    });
}

function linesOf({ problems, damaged, backup }: VerifyReport): readonly string[] {
  return [
    ...(backup === undefined || backup.isUntouched
      ? []
      : ["It was a backup; a server has opened it since, so it holds more than what was backed up."]),
    ...problems.map((problem) => safe(problem)),
    ...damaged.flatMap(({ id, version, problems: own, saved }) => [
      `Context "${id}"${version === undefined ? "" : `, version ${version}`}:`,
      ...own.map((problem) => `  ${safe(problem)}`),
      ...(saved === undefined ? [] : [`  Can be read: ${saved}`]),
    ]),
  ];
}
