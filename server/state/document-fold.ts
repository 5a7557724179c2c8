/**
 * From checkpoint and log to a document: the one place that knows what each kind of entry does to it.
 *
 * Invariants (FOLD):
 *  1. Folding the log up to a position gives the same whatever checkpoint one begins with.
 *  2. A Yjs client id belongs to whoever first wrote under it in its epoch; servers' own ids to nobody.
 *  3. An epoch entry begins a new document; the client ids of the one before it are retired, its voids forgotten, its locks stay.
 *
 * Not here: threads and storage (server/storage/checkpoint, server/history), admission (context-state.ts).
 */
import * as Y from "yjs";
import type { Actor } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Checkpoint, LogEntry } from "../storage/change-log.ts";
import { isAuthorId } from "./author-id.ts";
import { LockTable } from "./locks/lock-table.ts";

/** What of an entry folding reads. */
export type FoldEntry = Pick<
  LogEntry,
  "kind" | "seq" | "version" | "actor" | "atMs" | "update" | "authorSalt" | "lock"
>;

/** Marks transactions that replay the log, so that observers can tell them from new writes. */
const FROM_LOG = Symbol("from log");

export interface FoldOptions {
  /** The id under which servers of the data write, before the epoch's salt. */
  readonly nodeClientId: number;
  /** False keeps deleted content, for those who want to bring it back. */
  readonly gc?: boolean;
}

export class DocumentFold {
  readonly owners: Map<number, Actor>;
  readonly retired: Set<number>;
  readonly locks: LockTable;
  /** The clock of the first void of each Yjs client id that has some. */
  readonly voids: Map<number, number>;
  readonly #options: FoldOptions;
  readonly #firstEpoch: number;
  #doc: Y.Doc;
  #authorSalt: number;
  #seq: number;
  #version: number;

  constructor(base: Checkpoint, options: FoldOptions) {
    this.#options = options;
    this.#doc = this.#newDoc();
    this.#authorSalt = base.authorSalt;
    this.#firstEpoch = base.firstEpoch;
    this.#seq = base.seq;
    this.#version = base.version;
    this.owners = new Map(base.owners);
    this.retired = new Set(base.retired);
    this.locks = new LockTable(base.locks);
    this.voids = new Map(base.voids);
    Y.applyUpdateV2(this.#doc, base.state, FROM_LOG);
  }

  get doc(): Y.Doc {
    return this.#doc;
  }

  get seq(): number {
    return this.#seq;
  }

  get version(): number {
    return this.#version;
  }

  /**
   * Entries in order, the first right after what was folded so far. One transaction for neighbours is two to six times
   * cheaper than one each (docs/yjs.md Y19). Of a document that an epoch among them replaces no more is made than is kept
   * of it: its client ids.
   * @throws {Error} when the log refers to content that it does not have
   */
  apply(entries: readonly FoldEntry[]): void {
    let from = 0;
    for (const [at, entry] of entries.entries()) {
      if (entry.kind !== "epoch") continue;
      this.#begin(entry, entries.slice(from, at));
      from = at + 1;
    }
    this.#replay(entries.slice(from));
    if (this.#doc.store.pendingStructs !== null || this.#doc.store.pendingDs !== null) {
      throw new Error(`the log up to entry ${this.#seq} refers to content that it does not have`);
    }
  }

  checkpoint(): Checkpoint {
    return {
      seq: this.#seq,
      version: this.#version,
      state: Y.encodeStateAsUpdateV2(this.#doc),
      owners: [...this.owners],
      retired: [...this.retired],
      authorSalt: this.#authorSalt,
      locks: this.locks.list(),
      ...(this.voids.size === 0 ? {} : { voids: [...this.voids] }),
      firstEpoch: this.#firstEpoch,
    };
  }

  /** @param last what was still written to the document before */
  #begin(entry: FoldEntry, last: readonly FoldEntry[]): void {
    for (const passed of last) this.#passed(passed);
    for (const client of this.#clientsAfter(last)) this.retired.add(client);
    for (const client of this.retired) {
      if (this.retired.size <= LIMITS.retiredIdsMax) break;
      this.retired.delete(client);
    }
    this.owners.clear();
    this.voids.clear();
    this.#doc.destroy();
    this.#doc = this.#newDoc();
    this.#authorSalt = entry.authorSalt ?? 0;
    Y.applyUpdate(this.#doc, entry.update, FROM_LOG);
    this.#passed(entry);
  }

  /** Those that the document would have with these entries; in one order, however much of them it has already (FOLD 1). */
  #clientsAfter(entries: readonly FoldEntry[]): readonly number[] {
    const clients = new Set(this.#doc.store.clients.keys());
    for (const { update } of entries) for (const client of Y.parseUpdateMeta(update).to.keys()) clients.add(client);
    return [...clients].sort((a, b) => b - a);
  }

  #replay(entries: readonly FoldEntry[]): void {
    if (entries.length === 0) return;
    const { nodeClientId } = this.#options;
    const salted = { authorSalt: this.#authorSalt };
    this.#doc.transact(() => {
      for (const entry of entries) {
        this.#passed(entry);
        if (entry.kind === "lock" || entry.kind === "meta") continue;
        Y.applyUpdate(this.#doc, entry.update, FROM_LOG);
        const { from, to } = Y.parseUpdateMeta(entry.update);
        for (const client of to.keys()) {
          if (!this.owners.has(client) && !isAuthorId(client, nodeClientId, salted))
            this.owners.set(client, entry.actor);
        }
        if (entry.kind === "void") for (const [client, clock] of from) this.#voided(client, clock);
      }
    }, FROM_LOG);
  }

  #voided(client: number, clock: number): void {
    if (!this.voids.has(client)) this.voids.set(client, clock);
  }

  #passed(entry: FoldEntry): void {
    this.#seq = entry.seq;
    this.#version = entry.version;
    if (entry.lock !== undefined) this.locks.apply(entry.lock, entry);
  }

  #newDoc(): Y.Doc {
    return new Y.Doc({ gc: this.#options.gc ?? true });
  }
}

/** Only what folding reads, and the update by itself: a thread is sent a view with all of the buffer it looks into. */
export function bareEntry({ kind, seq, version, actor, atMs, update, authorSalt, lock }: FoldEntry): FoldEntry {
  return {
    kind,
    seq,
    version,
    actor,
    atMs,
    update: update.slice(),
    ...(lock === undefined ? {} : { lock }),
    ...(authorSalt === undefined ? {} : { authorSalt }),
  };
}
