/**
 * Port: the durable log of all contexts. One contract suite binds every implementation (test/contract/change-log-suite.ts).
 *
 * Invariants (LOG):
 *  1. When `append`, `create`, `writeCheckpoint` or `remove` resolves, its effect survives a crash of process and machine.
 *  2. Entries of one context get seq 1, 2, 3, … without a gap; a `change` entry takes the next version, others none.
 *  3. Appends to one context take effect in call order; a rejected append has no successor that succeeded
 *     (STOP rule: after one failed write every call is refused with STORE_UNAVAILABLE until close() and open()).
 *  4. The entries of one append, and its idempotency record, become durable together or not at all.
 *  5. A rejected append has an unknown outcome: the caller forgets what it holds of that context and loads it again.
 *     Until that `load` every further append to the context is refused, so nothing can be built on the rejected one.
 *  6. A read, or the head in a `conflict`, shows durable entries only, and all that were accepted before it was asked.
 *  7. Of a log that several processes write all of this holds for all of them together: one order of each context's entries.
 *  8. The log is whole from its base on: the oldest checkpoint from which every later entry is there. `trim` moves the base.
 *
 * Not here: caching, retries and reopening (storage-manager.ts).
 */
import type { ChangeOrigin } from "../../shared/change.ts";
import type { ContextHead, ContextMeta, MetaChange } from "../../shared/context.ts";
import type { Actor, ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import type { Lock, LockEvent } from "../../shared/lock.ts";
import type { EngineStats } from "../../shared/monitoring.ts";
import type { Peers } from "./peers.ts";

/**
 * An entry before the log gave it a position.
 *
 * `epoch`: the document was recreated. Its `update` is the whole new document and replaces what the entries before it
 * gave; `meta.epoch` grows by one, `meta.authorSalt` becomes the entry's, and it alters admission (`lockSeq`).
 * `lock`: a lock was taken, renewed, released or ended. Its `update` says nothing, and it alters admission too.
 * `meta`: the context's metadata changed, who may write say; `meta` of the context is that from then on. As for a lock.
 */
export interface NewEntry {
  readonly kind: "change" | "void" | "epoch" | "lock" | "meta";
  readonly actor: Actor;
  readonly atMs: number;
  readonly origin: ChangeOrigin;
  readonly message?: string;
  readonly paths: readonly string[];
  /** Yjs update, V1 encoding. For a void: GC structs of the same clocks (docs/yjs.md Y9). */
  readonly update: Uint8Array;
  /** Id of the conflict that this change resolves. */
  readonly resolves?: string;
  /** Of an `epoch` entry, and of no other. */
  readonly authorSalt?: number;
  /** Of a `lock` entry, and of no other. */
  readonly lock?: LockEvent;
  /** Of a `meta` entry, and of no other. */
  readonly meta?: MetaChange;
}

/** An entry of the log. `version` is the context's version after it. */
export interface LogEntry extends NewEntry {
  readonly seq: number;
  readonly version: number;
}

/** Full state at a position, so that older log need not be read. */
export interface Checkpoint {
  readonly seq: number;
  readonly version: number;
  /** Y.encodeStateAsUpdateV2 of the document. */
  readonly state: Uint8Array;
  /** Who owns each Yjs client id that has written so far in this epoch. */
  readonly owners: readonly (readonly [yjsClientId: number, actor: Actor])[];
  /** Yjs client ids of earlier epochs, oldest first: a replica that knows one of them is of such an epoch. */
  readonly retired: readonly number[];
  /** Of the epoch it was made in, which may be an earlier one than `meta` tells: the log after it may begin another. */
  readonly authorSalt: number;
  /** The locks that were held. */
  readonly locks: readonly Lock[];
  /** Of each Yjs client id of the epoch of which an edit was voided: the clock of the first one. Absent: there are none. */
  readonly voids?: readonly (readonly [yjsClientId: number, clock: number])[];
  /** `ContextMeta.firstEpoch` of its context: one of a deleted context of the same id is not taken. */
  readonly firstEpoch: number;
}

/** What a context begins with; the log knows its epoch. */
export type FirstCheckpoint = Omit<Checkpoint, "firstEpoch">;

/** A checkpoint that is there, without its content. */
export interface CheckpointInfo {
  readonly seq: number;
  readonly version: number;
  readonly bytes: number;
  /** Stays until it is released, whatever the log before it. */
  readonly isKept: boolean;
}

export interface StoredContext {
  readonly meta: ContextMeta;
  readonly head: ContextHead;
  readonly checkpoint: Checkpoint;
  /** Entries after the checkpoint, in order. */
  readonly tail: readonly LogEntry[];
  readonly size: LogSize;
}

/** A context in a listing: no document. */
export interface StoredSummary {
  readonly meta: ContextMeta;
  readonly head: ContextHead;
}

/** Word that another process appended to a context, or deleted it. Some are missing or late. */
export interface Hint {
  readonly contextId: ContextId;
  /** The newest entry by then; behind every other when the context was deleted. */
  readonly seq: number;
  /** The entries it tells of, when they came with it: as a rule when they are few and small. They are durable. */
  brought(): Brought | undefined;
}

/** Entries without those before them, of the context that began with `firstEpoch`. */
export interface Brought {
  readonly meta: Pick<ContextMeta, "firstEpoch">;
  readonly entries: readonly LogEntry[];
}

/** How a context is, and what was appended to it. */
export interface StoredNews extends StoredSummary {
  readonly entries: readonly LogEntry[];
}

export interface ListedContext extends StoredSummary {
  /** What it takes on disk, approximately. */
  readonly bytes: number;
}

/** What must still be true when an append is decided. */
export type Guard = { readonly seq: number } | { readonly lockSeq: number };

export interface Idempotency {
  readonly key: string;
  /** Digest of the request; a second request under the key must have the same. */
  readonly fingerprint: string;
}

/** With what the first request was answered: what it changed may be gone from the log when it is sent again. */
export interface IdempotencyRecord extends Idempotency {
  readonly version: number;
  /** Of its entry; 0 when it changed nothing. */
  readonly seq: number;
  readonly paths: readonly string[];
  readonly atMs: number;
}

/** What small JSON documents are kept beside the log. Names are for ever: they are in stored keys. */
export const COLLECTIONS = [
  "audit",
  "checkpoints",
  "client-ids",
  "conflicts",
  "restored",
  "revocations",
  "stamps",
  "types",
  "webhook-cursors",
  "webhook-dead-letters",
  "webhook-endings",
  "webhooks",
] as const;
export type Collection = (typeof COLLECTIONS)[number];

/** A record to write, or with `null` to delete. Keys are 1 to 256 bytes of UTF-8 and order by them. */
export interface RecordWrite {
  readonly collection: Collection;
  readonly key: string;
  readonly value: JsonObject | null;
}

export interface SideRecord {
  readonly key: string;
  readonly value: JsonObject;
}

export interface RecordQuery {
  /** Records with keys after this one; before it when `reverse`. */
  readonly after?: string;
  readonly limit: number;
  readonly reverse?: boolean;
}

export interface AppendOptions {
  readonly idempotency?: Idempotency;
  /** Records that become durable together with the entries; called once, when these have their places. Must not throw. */
  readonly records?: (placed: readonly LogEntry[]) => readonly RecordWrite[];
}

/** How much a cold load would read: what decides that a checkpoint is due. */
export interface TailSize {
  /** Entries after the newest checkpoint. */
  readonly entries: number;
  readonly bytes: number;
  /** Bytes of the newest checkpoint itself. */
  readonly checkpointBytes: number;
}

/** What a context takes on disk. */
export interface LogSize {
  /** Log and checkpoints, approximately. */
  readonly bytes: number;
  readonly logBytes: number;
  /** Position and version of the base: the log holds every entry after it. */
  readonly baseSeq: number;
  readonly baseVersion: number;
}

export type AppendResult =
  | {
      readonly kind: "appended";
      readonly entries: readonly LogEntry[];
      readonly tail: TailSize;
      readonly size: LogSize;
    }
  | { readonly kind: "conflict"; readonly head: ContextHead };

/** A record as it is stored (log/log-keys.ts): what a dump is made of. */
export type DumpedRecord = readonly [key: Uint8Array, value: Uint8Array];

/** What others did to a context since its caller last looked. */
export interface News {
  /** As it is now. */
  readonly meta: ContextMeta;
  /** Those after what the caller knows, in order. */
  readonly entries: readonly LogEntry[];
  /** Those of the turn's requests that were answered already. */
  readonly answered: readonly IdempotencyRecord[];
}

/** Work on a context while nobody else can append to it. */
export interface ContextTurn {
  /** The newest entry that its caller knows; asked when the turn has come. */
  knownSeq(): number;
  /** Idempotency keys of what it will append: another process may have done so since they were looked for. */
  readonly keys: readonly string[];
  /**
   * Called once. Appends to the context that it begins before it returns are of this turn: nobody else's entry comes
   * before or between them. Undefined: nobody else writes.
   */
  take(news: News | undefined): void;
}

export interface LogDump {
  /** Called once, first; the bytes are approximate. */
  begin(expected: { readonly contexts: number; readonly bytes: number }): Promise<void>;
  /** Called again only after it settled. */
  page(records: readonly DumpedRecord[]): Promise<void>;
}

export interface ChangeLog {
  /**
   * Ends with a synced write of its own: a log that opened can be written.
   * @throws {ServiceError} DATA_DIR_LOCKED, DATA_DAMAGED, DATA_FORMAT_NEWER, STORE_UNAVAILABLE
   */
  open(): Promise<void>;
  /** Waits for what was accepted, then releases everything. Safe to call in any state, also after a failure. */
  close(): Promise<void>;
  /** The Yjs client id under which this node authors, the same for the life of the data. Known after open(). */
  readonly nodeClientId: number;
  /** True from the first failed write until close(): nothing but close() and open() helps. */
  readonly hasFailed: boolean;
  /** Other processes may write the same data. */
  readonly isShared: boolean;
  /** This process' place among those that have it open, from 0 on; opened again it may be another one. */
  readonly nodeSlot: number;
  /** Those processes; undefined where there are none. */
  readonly peers: Peers | undefined;
  /** How the database is that they share; undefined where there is none. Answers at once. */
  readonly engine: EngineStats | undefined;

  /**
   * Makes a context at version 0 with `checkpoint` (its seq and version are 0, its salt that of `meta`) as its content.
   * `meta.epoch` and `meta.firstEpoch` are ignored: the log sets them to 1, or to one more than a deleted context of the
   * same id had.
   * @throws {ServiceError} ALREADY_EXISTS, STORE_UNAVAILABLE
   */
  create(meta: ContextMeta, checkpoint: FirstCheckpoint): Promise<StoredSummary>;
  /**
   * Appends in one atomic, fsynced step. `conflict` when the guard does not hold; nothing is written then.
   * @throws {ServiceError} CONTEXT_NOT_FOUND, STORE_UNAVAILABLE
   */
  append(
    contextId: ContextId,
    guard: Guard,
    entries: readonly NewEntry[],
    options?: AppendOptions,
  ): Promise<AppendResult>;
  /**
   * A turn at the context: at once when nobody else writes the data. Resolves when it is over, and all that it appended
   * durable or refused.
   * @throws {ServiceError} CONTEXT_NOT_FOUND, STORE_UNAVAILABLE: `take` was not called, or what it appended is refused too
   */
  turn(contextId: ContextId, turn: ContextTurn): Promise<void>;
  /** Newest checkpoint and the tail after it; undefined when there is no such context. */
  load(contextId: ContextId): Promise<StoredContext | undefined>;
  /** The newest entry of each of these contexts; of those that are not there, nothing. */
  heads(contextIds: readonly ContextId[]): Promise<ReadonlyMap<ContextId, number>>;
  onHint(listener: (hint: Hint) => void): void;
  /** Meta and head, without the document. */
  summary(contextId: ContextId): Promise<StoredSummary | undefined>;
  /** Entries with seq > afterSeq in order, at most `limit` of them; those before the base are gone. */
  read(contextId: ContextId, afterSeq: number, limit: number): Promise<readonly LogEntry[]>;
  /** What `summary` and `read` tell, of one moment. */
  news(contextId: ContextId, afterSeq: number, limit: number): Promise<StoredNews | undefined>;
  /** Entries with seq < beforeSeq, newest first, at most `limit` of them, as far as the base. */
  readBackwards(contextId: ContextId, beforeSeq: number, limit: number): Promise<readonly LogEntry[]>;
  /**
   * A checkpoint older than the newest one is ignored unless `isKept`, and so is one of a context that was deleted. The
   * log before it stays: it is the history. One that is kept stays until `releaseCheckpoint`; writing it again at the same seq changes nothing else.
   */
  writeCheckpoint(
    contextId: ContextId,
    checkpoint: Checkpoint,
    options?: { readonly isKept?: boolean; readonly records?: readonly RecordWrite[] },
  ): Promise<void>;
  /** The checkpoint at `seq` may go; it does when it is neither the base nor the newest. With `records`, in one step. */
  releaseCheckpoint(contextId: ContextId, seq: number, records?: readonly RecordWrite[]): Promise<void>;
  /** Oldest first, the base among them; none when there is no such context. */
  checkpoints(contextId: ContextId): Promise<readonly CheckpointInfo[]>;
  /** The newest checkpoint with seq <= `seq`, undefined when there is none. */
  checkpointBefore(contextId: ContextId, seq: number): Promise<Checkpoint | undefined>;
  /**
   * Drops the entries up to `base`, which becomes the base: in one step, or in steps of which each leaves a whole log.
   * They are not read any more; those that share a stored run with later ones take space until these go too. Kept
   * checkpoints stay. `base` is not after the newest checkpoint; one before the base, or of a deleted context, is ignored.
   */
  trim(contextId: ContextId, base: Checkpoint): Promise<void>;
  /** Records older than `notBeforeMs` do not count. */
  findIdempotent(contextId: ContextId, key: string, notBeforeMs: number): Promise<IdempotencyRecord | undefined>;
  /** Remembers a request that changed nothing: the same as the record of an append, without entries. */
  recordIdempotent(contextId: ContextId, record: IdempotencyRecord): Promise<void>;
  /** Deletes idempotency records older than `notBeforeMs`, a bounded number of them; how many it deleted. */
  forgetIdempotent(notBeforeMs: number): Promise<number>;
  /**
   * Writes records of a context, or of the whole server when that is undefined, in one atomic, fsynced step.
   * @throws {ServiceError} CONTEXT_NOT_FOUND, STORE_UNAVAILABLE
   */
  writeRecords(contextId: ContextId | undefined, writes: readonly RecordWrite[]): Promise<void>;
  readRecord(contextId: ContextId | undefined, collection: Collection, key: string): Promise<JsonObject | undefined>;
  listRecords(
    contextId: ContextId | undefined,
    collection: Collection,
    query: RecordQuery,
  ): Promise<readonly SideRecord[]>;
  /** Contexts in order of id (code points), beginning after `after`. */
  list(after: ContextId | undefined, limit: number): Promise<readonly ListedContext[]>;
  /** Deletes the context with its history; keeps its epoch. False when there was none. */
  remove(contextId: ContextId): Promise<boolean>;
  /** Bytes the context takes on disk, approximately. */
  bytesOnDisk(contextId: ContextId): Promise<number>;
  /**
   * Hands out every record as it is at one moment, in order of key: with all that was acknowledged before the call, and
   * nothing by halves. What `dump` throws ends it.
   */
  dump(dump: LogDump): Promise<void>;
}
