/**
 * What all commands that talk to a server have in common: the options --url, --actor and --json, and checks of arguments.
 *
 * Not here: the commands.
 */
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import type { CliIo } from "./io.ts";
import type { Colors } from "./output.ts";
import { RestClient } from "./rest-client.ts";

const DEFAULT_URL = "http://127.0.0.1:4400";

export interface Cli {
  readonly io: CliIo;
  readonly color: Colors;
}

export interface ClientFlags {
  readonly url: string;
  readonly actor?: string;
  readonly json?: boolean;
}

export function addClientOptions(command: Command, { io }: Cli): Command {
  const { MCM_URL: url = DEFAULT_URL, MCM_ACTOR: actor } = io.environment;
  return command
    .option("--url <url>", "the server (env MCM_URL)", httpUrl, httpUrl(url))
    .option("--actor <name>", "who you are (env MCM_ACTOR)", actor)
    .option("--json", "print JSON, as the server says it");
}

export function clientOf({ io }: Cli, { url, actor }: ClientFlags): RestClient {
  return new RestClient({ url, actor }, (address, init) => io.fetch(address, init));
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
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new InvalidArgumentError(`It must be an address such as ${DEFAULT_URL}.`);
  }
  return text.replace(/\/+$/, "");
}
