/**
 * `mcm token revoke` and `mcm token revocations`: ends tokens before their time, and lists what was ended.
 */
import type { Command } from "commander";
import type { RevocationList, RevocationView } from "../../../shared/protocol/rest-access.ts";
import { decodeToken } from "../../security/decode-token.ts";
import { addClientOptions, clientOf } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { jsonText, safe, table } from "../output.ts";
import type { Colors } from "../output.ts";
import { addTokenArgument, tokenArgument } from "../token-argument.ts";

interface RevokeFlags extends ClientFlags {
  readonly id?: string;
  readonly subject?: string;
  readonly reason?: string;
}

const EXAMPLES = `
Examples:
  mcm token revoke - < lost.token --reason 'laptop stolen'
  mcm token revoke --id 0f3c9a52-6f0c-4f7e-9a55-7a4d3c1b2e10
  mcm token revoke --subject agent-7`;

export function addRevoke(group: Command, cli: Cli): void {
  const command = group
    .command("revoke")
    .description("Ends a token, or all tokens that an actor has now; what they have open ends too.")
    .option("--id <jti>", "the token's id, instead of the token")
    .option("--subject <name>", "all tokens of this actor that were issued until now")
    .option("--reason <text>", "why; kept with it")
    .addHelpText("after", EXAMPLES);
  addTokenArgument(command, "");
  addClientOptions(command).action(async (argument: string | undefined, flags: RevokeFlags, self: Command) => {
    const { id, subject, reason, json } = flags;
    if ([argument, id, subject].filter((it) => it !== undefined).length !== 1) {
      return self.error("error: say what to revoke: a token ('-' for stdin), --id or --subject");
    }
    const what = argument === undefined ? { tokenId: id, subject } : await identified(cli, argument, self);
    const result = await clientOf(cli, flags).revoke({ subject: undefined, expiresAt: undefined, ...what, reason });
    if (json === true) return cli.io.out(jsonText(result));
    const { revocation } = result;
    cli.io.out(
      revocation.tokenId === undefined
        ? `All tokens of ${safe(revocation.subject ?? "")} issued until ${revocation.revokedAt} are revoked`
        : `Token ${safe(revocation.tokenId)} is revoked`,
    );
  });
}

/** A token's id, and when it ends by itself. It is not checked: who may revoke may revoke any. */
async function identified(cli: Cli, argument: string, self: Command) {
  const { claims } = decodeToken((await tokenArgument(cli.io, argument, {})) ?? "");
  const { jti, exp } = claims;
  if (typeof jti !== "string") {
    return self.error("error: this token has no id (jti); revoke all tokens of its actor with --subject");
  }
  const end = new Date(typeof exp === "number" ? exp * 1000 : Number.NaN);
  return { tokenId: jti, expiresAt: Number.isNaN(end.getTime()) ? undefined : end.toISOString() };
}

export function addRevocations(group: Command, cli: Cli): void {
  const command = group
    .command("revocations")
    .description("Lists the revocations that are in force.")
    .addHelpText("after", "\nExamples:\n  mcm token revocations\n  mcm token revocations --json");
  addClientOptions(command).action(async (flags: ClientFlags) => {
    const all = await clientOf(cli, flags).revocations();
    if (flags.json === true) return cli.io.out(jsonText(all));
    if (all.revocations.length === 0) return cli.io.err("No revocations.");
    cli.io.out(revocationTable(all, cli.color));
  });
}

function revocationTable({ revocations }: RevocationList, color: Colors): string {
  return table([["WHAT", "WHICH", "REVOKED", "BY", "ENDS", "REASON"], ...revocations.map(revocationRow)], color);
}

function revocationRow({
  tokenId,
  subject = "",
  revokedAt,
  revokedBy,
  expiresAt,
  reason = "",
}: RevocationView): string[] {
  const [what, which] = tokenId === undefined ? ["actor", subject] : ["token", tokenId];
  return [what, safe(which), revokedAt, safe(revokedBy), expiresAt ?? "", safe(reason)];
}
