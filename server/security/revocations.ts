/**
 * Tokens that were revoked before their time was over.
 *
 * Invariants (AUTH):
 *  1. A revocation is durable before it is answered; after a restart it holds before anybody is let in.
 *  2. It is kept at least until every token that it means has ended by itself: no token lives longer than
 *     LIMITS.tokenLifetimeMsMax.
 *  3. A subject's revocation means the tokens made until then. One that does not say when it was made is meant too.
 *
 * Not here: ending what is open under a token (the listener), who may revoke (access-guard.ts).
 */
import { ServiceError } from "../../shared/errors.ts";
import { parseActor } from "../../shared/ids.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";
import type { Caller, Revocation, RevokeRequest, TokenService } from "../context-service.ts";
import type { Identity } from "../state/access/identity.ts";
import type { RecordQuery, RecordWrite, SideRecord } from "../storage/change-log.ts";
import { DAY_MS } from "./token-times.ts";

const COLLECTION = "revocations" as const;
const PAGE = 500;

/** The part of the log that this needs. */
interface Records {
  writeRecords(id: ContextId | undefined, writes: readonly RecordWrite[]): Promise<void>;
  listRecords(
    id: ContextId | undefined,
    collection: typeof COLLECTION,
    query: RecordQuery,
  ): Promise<readonly SideRecord[]>;
}

interface RevocationsOptions {
  readonly records: Records;
  readonly clock: Clock;
  /** Called when a revocation is durable, with what tells whom it and those before it mean. */
  readonly onRevoked: (isMeant: (identity: Identity) => boolean) => void;
  readonly max?: number;
}

export class Revocations implements TokenService {
  readonly #options: RevocationsOptions;
  readonly #known = new Map<string, Revocation>();
  /** Of the subjects: until when their tokens do not count. */
  readonly #subjects = new Map<string, number>();
  readonly #tokens = new Set<string>();

  constructor(options: RevocationsOptions) {
    this.#options = options;
  }

  /** Before anybody is let in, and when another server may have written. @throws {ServiceError} STORE_UNAVAILABLE */
  async load(): Promise<void> {
    const before = this.#known.size;
    let after: string | undefined;
    for (;;) {
      const from = after === undefined ? {} : { after };
      const page = await this.#options.records.listRecords(undefined, COLLECTION, { limit: PAGE, ...from });
      for (const { value } of page) this.#add(revocationOf(value));
      after = page.at(-1)?.key;
      if (page.length < PAGE) break;
    }
    if (this.#known.size > before) this.#options.onRevoked((other) => this.isRevoked(other));
  }

  isRevoked({ actor, tokenId, issuedAtMs = 0 }: Identity): boolean {
    if (tokenId !== undefined && this.#tokens.has(tokenId)) return true;
    const untilMs = this.#subjects.get(actor);
    return untilMs !== undefined && issuedAtMs <= untilMs;
  }

  async revoke({ identity }: Caller, request: RevokeRequest): Promise<Revocation> {
    const { clock, records, onRevoked, max = LIMITS.revocationsMax } = this.#options;
    const spent = this.#spent(clock.nowMs());
    if (this.#known.size - spent.length >= max) throw tooMany(max);
    const revocation: Revocation = {
      ...request,
      id: clock.newId(),
      revokedAtMs: clock.nowMs(),
      revokedBy: identity.actor,
    };
    await records.writeRecords(undefined, [
      ...spent.map(({ id: key }) => ({ collection: COLLECTION, key, value: null })),
      { collection: COLLECTION, key: revocation.id, value: { ...revocation } },
    ]);
    for (const { id } of spent) this.#known.delete(id);
    this.#add(revocation);
    onRevoked((other) => this.isRevoked(other));
    return revocation;
  }

  async revocations(): Promise<readonly Revocation[]> {
    return [...this.#known.values()].sort((a, b) => b.revokedAtMs - a.revokedAtMs);
  }

  #add(revocation: Revocation): void {
    const { id, tokenId, subject, revokedAtMs } = revocation;
    this.#known.set(id, revocation);
    if (tokenId !== undefined) this.#tokens.add(tokenId);
    if (subject !== undefined) this.#subjects.set(subject, Math.max(revokedAtMs, this.#subjects.get(subject) ?? 0));
  }

  /** Those of which every token has ended by itself. What is in memory of them does no harm until a restart. */
  #spent(nowMs: number): readonly Revocation[] {
    const keptMs = LIMITS.tokenLifetimeMsMax + DAY_MS;
    return [...this.#known.values()].filter(({ revokedAtMs }) => revokedAtMs + keptMs < nowMs);
  }
}

/** A record as `revoke` wrote it. */
function revocationOf({ id, tokenId, subject, expiresAtMs, reason, revokedAtMs, revokedBy }: JsonObject): Revocation {
  if (typeof id !== "string" || typeof revokedBy !== "string" || typeof revokedAtMs !== "number")
    throw new Error("this is no record of a revocation");
  return {
    id,
    revokedAtMs,
    revokedBy: parseActor(revokedBy),
    ...(typeof tokenId === "string" ? { tokenId } : {}),
    ...(typeof subject === "string" ? { subject } : {}),
    ...(typeof expiresAtMs === "number" ? { expiresAtMs } : {}),
    ...(typeof reason === "string" ? { reason } : {}),
  };
}

function tooMany(limit: number): ServiceError {
  return new ServiceError(
    "LIMIT_EXCEEDED",
    `${limit} revocations are kept, which is the limit. Revoke whole subjects, or change the key that tokens are signed with.`,
    { details: { limit } },
  );
}
