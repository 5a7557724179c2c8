/**
 * `mcm mcp`: the MCP server for one host, on stdin and stdout.
 *
 * Everything heavy is loaded when the command runs: a host waits for it, and most processes never open a data folder.
 *
 * Not here: serving (mcp/serve-stdio.ts), the hosts' files (mcp-install.ts).
 */
import process from "node:process";
import { Option } from "commander";
import type { Command } from "commander";
import { SCOPES } from "../../../shared/permission.ts";
import { parseActor } from "../../../shared/ids.ts";
import { parseConfig } from "../../config.ts";
import { addTokenFileOption } from "../bearer-token.ts";
import type { TokenFlags } from "../bearer-token.ts";
import { addressOption, namedTargetOf, nameOption } from "../client-command.ts";
import type { Cli } from "../client-command.ts";
import type { StartHub } from "../mcp/hub.ts";
import type { Start } from "./serve.ts";
import { addInstall } from "./mcp-install.ts";

interface McpFlags extends TokenFlags {
  readonly url?: string;
  readonly actor?: string;
  readonly dataDir?: string;
  readonly tools: "all" | "core";
}

const DESCRIPTION = `An MCP server on stdin and stdout, for agent hosts to start.

Without --url nothing has to be set up: the contexts of this user are in one folder, all hosts and agents of the user share
them, and whichever process comes first serves the others.`;

const EXAMPLES = `
Examples:
  mcm mcp install --host claude-code --write
  mcm mcp --url https://contexts.example.org      (with MCM_TOKEN)
  mcm mcp --actor reviewer --tools core`;

export function addMcp(program: Command, cli: Cli, start: Start): void {
  const command = program
    .command("mcp")
    .summary("serve MCP to an agent host, or tell a host of it")
    .description(DESCRIPTION)
    .option(
      "--data-dir <path>",
      "the folder, when no server is named (env MCM_DATA_DIR, default: the user's data folder)",
    )
    .addOption(
      new Option("--tools <set>", "core leaves out what few agents need").choices(["all", "core"]).default("all"),
    )
    .addHelpText("after", EXAMPLES);
  command.addOption(addressOption("a server to work with (env MCM_URL)")).addOption(nameOption());
  addTokenFileOption(command);
  command.action((flags: McpFlags) => serve(cli, flags, start));
  addInstall(command, cli);
}

async function serve(cli: Cli, flags: McpFlags, start: Start): Promise<void> {
  const { io } = cli;
  const { url, actor: name, token } = namedTargetOf(cli, flags);
  const onError = (error: unknown): void => {
    if ((io.environment["MCM_LOG_LEVEL"] ?? "") === "debug") io.err(String(error));
  };
  const [{ serveStdio }, { UrlLine }, { selfOfToken }, { Hub }, place] = await Promise.all([
    import("../mcp/serve-stdio.ts"),
    import("../mcp/url-line.ts"),
    import("../mcp/token-self.ts"),
    import("../mcp/hub.ts"),
    import("../mcp/hub-place.ts"),
  ]);
  const shown = url === undefined ? undefined : await token.read();
  const named = name === undefined ? undefined : { actor: parseActor(name), scopes: SCOPES };
  const userId = process.getuid?.() ?? -1;
  const { environment } = io;
  const hubPlace = place.hubPlaceOf(
    place.dataDirOf(environment, process.platform, flags.dataDir),
    process.platform,
    userId,
  );
  await serveStdio({
    toolset: flags.tools,
    self: shown === undefined ? named : selfOfToken(shown),
    reach: ({ actor }) =>
      url === undefined
        ? new Hub({ place: hubPlace, actor, userId, start: starter(start, environment), io })
        : new UrlLine({ url, actor, token }, io),
    onError,
    onStop: (stop) => io.onStop(stop),
  });
}

/** A hub is for this user only: its socket proves who asks, so nobody has to prove it otherwise. */
function starter(start: Start, { MCM_LOG_LEVEL: logLevel = "warn" }: Cli["io"]["environment"]): StartHub {
  return ({ dataDir, socket }) => start(parseConfig({ dataDir, logLevel }, {}), { socket });
}
