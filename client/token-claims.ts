/**
 * What a token says of itself. It is read, not believed: the server alone verifies it.
 */
import { isJsonObject } from "../shared/json.ts";
import type { JsonObject } from "../shared/json.ts";

/** Of the token's bearer, if it is a JWT that says. */
export function subjectOf(token: string): string | undefined {
  const { sub } = claimsOf(token);
  return typeof sub === "string" ? sub : undefined;
}

/** When it ends, milliseconds since 1970, if it is a JWT that says. */
export function endOf(token: string): number | undefined {
  const { exp } = claimsOf(token);
  return typeof exp === "number" ? exp * 1000 : undefined;
}

function claimsOf(token: string): JsonObject {
  const [, payload = ""] = token.split(".");
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (char) =>
      char.charCodeAt(0),
    );
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isJsonObject(claims) ? claims : {};
  } catch {
    return {};
  }
}
