/**
 * The token that a command shows to the server: from MCM_TOKEN, or a file. Never from the command line, which everybody on the
 * machine can see.
 *
 * The file is read again for each request, so that a long `watch` goes on with a token that was renewed in it. What can be read
 * only once (a pipe) counts for as long as the command runs.
 *
 * Not here: making tokens (commands/token.ts).
 */
import { resolve } from "node:path";
import type { Command } from "commander";
import { ConfigError } from "../config.ts";
import type { Environment } from "../config.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { CliIo } from "./io.ts";

export interface TokenFlags {
  readonly tokenFile?: string;
}

export interface TokenSource {
  /** Undefined when none was given. @throws {ConfigError} */
  read(): Promise<string | undefined>;
  /** How a command that is run by this one comes to the same token. */
  readonly environment: Environment;
}

/** RFC 6750 §2.1; in a header nothing else is safe. */
const TOKEN = /^[\w.~+/-]+=*$/;

export function addTokenFileOption(command: Command): Command {
  return command.option(
    "--token-file <file>",
    "file that holds your token (env MCM_TOKEN_FILE; MCM_TOKEN is a token itself)",
  );
}

export function tokenSourceOf(io: Pick<CliIo, "environment" | "read">, { tokenFile }: TokenFlags): TokenSource {
  const { MCM_TOKEN: token = "", MCM_TOKEN_FILE: file = "" } = io.environment;
  if (tokenFile !== undefined) {
    const environment = { MCM_TOKEN: undefined, MCM_TOKEN_FILE: resolve(tokenFile) };
    return { read: fileReader(io, tokenFile, "--token-file"), environment };
  }
  if (token !== "") return { read: async () => checked(token.trim(), "MCM_TOKEN"), environment: {} };
  return { read: file === "" ? async () => undefined : fileReader(io, file, "MCM_TOKEN_FILE"), environment: {} };
}

function fileReader(io: Pick<CliIo, "read">, path: string, name: string): () => Promise<string> {
  let last = "";
  return async () => {
    const text = await io.read(path).catch((error: unknown) => {
      throw new ConfigError([`${name} names a file that cannot be read (${String(error)}).`]);
    });
    last = text.trim() || last;
    return checked(last, name);
  };
}

function checked(token: string, name: string): string {
  if (token.length <= LIMITS.tokenCharsMax && TOKEN.test(token)) return token;
  throw new ConfigError([
    `${name} holds no token: it must be 1 to ${LIMITS.tokenCharsMax} letters, digits and ._~+/-. Make one with 'mcm token create', or get one from whoever runs the server.`,
  ]);
}
