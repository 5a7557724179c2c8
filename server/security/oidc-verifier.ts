/**
 * Verifies tokens of an OpenID Connect identity provider (mode `oidc`) with the keys that it publishes.
 *
 * Only key pairs: a provider that listed a shared secret would have told everybody.
 *
 * Not here: getting the keys (issuer-keys.ts), the checks (verify-token.ts).
 */
import { ServiceError } from "../../shared/errors.ts";
import type { Clock } from "../clock.ts";
import type { Identity } from "../state/access/identity.ts";
import type { Fetch } from "./issuer-answer.ts";
import { IssuerKeys } from "./issuer-keys.ts";
import type { TokenVerifier } from "./token-verifier.ts";
import { verifyToken } from "./verify-token.ts";
import type { TokenDemands } from "./verify-token.ts";

interface OidcVerifierOptions {
  /** Exactly as it stands in its tokens. */
  readonly issuer: string;
  readonly jwksUrl?: string | undefined;
  /** A token must name one of them. */
  readonly audiences: readonly string[];
  /** The claim that carries grants. */
  readonly contextsClaim?: string | undefined;
  readonly clock: Clock;
  readonly fetch?: Fetch;
  /** Told of each failure to get the keys. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];

export class OidcVerifier implements TokenVerifier {
  readonly #clock: Clock;
  readonly #keys: IssuerKeys;
  readonly #demands: TokenDemands;

  constructor(options: OidcVerifierOptions) {
    const { issuer, jwksUrl, audiences, contextsClaim, clock, onFailure = () => {} } = options;
    this.#clock = clock;
    this.#demands = { algorithms: ALGORITHMS, audiences, issuer, contextsClaim };
    this.#keys = new IssuerKeys({
      issuer,
      jwksUrl,
      clock,
      fetch: options.fetch ?? ((url, init) => fetch(url, init)),
      onFailure,
    });
  }

  async verify(token: string): Promise<Identity> {
    try {
      return await verifyToken(token, (header) => this.#keys.find(header), this.#demands, this.#clock.nowMs());
    } catch (error) {
      if (error instanceof ServiceError) throw error;
      // the token named a key that is listed, and is of no use: too short, damaged, for something else
      throw new ServiceError(
        "IDENTITY_UNAVAILABLE",
        "The identity provider lists a key that cannot be used to check this token. Try again later, and tell whoever runs the server.",
        { cause: error },
      );
    }
  }
}
