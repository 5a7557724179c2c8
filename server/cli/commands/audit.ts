/**
 * `mcm audit`: who did or was denied what on the server.
 */
import { InvalidArgumentError, Option } from "commander";
import type { Command } from "commander";
import { AUDIT_ACTIONS } from "../../../shared/audit.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { AuditEntryView } from "../../../shared/protocol/rest-audit.ts";
import { addClientOptions, clientOf, wholeNumber } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { duration } from "../duration.ts";
import { jsonText, pathsText, safe, table } from "../output.ts";
import type { Colors } from "../output.ts";

interface AuditFlags extends ClientFlags {
  readonly context?: string;
  readonly by?: string;
  readonly action?: string;
  readonly since?: string;
  readonly until?: string;
  readonly denied?: boolean;
  readonly limit?: number;
  readonly cursor?: string;
}

const EXAMPLES = `
Examples:
  mcm audit --denied --since 1h
  mcm audit --context plan --by agent-7
  mcm audit --action server.start --since 2026-11-01 --json`;

export function addAudit(program: Command, cli: Cli): void {
  const time = timeOf(cli);
  const command = program
    .command("audit")
    .summary("list who did or was denied what")
    .description("Lists entries of the server's audit log, newest first. For admins of the server.")
    .option("--context <id>", "only about this context")
    .option("--by <actor>", "only of this actor")
    .addOption(new Option("--action <name>", "only of this action").choices(Object.keys(AUDIT_ACTIONS)))
    .option("--denied", "only what was refused")
    .option("--since <time>", "only from this time on (ISO 8601), or so long ago: 30m, 12h, 7d", time)
    .option("--until <time>", "only up to this time", time)
    .option("--limit <count>", "at most so many", wholeNumber(1))
    .option("--cursor <entry>", "continue after this one")
    .addHelpText("after", EXAMPLES);
  addClientOptions(command).action(async (flags: AuditFlags) => {
    const { context, by: actor, action, since, until, denied, limit, cursor } = flags;
    const outcome = denied === true ? "denied" : undefined;
    const page = await clientOf(cli, flags).audit({ context, actor, action, since, until, outcome, limit, cursor });
    if (flags.json === true) return cli.io.out(jsonText(page));
    if (page.entries.length > 0) cli.io.out(auditTable(page.entries, cli.color));
    else cli.io.err(page.next === undefined ? "Nothing." : "Nothing so far.");
    if (page.next !== undefined) cli.io.err(`There may be more: add --cursor ${page.next}`);
  });
}

/** For commander: an ISO 8601 time, of a point in time or so long ago. */
function timeOf({ io }: Cli): (text: string) => string {
  const ago = duration(1, LIMITS.auditAgeMsMax);
  return (text) => {
    if (/^\d+[a-z]+$/.test(text)) return new Date(io.nowMs() - ago(text)).toISOString();
    const time = new Date(text);
    if (!Number.isNaN(time.getTime())) return time.toISOString();
    throw new InvalidArgumentError("It must be a time such as 2026-11-22T12:00:00Z, or how long ago: 30m, 12h, 7d.");
  };
}

function auditTable(entries: readonly AuditEntryView[], color: Colors): string {
  const rows = entries.map(({ at, action, outcome, actor = "", code = "", rule = "", address = "", ...entry }) => [
    at,
    safe(action),
    outcome,
    safe(actor),
    safe(address),
    `${entry.context ?? ""} ${pathsText(entry.paths ?? [])}`.trim(),
    safe(`${code} ${rule}`.trim()),
    entry.count === undefined ? "" : String(entry.count),
  ]);
  return table([["WHEN", "WHAT", "OUTCOME", "WHO", "FROM", "WHERE", "WHY", "COUNT"], ...rows], color);
}
