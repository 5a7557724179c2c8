/**
 * The keys of an identity provider: fetched when they are needed, remembered, and fetched again when it rotates them.
 *
 * Invariants (AUTH-7, AUTH-8):
 *  1. At most one fetch at a time, whoever asks; after one, the next waits: `issuerKeysCooldownMs` when it succeeded (anybody
 *     can name a key that is not listed), `issuerRetryMs` when it failed.
 *  2. Keys older than `issuerKeysMs` are fetched again beside the work; without an answer they count until
 *     `issuerKeysStaleMsMax`, then none does.
 *  3. Not to have keys is the server's trouble (IDENTITY_UNAVAILABLE); a key that was fetched for and is not listed, the token's.
 *
 * jose chooses among the keys. Its own remote set is not used: it reads the wall clock, asks an ailing provider for every
 * token, and forgets good keys when a new answer fails.
 *
 * Not here: what is checked of a token (verify-token.ts).
 */
import { createLocalJWKSet, errors } from "jose";
import type { CryptoKey, JSONWebKeySet, JWTHeaderParameters } from "jose";
import { ServiceError } from "../../shared/errors.ts";
import { isLoopback } from "../../shared/host.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";
import { issuerAnswer } from "./issuer-answer.ts";
import type { Fetch } from "./issuer-answer.ts";

interface IssuerKeysOptions {
  /** Exactly as it stands in its tokens. */
  readonly issuer: string;
  /** Where its keys are; discovered when undefined. */
  readonly jwksUrl: string | undefined;
  readonly clock: Clock;
  readonly fetch: Fetch;
  /** Told of each fetch that fails. */
  readonly onFailure: (error: unknown) => void;
}

type KeySet = ReturnType<typeof createLocalJWKSet>;

interface Fetched {
  readonly keys: KeySet;
  readonly atMs: number;
}

export class IssuerKeys {
  readonly #options: IssuerKeysOptions;
  #fetched: Fetched | undefined;
  #fetching: Promise<void> | undefined;
  /** No fetch before. */
  #nextAtMs = Number.NEGATIVE_INFINITY;
  /** Of the last fetch, if it failed. */
  #failure: unknown;

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
  }

  /** @throws {ServiceError} IDENTITY_UNAVAILABLE; {JWKSNoMatchingKey} and other errors of jose */
  async find(header: JWTHeaderParameters): Promise<CryptoKey> {
    const keys = await this.#keys();
    try {
      return await keys(header);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      await this.#fetchIfDue();
      if (this.#failure !== undefined) throw unavailable(this.#failure);
      return (await this.#keys())(header);
    }
  }

  async #keys(): Promise<KeySet> {
    const ageMs = this.#ageMs();
    if (ageMs >= LIMITS.issuerKeysStaleMsMax) await this.#fetchIfDue();
    else if (ageMs >= LIMITS.issuerKeysMs) void this.#fetchIfDue();
    if (this.#fetched === undefined || this.#ageMs() >= LIMITS.issuerKeysStaleMsMax) throw unavailable(this.#failure);
    return this.#fetched.keys;
  }

  #ageMs(): number {
    return this.#options.clock.monotonicMs() - (this.#fetched?.atMs ?? Number.NEGATIVE_INFINITY);
  }

  /** Resolves when the fetch that is under way or due now has ended, well or not. Never rejects. */
  async #fetchIfDue(): Promise<void> {
    if (this.#fetching === undefined && this.#options.clock.monotonicMs() >= this.#nextAtMs) {
      this.#fetching = this.#fetchAll().finally(() => (this.#fetching = undefined));
    }
    await this.#fetching;
  }

  async #fetchAll(): Promise<void> {
    const { clock, onFailure } = this.#options;
    const deadline = new AbortController();
    const cancel = clock.setTimer(LIMITS.issuerMsMax, () => deadline.abort(new Error("the identity provider is slow")));
    try {
      const keys = await this.#fetchKeys(deadline.signal);
      this.#fetched = { keys, atMs: clock.monotonicMs() };
      this.#failure = undefined;
      this.#nextAtMs = clock.monotonicMs() + LIMITS.issuerKeysCooldownMs;
    } catch (error) {
      this.#failure = error;
      this.#nextAtMs = clock.monotonicMs() + LIMITS.issuerRetryMs;
      onFailure(error);
    } finally {
      cancel();
    }
  }

  async #fetchKeys(signal: AbortSignal): Promise<KeySet> {
    const { fetch, jwksUrl } = this.#options;
    const answer = await issuerAnswer(fetch, jwksUrl ?? (await this.#discover(signal)), signal);
    if (!isKeySet(answer)) throw new Error("the identity provider's keys are no JSON Web Key Set");
    return createLocalJWKSet(answer);
  }

  /** OpenID Connect Discovery 1.0 §4. */
  async #discover(signal: AbortSignal): Promise<string> {
    const { issuer, fetch } = this.#options;
    const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const { issuer: named, jwks_uri: jwksUrl } = await issuerAnswer(fetch, url, signal);
    if (named !== issuer) {
      throw new Error(`${url} is about the issuer ${JSON.stringify(named)}: set MCM_OIDC_ISSUER to exactly that`);
    }
    if (typeof jwksUrl !== "string" || !isIssuerUrl(jwksUrl))
      throw new Error(`${url} has no jwks_uri that begins with https`);
    return jwksUrl;
  }
}

/** https, or any on this machine: who stands between could else hand out keys of his own. */
export function isIssuerUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== "" || password !== "") return false;
  return protocol === "https:" || (protocol === "http:" && isLoopback(hostname));
}

function isKeySet(answer: JsonObject): answer is JsonObject & JSONWebKeySet {
  const { keys } = answer;
  return Array.isArray(keys);
}

function unavailable(cause: unknown): ServiceError {
  return new ServiceError(
    "IDENTITY_UNAVAILABLE",
    "The server cannot check tokens now: it has no keys of the identity provider. Try again in a moment; if it stays, look at the server's log.",
    { cause },
  );
}
