/**
 * Scopes and grants as people type them: `read`, and `plan-*:writer:/tasks,/notes`.
 */
import { InvalidArgumentError } from "commander";
import { isScope, ROLES, SCOPES } from "../../shared/permission.ts";
import type { Scope, TokenGrant } from "../../shared/permission.ts";

/** An id has no slash, and a path begins with / or @: so neither colons in ids nor commas in paths are a riddle. */
const GRANT = new RegExp(`^([^/@,]+):(${ROLES.join("|")})(?::([/@].*))?$`, "s");

/** For commander: one or several scopes, with commas or spaces between; may be given several times. */
export function collectScopes(text: string, former: readonly Scope[] = []): Scope[] {
  const words = text.split(/[\s,]+/).filter((word) => word !== "");
  const scopes = words.map((word) => (word.includes(":") ? word : `contexts:${word}`)).filter(isScope);
  if (words.length === 0 || scopes.length < words.length) {
    throw new InvalidArgumentError(`It must be of: ${SCOPES.join(", ")} (or read, write, admin).`);
  }
  return [...new Set([...former, ...scopes])];
}

/** For commander: one grant; may be given several times. */
export function collectGrants(text: string, former: readonly TokenGrant[] = []): TokenGrant[] {
  const [, id = "", roleName, list] = GRANT.exec(text) ?? [];
  const role = ROLES.find((name) => name === roleName);
  if (role === undefined) {
    throw new InvalidArgumentError("It must be id:role or id:writer:/path,/path; roles are reader, writer and admin.");
  }
  return [...former, { id, role, ...(list === undefined ? {} : { paths: list.split(/,(?=[/@])/) }) }];
}

/** The inverse, for people. */
export function grantText({ id, role, paths }: TokenGrant): string {
  return paths === undefined ? `${id}:${role}` : `${id}:${role}:${paths.join(",")}`;
}
