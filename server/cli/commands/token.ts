/**
 * `mcm token`: makes tokens for servers of mode `jwt`, and says what a token is worth. Neither needs a server.
 *
 * The key comes from the environment or a file, never from the command line.
 *
 * Not here: revoking (revocations.ts).
 */
import type { Command } from "commander";
import { LIMITS } from "../../../shared/limits.ts";
import type { Scope, TokenGrant } from "../../../shared/permission.ts";
import { issueToken } from "../../security/issue-token.ts";
import { addTokenFileOption } from "../bearer-token.ts";
import type { TokenFlags } from "../bearer-token.ts";
import type { Cli } from "../client-command.ts";
import { duration, said } from "../duration.ts";
import { EXIT } from "../exit-codes.ts";
import { jsonText } from "../output.ts";
import { addTokenArgument, tokenArgument } from "../token-argument.ts";
import { collectGrants, collectScopes } from "../token-grants.ts";
import { addSecretOptions, checkingKey, signingKey } from "../token-key.ts";
import type { CheckingFlags, SigningFlags } from "../token-key.ts";
import { reportJson, reportOn, reportText } from "../token-report.ts";
import { addRevocations, addRevoke } from "./revocations.ts";

interface CreateFlags extends SigningFlags {
  readonly sub: string;
  readonly name?: string;
  readonly scope?: readonly Scope[];
  readonly context?: readonly TokenGrant[];
  readonly ttl?: number;
  readonly json?: boolean;
}

interface InspectFlags extends CheckingFlags, TokenFlags {
  readonly json?: boolean;
}

const DEFAULT_SCOPES: readonly Scope[] = ["contexts:read", "contexts:write"];

const CREATE_EXAMPLES = `
Examples:
  export MCM_JWT_SECRET=$(openssl rand -base64 48)
  mcm token create --sub ada > ada.token
  mcm token create --sub reviewer --scope read --context 'plan-*:reader' --ttl 12h
  mcm token create --sub agent-7 --context plan:writer:/tasks,/notes --jwt-secret-file /run/secrets/mcm`;

const GROUP_EXAMPLES = `
Examples:
  mcm token create --sub ada --ttl 30d > ada.token
  mcm token inspect - < ada.token
  mcm list --token-file ada.token
  mcm token revoke - < ada.token`;

export function addToken(program: Command, cli: Cli): void {
  const group = program
    .command("token")
    .summary("make, inspect and revoke tokens")
    .description("Tokens: how callers prove who they are to a server that asks for it.")
    .addHelpText("after", GROUP_EXAMPLES);
  addCreate(group, cli);
  addInspect(group, cli);
  addRevoke(group, cli);
  addRevocations(group, cli);
}

function addCreate(group: Command, cli: Cli): void {
  const command = group
    .command("create")
    .description("Makes a token, signed with the server's secret or a private key, and prints it.")
    .requiredOption("--sub <name>", "whose token it is: the actor")
    .option("--name <name>", "the actor's name for people")
    .option("--scope <scopes>", "what it may do: read, write, admin (default read,write)", collectScopes)
    .option(
      "--context <grant>",
      "contexts that it grants by itself: id:role or id:writer:/path,/path; * in ids",
      collectGrants,
    )
    .option(
      "--ttl <duration>",
      `how long it lasts (default ${said(LIMITS.tokenLifetimeMsDefault)})`,
      duration(1000, LIMITS.tokenLifetimeMsMax),
    )
    .option("--private-key <file>", "PEM file to sign with, for servers with --jwt-public-key")
    .option("--json", "print the token, its id and its end as JSON")
    .addHelpText("after", CREATE_EXAMPLES);
  addSecretOptions(command).action(async (flags: CreateFlags, self: Command) => {
    const found = await signingKey(cli.io, flags);
    if (found === undefined) self.error("error: say the key: MCM_JWT_SECRET, --jwt-secret-file or --private-key");
    const { token, tokenId, expiresAtMs } = await issueToken({
      key: found.key,
      claims: claimsOf(flags, found.audiences),
      nowMs: cli.io.nowMs(),
      tokenId: cli.io.newId(),
    });
    const expiresAt = new Date(expiresAtMs).toISOString();
    if (flags.json === true) return cli.io.out(jsonText({ token, tokenId, expiresAt }));
    cli.io.out(token);
    cli.io.err(cli.color.dim(`Token ${tokenId} ends at ${expiresAt}. Whoever has it acts as ${jsonText(flags.sub)}.`));
  });
}

function claimsOf({ sub, name, scope, context = [], ttl }: CreateFlags, [audience = ""]: readonly string[]) {
  return {
    subject: sub,
    audience,
    scopes: scope ?? DEFAULT_SCOPES,
    grants: context,
    ...(name === undefined ? {} : { name }),
    lifetimeMs: ttl ?? LIMITS.tokenLifetimeMsDefault,
  };
}

function addInspect(group: Command, cli: Cli): void {
  const command = group
    .command("inspect")
    .description("Says what a token claims, how long it lasts, and, with a key at hand, whether a server takes it.")
    .option("--jwt-public-key <file>", "PEM file to check it with (env MCM_JWT_PUBLIC_KEY)")
    .option("--json", "print verdict, header and claims as JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  mcm token inspect - < ada.token\n  mcm token inspect --json --token-file ada.token",
    );
  addTokenArgument(command, "; else that of --token-file or MCM_TOKEN");
  addTokenFileOption(addSecretOptions(command)).action(
    async (argument: string | undefined, flags: InspectFlags, self: Command) => {
      const token = await tokenArgument(cli.io, argument, flags);
      if (token === undefined) self.error("error: say the token, '-' for stdin, --token-file or MCM_TOKEN");
      const nowMs = cli.io.nowMs();
      const report = await reportOn(token, await checkingKey(cli.io, flags), nowMs);
      cli.io.out(flags.json === true ? jsonText(reportJson(report)) : reportText(report, nowMs, cli.color));
      if (report.verdict === "refused") cli.endWith(EXIT.refused);
    },
  );
}
