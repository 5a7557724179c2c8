/**
 * A token that a command is about: said, on stdin, or the one that is shown to the server.
 */
import type { Command } from "commander";
import { tokenSourceOf } from "./bearer-token.ts";
import type { TokenFlags } from "./bearer-token.ts";
import type { CliIo } from "./io.ts";

/** Undefined when there is none. */
export async function tokenArgument(
  io: CliIo,
  said: string | undefined,
  flags: TokenFlags,
): Promise<string | undefined> {
  if (said === undefined) return tokenSourceOf(io, flags).read();
  return said === "-" ? (await io.read("-")).trim() : said.trim();
}

export function addTokenArgument(command: Command, whatElse: string): Command {
  return command.argument("[token]", `the token, '-' for stdin${whatElse}`);
}
