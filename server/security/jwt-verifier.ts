/**
 * Verifies tokens that are signed with the server's own key (mode `jwt`).
 *
 * Not here: what a key is good for (own-key.ts), the checks (verify-token.ts), issuing (issue-token.ts).
 */
import { webcrypto } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { CryptoKey } from "jose";
import type { Clock } from "../clock.ts";
import type { Identity } from "../state/access/identity.ts";
import type { OwnKey } from "./own-key.ts";
import type { TokenVerifier } from "./token-verifier.ts";
import { verifyToken } from "./verify-token.ts";

interface JwtVerifierOptions {
  readonly key: OwnKey;
  /** A token must name one of them. */
  readonly audiences: readonly string[];
  readonly clock: Pick<Clock, "nowMs">;
}

export class JwtVerifier implements TokenVerifier {
  readonly #options: JwtVerifierOptions;
  #ready: Promise<CryptoKey | KeyObject> | undefined;

  constructor(options: JwtVerifierOptions) {
    this.#options = options;
  }

  async verify(token: string): Promise<Identity> {
    const { key, audiences, clock } = this.#options;
    this.#ready ??= readyToVerify(key.key);
    return verifyToken(token, await this.#ready, { algorithms: key.algorithms, audiences }, clock.nowMs());
  }
}

/** jose imports a secret anew for each token, which takes longer than the rest: 110 µs instead of 64. Key pairs it remembers. */
async function readyToVerify(key: KeyObject): Promise<CryptoKey | KeyObject> {
  if (key.type !== "secret") return key;
  return webcrypto.subtle.importKey("raw", key.export(), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}
