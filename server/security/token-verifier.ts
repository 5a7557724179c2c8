/**
 * Port: from a token to who is calling.
 *
 * Invariants (AUTH):
 *  1. An Identity is only given for a token that is signed, whole, for this server, within its time, and well-formed.
 *  2. A refusal says rule and remedy, and holds nothing of the token.
 *
 * Not here: where a token comes from (authenticate.ts), whether it was revoked, what its bearer may do.
 */
import type { Identity } from "../state/access/identity.ts";

export interface TokenVerifier {
  /**
   * @throws {ServiceError} UNAUTHENTICATED with `details.rule` (token-refusals.ts);
   *   IDENTITY_UNAVAILABLE when the token cannot be judged now, which is no fault of its bearer
   */
  verify(token: string): Promise<Identity>;
}
