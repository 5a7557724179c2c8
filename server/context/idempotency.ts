/**
 * Idempotency keys: a request that is sent again under its key is carried out once and answered alike.
 *
 * Invariants (IDEM):
 *  1. The key's record and the change it stands for become durable together (LOG 4), so a crash cannot part them.
 *  2. Under one key at most one request runs at a time; a second one waits for the first's outcome.
 *     Of other servers of the data it is asked again when its turn has come (write-path.ts).
 *  3. A different request, or another actor, under a used key is refused and changes nothing.
 */
import { createHash } from "node:crypto";
import { ServiceError } from "../../shared/errors.ts";
import type { Actor, ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";
import type { ChangeOutcome, ChangeRequest } from "../context-service.ts";
import type { WriteResult } from "../state/state-manager.ts";
import type { Idempotency, IdempotencyRecord } from "../storage/change-log.ts";

/** The part of the log that this needs. */
interface Records {
  findIdempotent(id: ContextId, key: string, notBeforeMs: number): Promise<IdempotencyRecord | undefined>;
}

interface Call {
  readonly fingerprint: string;
  readonly outcome: Promise<ChangeOutcome>;
}

export class IdempotentCalls {
  readonly #records: Records;
  readonly #clock: Clock;
  readonly #underWay = new Map<string, Call>();

  constructor(records: Records, clock: Clock) {
    this.#records = records;
    this.#clock = clock;
  }

  /**
   * Runs the request, or answers as the first one under its key was answered. Without a key it just runs.
   * @throws {ServiceError} IDEMPOTENCY_KEY_REUSED
   */
  async once(
    id: ContextId,
    actor: Actor,
    request: ChangeRequest,
    run: (idempotency: Idempotency | undefined) => Promise<WriteResult>,
  ): Promise<ChangeOutcome> {
    // lock tokens say who may write, not what: the lock may have been taken anew before the request is sent again
    const { idempotencyKey: key, lockTokens: _tokens, ...asked } = request;
    if (key === undefined) return { ...(await run(undefined)), replayed: false };
    const fingerprint = createHash("sha256")
      .update(JSON.stringify([actor, asked]))
      .digest("base64url");
    // an id holds no space, so the two parts cannot run into each other
    const slot = `${id} ${key}`;
    const known = this.#underWay.get(slot);
    if (known !== undefined) {
      assertSame(known.fingerprint, fingerprint);
      return { ...(await known.outcome), replayed: true };
    }
    const outcome = this.#first(id, { key, fingerprint }, run);
    this.#underWay.set(slot, { fingerprint, outcome });
    try {
      return await outcome;
    } finally {
      this.#underWay.delete(slot);
    }
  }

  async #first(
    id: ContextId,
    idempotency: Idempotency,
    run: (idempotency: Idempotency) => Promise<WriteResult>,
  ): Promise<ChangeOutcome> {
    const record = await this.#records.findIdempotent(
      id,
      idempotency.key,
      this.#clock.nowMs() - LIMITS.idempotencyTtlMs,
    );
    if (record === undefined) return { ...(await run(idempotency)), replayed: false };
    return { ...answerOf(record, idempotency), replayed: true };
  }
}

/** What the first request under the key was answered. @throws {ServiceError} IDEMPOTENCY_KEY_REUSED */
export function answerOf({ fingerprint, version, seq, paths }: IdempotencyRecord, asked: Idempotency): WriteResult {
  assertSame(fingerprint, asked.fingerprint);
  return { version, seq, paths };
}

function assertSame(first: string, second: string): void {
  if (first === second) return;
  throw new ServiceError(
    "IDEMPOTENCY_KEY_REUSED",
    "This idempotency key was used for a different request. Use a new key for a new request.",
  );
}
