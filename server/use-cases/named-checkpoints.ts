/**
 * Versions that were given a name: each is a checkpoint that storage keeps, and a record that names it.
 *
 * Invariants (HIST):
 *  1. A name stands for one version of its context until it is forgotten; several names may stand for one version.
 *  2. Checkpoint and record are written in one step and go in one step; the checkpoint goes with its last name.
 *  3. Names are given and forgotten one after the other: storage does not compare before it writes.
 *
 * Not here: making the checkpoint (server/history), what retention drops (storage).
 */
import { ServiceError } from "../../shared/errors.ts";
import type { NamedCheckpoint } from "../../shared/history.ts";
import { parseActor } from "../../shared/ids.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";
import type { Caller } from "../context-service.ts";
import type { HistoryManager } from "../history/history-manager.ts";
import { Turns } from "../history/turns.ts";
import { contextNotFound } from "../state/context-not-found.ts";
import { checkStored } from "../state/size-guard.ts";
import type { ChangeLog } from "../storage/change-log.ts";

/** StorageManager fits. */
export type CheckpointStore = Pick<
  ChangeLog,
  "summary" | "listRecords" | "writeRecords" | "writeCheckpoint" | "releaseCheckpoint" | "bytesOnDisk"
>;

interface NamedCheckpointsOptions {
  readonly history: HistoryManager;
  readonly storage: CheckpointStore;
  readonly clock: Clock;
}

const COLLECTION = "checkpoints";
const NAME_BYTES_MAX = 256;

export class NamedCheckpoints {
  readonly #history: HistoryManager;
  readonly #storage: CheckpointStore;
  readonly #clock: Clock;
  readonly #turns = new Turns(LIMITS.historyQueueMax);

  constructor({ history, storage, clock }: NamedCheckpointsOptions) {
    this.#history = history;
    this.#storage = storage;
    this.#clock = clock;
  }

  /** Newest version first. @throws {ServiceError} CONTEXT_NOT_FOUND */
  async list(id: ContextId): Promise<readonly NamedCheckpoint[]> {
    await this.#headVersion(id);
    return (await this.#all(id)).sort((a, b) => b.version - a.version || b.atMs - a.atMs);
  }

  /** @throws {ServiceError} ALREADY_EXISTS, VERSION_NOT_FOUND, LIMIT_EXCEEDED, INVALID_REQUEST, CONTEXT_NOT_FOUND */
  add(
    { identity: { actor } }: Caller,
    id: ContextId,
    { name, version, message }: { readonly name: string; readonly version?: number; readonly message?: string },
  ): Promise<NamedCheckpoint> {
    return this.#turns.take(async () => {
      checkName(name);
      const current = await this.#headVersion(id);
      this.#checkRoom(await this.#all(id), name);
      const checkpoint = await this.#history.checkpointAt(id, version ?? current);
      checkStored(await this.#storage.bytesOnDisk(id), checkpoint.state.length);
      const named: NamedCheckpoint = {
        name,
        version: checkpoint.version,
        seq: checkpoint.seq,
        actor,
        atMs: this.#clock.nowMs(),
        ...(message === undefined ? {} : { message }),
      };
      const records = [{ collection: COLLECTION, key: name, value: { ...named } }] as const;
      await this.#storage.writeCheckpoint(id, checkpoint, { isKept: true, records });
      return named;
    });
  }

  /** @throws {ServiceError} CHECKPOINT_NOT_FOUND, CONTEXT_NOT_FOUND */
  remove(id: ContextId, name: string): Promise<void> {
    return this.#turns.take(async () => {
      await this.#headVersion(id);
      const all = await this.#all(id);
      const named = all.find((checkpoint) => checkpoint.name === name);
      if (named === undefined) throw notFound();
      const records = [{ collection: COLLECTION, key: name, value: null }] as const;
      const isShared = all.some(({ seq, name: other }) => seq === named.seq && other !== name);
      if (isShared) await this.#storage.writeRecords(id, records);
      else await this.#storage.releaseCheckpoint(id, named.seq, records);
    });
  }

  async #headVersion(id: ContextId): Promise<number> {
    const summary = await this.#storage.summary(id);
    if (summary === undefined) throw contextNotFound();
    return summary.head.version;
  }

  async #all(id: ContextId): Promise<NamedCheckpoint[]> {
    const records = await this.#storage.listRecords(id, COLLECTION, { limit: LIMITS.namedCheckpointsMax });
    return records.map(({ value }) => namedOf(value));
  }

  #checkRoom(present: readonly NamedCheckpoint[], name: string): void {
    const same = present.find((checkpoint) => checkpoint.name === name);
    if (same !== undefined) {
      throw new ServiceError(
        "ALREADY_EXISTS",
        `The context has a checkpoint of this name, at version ${same.version}. Take another name, or forget that one first.`,
        { details: { version: same.version } },
      );
    }
    if (present.length < LIMITS.namedCheckpointsMax) return;
    throw new ServiceError(
      "LIMIT_EXCEEDED",
      `A context may have ${LIMITS.namedCheckpointsMax} named checkpoints. Forget one that is not needed any more.`,
      { details: { limit: LIMITS.namedCheckpointsMax } },
    );
  }
}

/** A record as `add` wrote it. */
function namedOf({ name, version, seq, actor, atMs, message }: JsonObject): NamedCheckpoint {
  if (typeof name !== "string" || typeof actor !== "string") throw new Error("this is no record of a named checkpoint");
  return {
    name,
    version: Number(version),
    seq: Number(seq),
    actor: parseActor(actor),
    atMs: Number(atMs),
    ...(typeof message === "string" ? { message } : {}),
  };
}

function checkName(name: string): void {
  const isFit = name.length <= LIMITS.checkpointNameCharsMax && /^[^\p{Cc}\p{Cs}]+$/u.test(name);
  if (isFit && new TextEncoder().encode(name).byteLength <= NAME_BYTES_MAX) return;
  throw new ServiceError(
    "INVALID_REQUEST",
    `The name of a checkpoint has 1 to ${LIMITS.checkpointNameCharsMax} characters (${NAME_BYTES_MAX} bytes) without control characters. Choose a shorter or plainer one.`,
  );
}

function notFound(): ServiceError {
  return new ServiceError(
    "CHECKPOINT_NOT_FOUND",
    "The context has no checkpoint of this name. List the checkpoints for those that there are.",
  );
}
