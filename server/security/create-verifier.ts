/**
 * Which verifier a configuration asks for.
 *
 * Not here: where the settings come from (server/config.ts).
 */
import type { Clock } from "../clock.ts";
import { JwtVerifier } from "./jwt-verifier.ts";
import { OidcVerifier } from "./oidc-verifier.ts";
import type { OwnKey } from "./own-key.ts";
import type { TokenVerifier } from "./token-verifier.ts";

/** How callers prove who they are. `audiences`: names of this server, of which a token must bear one. */
export type AuthConfig =
  | { readonly mode: "open" }
  | { readonly mode: "jwt"; readonly audiences: readonly string[]; readonly key: OwnKey }
  | {
      readonly mode: "oidc";
      readonly audiences: readonly string[];
      readonly issuer: string;
      readonly jwksUrl?: string;
      readonly contextsClaim: string;
    };

interface Parts {
  readonly clock: Clock;
  /** More audiences: addresses of this server, such as that of /mcp (RFC 8707). */
  readonly resources?: readonly string[];
  /** Told of each failure to get an identity provider's keys. */
  readonly onIssuerFailure?: (error: unknown) => void;
}

/** None in mode `open`. */
export function createVerifier(
  auth: AuthConfig,
  { clock, resources = [], onIssuerFailure }: Parts,
): TokenVerifier | undefined {
  if (auth.mode === "open") return undefined;
  const audiences = [...auth.audiences, ...resources];
  if (auth.mode === "jwt") return new JwtVerifier({ key: auth.key, audiences, clock });
  const { issuer, jwksUrl, contextsClaim } = auth;
  return new OidcVerifier({ issuer, jwksUrl, audiences, contextsClaim, clock, onFailure: onIssuerFailure });
}
