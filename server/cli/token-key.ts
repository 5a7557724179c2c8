/**
 * The key that `mcm token` works with: found and checked as a server of mode `jwt` does it, so that what is made here is taken
 * there. A private key is only for making tokens; servers have none.
 *
 * Not here: what a key must be (server/security/own-key.ts), precedence (server/config.ts).
 */
import type { Command } from "commander";
import { ConfigError, loadConfig } from "../config.ts";
import type { Environment } from "../config.ts";
import { SETTINGS } from "../config-settings.ts";
import { BadKey, privateKeyOf } from "../security/own-key.ts";
import type { OwnKey } from "../security/own-key.ts";
import type { CliIo } from "./io.ts";

export interface SecretFlags {
  readonly jwtSecretFile?: string;
  readonly audience?: string;
}

export interface SigningFlags extends SecretFlags {
  readonly privateKey?: string;
}

export interface CheckingFlags extends SecretFlags {
  readonly jwtPublicKey?: string;
}

/** A key, and the names of the server that it is for. */
export interface TokenKey {
  readonly key: OwnKey;
  readonly audiences: readonly string[];
}

const SECRET_VARIABLES = ["MCM_JWT_SECRET", "MCM_JWT_SECRET_FILE"];

export function addSecretOptions(command: Command): Command {
  return command
    .option(
      "--jwt-secret-file <file>",
      "file that holds the server's secret (env MCM_JWT_SECRET_FILE, or MCM_JWT_SECRET)",
    )
    .option("--audience <name>", `the server it is for (env MCM_AUDIENCE, default ${SETTINGS.audience.default})`);
}

/** The key to sign with; undefined when none is given. @throws {ConfigError} */
export async function signingKey(io: CliIo, flags: SigningFlags): Promise<TokenKey | undefined> {
  const { privateKey, ...rest } = flags;
  if (privateKey === undefined) return ownKey(io, rest, SECRET_VARIABLES);
  if (rest.jwtSecretFile !== undefined) {
    throw new ConfigError(["--private-key and --jwt-secret-file are set, but a token is signed with one key."]);
  }
  const { MCM_AUDIENCE: names = "" } = io.environment;
  const audience = rest.audience ?? (names || SETTINGS.audience.default);
  return { key: await privateKeyAt(io, privateKey), audiences: audience.split(",") };
}

/** The key to check with; undefined when none is given. @throws {ConfigError} */
export function checkingKey(io: CliIo, flags: CheckingFlags): Promise<TokenKey | undefined> {
  return ownKey(io, flags, [...SECRET_VARIABLES, "MCM_JWT_PUBLIC_KEY"]);
}

async function ownKey(io: CliIo, flags: CheckingFlags, variables: readonly string[]): Promise<TokenKey | undefined> {
  const { jwtSecretFile, jwtPublicKey, audience } = flags;
  const isGiven = (name: string): boolean => (io.environment[name] ?? "") !== "";
  if (jwtSecretFile === undefined && jwtPublicKey === undefined && !variables.some(isGiven)) return undefined;
  const environment: Environment = Object.fromEntries(
    [...variables, "MCM_AUDIENCE"].map((name) => [name, io.environment[name]]),
  );
  const settings = { auth: "jwt", jwtSecretFile, jwtPublicKey, audience };
  const { auth } = await loadConfig(settings, environment, (path) => io.read(path));
  return auth.mode === "jwt" ? auth : undefined;
}

async function privateKeyAt(io: CliIo, path: string): Promise<OwnKey> {
  const pem = await io.read(path);
  try {
    return privateKeyOf(pem);
  } catch (error) {
    if (!(error instanceof BadKey)) throw error;
    throw new ConfigError([`--private-key ${error.message}`]);
  }
}
