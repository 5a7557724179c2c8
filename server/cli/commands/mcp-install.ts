/**
 * `mcm mcp install`: tells an agent host of the MCP server, by printing what to put where, or by putting it there.
 *
 * Not here: what each host wants (mcp/host-configs.ts).
 */
import { homedir } from "node:os";
import { InvalidArgumentError, Option } from "commander";
import type { Command } from "commander";
import type { TokenFlags } from "../bearer-token.ts";
import { addressOption, namedTargetOf } from "../client-command.ts";
import type { Cli } from "../client-command.ts";
import { HOSTS, hostFile, withServer } from "../mcp/host-configs.ts";
import type { HostName, McpEntry } from "../mcp/host-configs.ts";

interface InstallFlags extends TokenFlags {
  readonly host: HostName;
  readonly name: string;
  readonly file?: string;
  readonly url?: string;
  readonly write?: boolean;
}

const EXAMPLES = `
Examples:
  mcm mcp install --host cursor
  mcm mcp install --host codex --write
  mcm mcp install --host vscode --url http://127.0.0.1:4400 --write`;

export function addInstall(mcp: Command, cli: Cli): void {
  mcp
    .command("install")
    .summary("tell a host of the server")
    .description(
      "Prints what an agent host needs to know, and where it belongs; with --write adds it to the host's file.",
    )
    .addOption(new Option("--host <host>", "which host").choices(HOSTS).makeOptionMandatory())
    .addOption(addressOption("a server that the host is to go to, instead of starting one (env MCM_URL)"))
    .addOption(new Option("--name <name>", "what the host calls it").default("contexts").argParser(serverName))
    .option("--file <path>", "another file than the host's usual one")
    .option("--write", "add it to the file; what else is there stays")
    .addHelpText("after", EXAMPLES)
    .action((flags: InstallFlags) => install(cli, flags));
}

async function install(cli: Cli, flags: InstallFlags): Promise<void> {
  const { io, color } = cli;
  const { url, token } = namedTargetOf(cli, flags);
  const hasToken = (await token.read()) !== undefined;
  const entry: McpEntry =
    url === undefined
      ? { kind: "command", command: "npx", args: ["-y", "mcp-context-manager", "mcp"] }
      : { kind: "url", url: `${url}/mcp`, hasToken };
  const { host, name } = flags;
  const path = flags.file ?? hostFile(host).replace(/^~(?=\/)/, homedir());
  if (flags.write !== true) {
    io.out(withServer(host, "", { name, entry }).trimEnd());
    io.err(color.dim(`Add it to ${path}, or let --write do it.`));
    return;
  }
  const before = await io.read(path).catch(unlessMissing);
  const after = withServer(host, before, { name, entry });
  if (after !== before) await io.write(path, after);
  io.err(after === before ? `${path} has it already.` : `Added to ${path}. Start the host anew.`);
}

function serverName(text: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(text)) return text;
  throw new InvalidArgumentError("It must be letters, digits, '_' and '-'.");
}

function unlessMissing(error: unknown): string {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
  throw error;
}
