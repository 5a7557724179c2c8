/** Revocations in memory. */
import type { Caller, Revocation, RevokeRequest, TokenService } from "../../server/context-service.ts";
import { AT_MS } from "./fake-store.ts";

export class FakeTokens implements TokenService {
  readonly #all: Revocation[] = [];

  async revoke({ identity }: Caller, request: RevokeRequest): Promise<Revocation> {
    const id = `revocation-${this.#all.length + 1}`;
    const revocation = { ...request, id, revokedAtMs: AT_MS, revokedBy: identity.actor };
    this.#all.unshift(revocation);
    return revocation;
  }

  async revocations(): Promise<readonly Revocation[]> {
    return this.#all;
  }
}
