/**
 * Under which locks a command writes: --lock-token, or what `mcm lock` says to the command that it runs.
 *
 * Not here: taking locks (commands/lock.ts).
 */
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import { ConfigError } from "../config.ts";
import type { Environment } from "../config.ts";
import type { LockView } from "../../shared/protocol/rest-locks.ts";
import type { Cli } from "./client-command.ts";

export interface LockTokenFlags {
  readonly lockToken?: string;
}

const TOKENS = /^[1-9]\d{0,14}( *, *[1-9]\d{0,14})*$/;

export function addLockTokenOption(command: Command): Command {
  return command.option(
    "--lock-token <tokens>",
    "write under locks that you hold: their tokens, with commas between (env MCM_LOCK_TOKEN)",
    (text) => {
      if (!TOKENS.test(text)) throw new InvalidArgumentError("It must be a token such as 17, or several: 17,18.");
      return text;
    },
  );
}

/** Tokens for a write in this context: those of the environment are for the context that it names. @throws {ConfigError} */
export function lockTokensOf({ io }: Cli, id: string, { lockToken }: LockTokenFlags): string | undefined {
  if (lockToken !== undefined) return lockToken;
  const tokens = tokensIn(io.environment, id);
  if (tokens !== undefined && !TOKENS.test(tokens)) {
    throw new ConfigError(["MCM_LOCK_TOKEN must be a token of a lock such as 17, or several: 17,18."]);
  }
  return tokens;
}

/** What a command is told that runs under the lock; under several of one context, one in the other, it has all tokens. */
export function lockEnvironment(
  id: string,
  { lockId, fencingToken }: Pick<LockView, "lockId" | "fencingToken">,
  outer: Environment,
): Environment {
  const outerTokens = tokensIn(outer, id);
  return {
    MCM_LOCK_CONTEXT: id,
    MCM_LOCK_ID: lockId,
    MCM_LOCK_TOKEN: outerTokens === undefined ? String(fencingToken) : `${outerTokens},${fencingToken}`,
  };
}

function tokensIn(environment: Environment, id: string): string | undefined {
  const { MCM_LOCK_TOKEN: tokens = "", MCM_LOCK_CONTEXT: context = "" } = environment;
  return tokens === "" || (context !== "" && context !== id) ? undefined : tokens;
}
