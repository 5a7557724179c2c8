/**
 * Tokens of a run: who has which, what the server makes of one, and which are known not to count any more.
 *
 *  S5 ACL-9  when a revocation is answered, what was open under the token is over, and nothing is told under it any more
 *
 * A token is what it says; what signatures are for has tests of its own (test/unit, test/integration).
 */
import { parseActor } from "../../../shared/ids.ts";
import type { Actor } from "../../../shared/ids.ts";
import { SCOPES } from "../../../shared/permission.ts";
import type { Identity } from "../../../server/state/access/identity.ts";
import type { TokenVerifier } from "../../../server/security/token-verifier.ts";

const ALL_SCOPES = new Set(SCOPES);

/** The server's wall clock, and how often it was set: across that nobody can tell when a token ends. */
export interface WallClock {
  readonly nowMs: number;
  readonly sets: number;
}

/** What is told of a token whose time is over ends within this time. */
const NOTICE_MS = 1000;

export class TokenOffice implements TokenVerifier {
  /** Of those that are issued from now on. */
  lifeMs: number;
  readonly #clock: () => WallClock;
  /** By token id: how often the clock had been set. */
  readonly #issued = new Map<string, number>();
  /** Of revoked tokens: whether that is answered. */
  readonly #revoked = new Map<string, boolean>();

  constructor(lifeMs: number, clock: () => WallClock) {
    this.lifeMs = lifeMs;
    this.#clock = clock;
  }

  /** Of an issuer that keeps the server's time. */
  issue(actor: Actor): string {
    const { nowMs, sets } = this.#clock();
    const tokenId = `t${this.#issued.size + 1}`;
    this.#issued.set(tokenId, sets);
    return JSON.stringify({ actor, tokenId, issuedAtMs: nowMs, expiresAtMs: nowMs + this.lifeMs });
  }

  verify(token: string): Promise<Identity> {
    return Promise.resolve(identityIn(token));
  }

  /** Somebody asks that the token counts no more, or is answered that it does not. */
  revokes(token: string, isAnswered: boolean): void {
    this.#revoked.set(tokenIdOf(token), isAnswered);
  }

  /** For certain, and for a while. */
  isOver(token: string): boolean {
    const { nowMs, sets } = this.#clock();
    const isLate = nowMs > (identityIn(token).expiresAtMs ?? 0) + NOTICE_MS;
    return this.#revoked.get(tokenIdOf(token)) === true || (isLate && this.#issued.get(tokenIdOf(token)) === sets);
  }

  /** For certain. */
  isValid(token: string): boolean {
    const { nowMs, sets } = this.#clock();
    const isInTime = nowMs < (identityIn(token).expiresAtMs ?? 0) && this.#issued.get(tokenIdOf(token)) === sets;
    return isInTime && !this.#revoked.has(tokenIdOf(token));
  }
}

export function tokenIdOf(token: string): string {
  return identityIn(token).tokenId ?? "";
}

function identityIn(token: string): Identity {
  const { actor, tokenId, issuedAtMs, expiresAtMs } = JSON.parse(token) as Record<string, string | number>;
  return {
    actor: parseActor(String(actor)),
    scopes: ALL_SCOPES,
    grants: [],
    isUnverified: false,
    tokenId: String(tokenId),
    issuedAtMs: Number(issuedAtMs),
    expiresAtMs: Number(expiresAtMs),
  };
}
