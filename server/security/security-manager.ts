/**
 * Who is let in: verifies what a request shows, and refuses what was revoked.
 *
 * Invariants (AUTH):
 *  1. On a server with authentication nobody has an identity but by a token that was verified and is not revoked.
 *
 * Not here: what an identity may do (state/access, access-guard.ts), ending what is open (context/access-watch.ts).
 */
import { ServiceError } from "../../shared/errors.ts";
import type { Identity } from "../state/access/identity.ts";
import { authenticateOpen, tokenOf } from "./authenticate.ts";
import type { Authenticate } from "./authenticate.ts";
import type { Revocations } from "./revocations.ts";
import type { TokenVerifier } from "./token-verifier.ts";

interface SecurityOptions {
  /** None on an open server, which takes everybody's word. */
  readonly verifier: TokenVerifier | undefined;
  readonly tokens: Revocations;
}

export class SecurityManager {
  readonly tokens: Revocations;
  readonly authenticate: Authenticate;
  /** Whose a token is; none on an open server. @throws {ServiceError} UNAUTHENTICATED, IDENTITY_UNAVAILABLE */
  readonly verify: ((token: string) => Promise<Identity>) | undefined;

  constructor({ verifier, tokens }: SecurityOptions) {
    this.tokens = tokens;
    if (verifier === undefined) {
      this.authenticate = authenticateOpen;
      return;
    }
    const verify = async (token: string): Promise<Identity> => {
      const identity = await verifier.verify(token);
      if (tokens.isRevoked(identity)) throw revoked();
      return identity;
    };
    this.verify = verify;
    this.authenticate = async (credentials) => verify(tokenOf(credentials));
  }
}

export function revoked(): ServiceError {
  return new ServiceError("UNAUTHENTICATED", "The token was revoked. Ask whoever runs the server for a new one.", {
    details: { rule: "revoked" },
  });
}
