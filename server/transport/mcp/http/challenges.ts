/**
 * What a client is told that must prove who it is, or that may do less than it asks for (RFC 6750, RFC 9728).
 *
 * Where to get a token is said only when an identity provider is configured: the server itself issues none over HTTP.
 *
 * Not here: verifying tokens (server/security).
 */
import { ServiceError } from "../../../../shared/errors.ts";
import { SCOPES } from "../../../../shared/permission.ts";
import type { Scope } from "../../../../shared/permission.ts";
import { refusedResponse } from "./rpc-response.ts";
import type { RpcId } from "./rpc-response.ts";

/** RFC 9728 §3.1: the path of the resource goes behind the well-known one. */
export const METADATA_PATHS = [
  "/.well-known/oauth-protected-resource",
  "/.well-known/oauth-protected-resource/mcp",
] as const;

export interface ProtectedResource {
  /** Where clients reach the server, without a slash at the end. */
  readonly publicUrl: string;
  /** Of the identity provider. */
  readonly issuer: string;
}

/** What everybody needs to begin with; what a call needs beyond is said when it comes. */
const FIRST_SCOPES: readonly Scope[] = ["contexts:read", "contexts:write"];

export function metadataOf({ publicUrl, issuer }: ProtectedResource): Response {
  const metadata = {
    resource: `${publicUrl}/mcp`,
    authorization_servers: [issuer],
    scopes_supported: SCOPES,
    bearer_methods_supported: ["header"],
    resource_name: "mcp-context-manager",
  };
  return new Response(JSON.stringify(metadata), {
    headers: {
      "content-type": "application/json",
      "cache-control": "max-age=3600",
      // it is for everybody, pages too
      "access-control-allow-origin": "*",
    },
  });
}

/** Nobody has proven who they are. */
export function unauthenticated(error: ServiceError, resource: ProtectedResource | undefined): Response {
  const isMissing = error.details["rule"] === "missing";
  return refusedResponse(error, {
    headers: {
      "www-authenticate": challenge(resource, {
        ...(isMissing ? {} : { error: "invalid_token" }),
        scope: FIRST_SCOPES.join(" "),
      }),
    },
  });
}

/** The token allows less than the call needs: a client that can may come again with one for all of these scopes. */
export function insufficientScope(
  needed: Scope,
  held: readonly string[],
  { resource, id }: { readonly resource: ProtectedResource | undefined; readonly id: RpcId },
): Response {
  const scope = SCOPES.filter((one) => one === needed || held.includes(one)).join(" ");
  const error = new ServiceError("FORBIDDEN", `The token lacks the scope ${needed}. Use a token that has it.`, {
    details: { rule: "scope", scope: needed },
  });
  return refusedResponse(error, {
    id,
    headers: { "www-authenticate": challenge(resource, { error: "insufficient_scope", scope }) },
  });
}

function challenge(resource: ProtectedResource | undefined, fields: Readonly<Record<string, string>>): string {
  const all = {
    ...fields,
    ...(resource === undefined ? {} : { resource_metadata: `${resource.publicUrl}${METADATA_PATHS[1]}` }),
  };
  return `Bearer ${Object.entries(all)
    .map(([name, value]) => `${name}="${value}"`)
    .join(", ")}`;
}
