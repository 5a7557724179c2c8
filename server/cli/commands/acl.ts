/**
 * `mcm acl`: who may do what with a context, shown and changed.
 *
 * A change is made to the list as it is read: of two at the same time the later one stands.
 *
 * Not here: what a list means (server/state/access).
 */
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import { ServiceError } from "../../../shared/errors.ts";
import { parsePath } from "../../../shared/path.ts";
import { ROLES } from "../../../shared/permission.ts";
import type { Grant } from "../../../shared/permission.ts";
import { aclRequestSchema } from "../../../shared/protocol/rest-access.ts";
import type { AclBody, AclView } from "../../../shared/protocol/rest-access.ts";
import { addClientOptions, clientOf, collect } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { jsonArgument } from "../json-argument.ts";
import { jsonText, pathsText, safe, table } from "../output.ts";
import type { Colors } from "../output.ts";

interface AclFlags extends ClientFlags {
  readonly grant?: readonly Grant[];
  readonly revoke?: readonly string[];
  readonly set?: string;
}

const EXAMPLES = `
Examples:
  mcm acl plan
  mcm acl plan --grant bob:writer:/notes,/tasks/t1 --grant '*:reader'
  mcm acl plan --revoke bob
  mcm acl plan --json > acl.json; mcm acl plan --set acl.json`;

export function addAcl(program: Command, cli: Cli): void {
  const command = program
    .command("acl")
    .summary("show or change who may do what with a context")
    .description(
      "Shows a context's access list, or changes it and shows what it is then. A change is in force at once, for what is open too. " +
        "The creator may do everything, listed or not.",
    )
    .argument("<id>", "the context's id")
    .option("--grant <principal:role[:paths]>", GRANT_MEANS, grantOf)
    .option("--revoke <principal>", "take away what it was granted", collect)
    .option("--set <path>", "replace the list by that of a JSON file, '-' for stdin")
    .addHelpText("after", EXAMPLES);
  addClientOptions(command).action(async (id: string, flags: AclFlags, self: Command) => {
    const list = await listOf(cli, id, flags, self);
    if (flags.json === true) return cli.io.out(jsonText(list));
    if (list.grants.length === 0) return cli.io.err("The list is empty.");
    cli.io.out(grantTable(list, cli.color));
  });
}

const GRANT_MEANS = `in the place of what it was granted: role ${ROLES.join(", ")}; of a writer perhaps paths, with commas between; principal * is everybody`;

async function listOf(cli: Cli, id: string, flags: AclFlags, command: Command): Promise<AclView> {
  const { grant = [], revoke = [], set } = flags;
  const client = clientOf(cli, flags);
  if (set === undefined && grant.length === 0 && revoke.length === 0) return client.acl(id);
  if (set !== undefined) {
    if (grant.length > 0 || revoke.length > 0) command.error("error: --set goes without --grant and --revoke");
    return client.setAcl(id, fileOf(await cli.io.read(set), set, command));
  }
  const { grants } = await client.acl(id);
  // a misspelt name must not look like a revocation
  const stranger = revoke.find((name) => !grants.some(({ principal }) => principal === name));
  if (stranger !== undefined) {
    const listed = [...new Set(grants.map(({ principal }) => principal))].join(", ") || "nobody";
    command.error(
      `error: ${safe(stranger)} is not in the list, which names ${safe(listed)}; nothing was changed. What a token grants ends with the token.`,
    );
  }
  const isReplaced = (name: string): boolean =>
    revoke.includes(name) || grant.some(({ principal }) => principal === name);
  const kept = grants.filter(({ principal }) => !isReplaced(principal));
  return client.setAcl(id, { grants: [...kept, ...grant.map(bodyOf)] });
}

/** For commander: the first role behind a colon ends the principal, which may have colons itself. */
function grantOf(text: string, former: readonly Grant[] = []): readonly Grant[] {
  const [, principal = "", name, rest] = /^(.+?):(reader|writer|admin)(?::(.*))?$/s.exec(text) ?? [];
  const role = ROLES.find((it) => it === name);
  if (role === undefined)
    throw new InvalidArgumentError(
      `It must be principal:role, with a role of ${ROLES.join(", ")}, such as bob:reader.`,
    );
  if (rest === undefined) return [...former, { principal, role }];
  if (role !== "writer")
    throw new InvalidArgumentError("Paths go with role writer: others read, or write, everywhere.");
  const paths = rest.split(",");
  for (const path of paths) assertPath(path);
  return [...former, { principal, role, paths }];
}

function assertPath(path: string): void {
  try {
    parsePath(path);
  } catch (error) {
    if (error instanceof ServiceError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

/** What a body holds is the caller's own. */
function bodyOf({ paths, ...grant }: Grant): AclBody["grants"][number] {
  return { ...grant, ...(paths === undefined ? {} : { paths: [...paths] }) };
}

function fileOf(text: string, file: string, command: Command): AclBody {
  const parsed = aclRequestSchema.safeParse(jsonArgument(text, file));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  return command.error(`error: ${file} is not an access list: ${issue?.path.join("/") ?? ""} ${issue?.message ?? ""}`);
}

function grantTable({ grants }: AclView, color: Colors): string {
  const rows = grants.map(({ principal, role, paths = [] }) => [safe(principal), role, pathsText(paths)]);
  return table([["PRINCIPAL", "ROLE", "PATHS"], ...rows], color);
}
