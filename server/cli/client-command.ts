/**
 * What all commands that talk to a server have in common: the options --url, --actor, --token-file and --json, and
 * checks of arguments.
 *
 * Not here: the commands.
 */
import { InvalidArgumentError, Option } from "commander";
import type { Command } from "commander";
import { ConfigError } from "../config.ts";
import { addTokenFileOption, tokenSourceOf } from "./bearer-token.ts";
import type { TokenFlags } from "./bearer-token.ts";
import type { CliIo } from "./io.ts";
import type { Colors } from "./output.ts";
import { RestClient } from "./rest-client.ts";
import type { RestTarget } from "./rest-client.ts";

const DEFAULT_URL = "http://127.0.0.1:4400";

export interface Cli {
  readonly io: CliIo;
  readonly color: Colors;
  /** The command line, without node and script. */
  readonly args: readonly string[];
  /** Makes this the exit code, unless the program fails. */
  readonly endWith: (code: number) => void;
}

export interface ClientFlags extends TokenFlags {
  readonly url?: string;
  readonly actor?: string;
  readonly json?: boolean;
}

export function addClientOptions(command: Command): Command {
  command.addOption(addressOption(`the server (env MCM_URL, default ${DEFAULT_URL})`)).addOption(nameOption());
  return addTokenFileOption(command).option("--json", "print JSON, as the server says it");
}

export function addressOption(meaning: string): Option {
  return new Option("--url <url>", meaning).argParser(httpUrl);
}

export function nameOption(): Option {
  return new Option("--actor <name>", "who you are, where the server takes your word for it (env MCM_ACTOR)");
}

/** @throws {ConfigError} */
export function clientOf(cli: Cli, flags: ClientFlags): RestClient {
  return new RestClient(targetOf(cli, flags), (address, init) => cli.io.fetch(address, init));
}

/** @throws {ConfigError} */
export function targetOf(cli: Cli, flags: ClientFlags): RestTarget {
  const { url = DEFAULT_URL, ...target } = namedTargetOf(cli, flags);
  return { url, ...target };
}

/** As targetOf, without a server when none is named. @throws {ConfigError} */
export function namedTargetOf({ io }: Cli, flags: ClientFlags): Omit<RestTarget, "url"> & { readonly url?: string } {
  const { MCM_URL: url = "", MCM_ACTOR: actor = "" } = io.environment;
  if (url !== "" && !isHttpUrl(url)) throw new ConfigError([`MCM_URL must be an address such as ${DEFAULT_URL}.`]);
  const named = flags.url ?? url;
  return {
    ...(named === "" ? {} : { url: withoutSlash(named) }),
    actor: flags.actor ?? (actor || undefined),
    token: tokenSourceOf(io, flags),
  };
}

/** For commander: a whole number not below `min`. */
export function wholeNumber(min: number): (text: string) => number {
  return (text) => {
    if (!/^\d{1,15}$/.test(text) || Number(text) < min)
      throw new InvalidArgumentError(`It must be a whole number from ${min} up.`);
    return Number(text);
  };
}

/** For commander: an option that may be given several times. */
export function collect(value: string, former: readonly string[] = []): string[] {
  return [...former, value];
}

function httpUrl(text: string): string {
  if (!isHttpUrl(text)) throw new InvalidArgumentError(`It must be an address such as ${DEFAULT_URL}.`);
  return text;
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && ["http:", "https:"].includes(new URL(text).protocol);
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}
