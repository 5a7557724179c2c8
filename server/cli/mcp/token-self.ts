/**
 * Whose a token is and what it allows, read from its claims and not verified: the server does that with every request.
 */
import { isJsonObject } from "../../../shared/json.ts";
import { isScope, SCOPES } from "../../../shared/permission.ts";
import type { Self } from "../../transport/mcp/contexts.ts";

/** A token that says nothing readable is taken for one that allows everything: the server refuses what it does not. */
export function selfOfToken(token: string): Self {
  const { sub, scope, scp } = claimsOf(token);
  const scopes = [scope, scp].flatMap((one) =>
    typeof one === "string" ? one.split(" ") : Array.isArray(one) ? one : [],
  );
  const known = scopes.filter((one): one is string => typeof one === "string").filter(isScope);
  return {
    actor: typeof sub === "string" ? sub : "",
    scopes: scope === undefined && scp === undefined ? SCOPES : known,
  };
}

function claimsOf(token: string): Readonly<Record<string, unknown>> {
  const [, payload = ""] = token.split(".");
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
    return isJsonObject(claims) ? claims : {};
  } catch {
    return {};
  }
}
