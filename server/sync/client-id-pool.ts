/**
 * Yjs client ids that were released: offered again to the actor that wrote under them, so that a document's ids grow with
 * its writers and not with their sessions (every update costs time that grows with the ids ever seen).
 *
 * Invariants (REUSE):
 *  1. An id is in one pair of hands at most: its record is deleted durably before it is offered, and written only when its
 *     holder says that nobody writes under it any more.
 *  2. It goes to the actor that owns it, in the epoch in which it was released.
 *  3. Where several servers write, each offers what was released at it: what two of them found, both would offer.
 *
 * Not here: who owns an id (state/client-ids.ts), using it (client/replica.ts).
 */
import type { Actor, ContextId } from "../../shared/ids.ts";
import type { RecordQuery, RecordWrite, SideRecord } from "../storage/change-log.ts";

/** The part of the log that this needs. */
interface Records {
  /** Known once the log is open. */
  readonly isShared: boolean;
  readonly nodeSlot: number;
  writeRecords(id: ContextId, writes: readonly RecordWrite[]): Promise<void>;
  listRecords(id: ContextId, collection: "client-ids", query: RecordQuery): Promise<readonly SideRecord[]>;
}

/** Whose ids, of which generation of a document. */
export interface Holder {
  readonly contextId: ContextId;
  readonly epoch: number;
  readonly actor: Actor;
}

const COLLECTION = "client-ids" as const;

/** Ids that were released at a node come after it: a server that is alone finds them too. */
const NODE = "node ";

/** Ids of earlier epochs, and of actors whose names begin alike, may lie before one that fits. */
const LOOKED_AT_MAX = 32;

export class ClientIdPool {
  readonly #records: Records;
  /** Takes of one actor in one context wait for each other: two must not find the same record. */
  readonly #taking = new Map<string, Promise<unknown>>();

  constructor(records: Records) {
    this.#records = records;
  }

  /** An id that this actor released and may write under again; undefined when there is none. @throws {ServiceError} STORE_UNAVAILABLE */
  async take(holder: Holder): Promise<number | undefined> {
    const slot = `${holder.contextId} ${holder.actor}`;
    const before = this.#taking.get(slot) ?? Promise.resolve();
    const taken = before.then(() => this.#take(holder));
    const settled = taken.catch(() => undefined);
    this.#taking.set(slot, settled);
    try {
      return await taken;
    } finally {
      if (this.#taking.get(slot) === settled) this.#taking.delete(slot);
    }
  }

  /** Nobody writes under the id any more. @throws {ServiceError} STORE_UNAVAILABLE */
  async release({ contextId, epoch, actor }: Holder, yjsClientId: number): Promise<void> {
    const key = `${this.#prefixOf(actor)}${yjsClientId}`;
    await this.#records.writeRecords(contextId, [
      { collection: COLLECTION, key, value: { actor, epoch, yjsClientId } },
    ]);
  }

  async #take({ contextId, epoch, actor }: Holder): Promise<number | undefined> {
    const prefix = this.#prefixOf(actor);
    const records = await this.#records.listRecords(contextId, COLLECTION, { after: prefix, limit: LOOKED_AT_MAX });
    const own = records.filter(({ key, value }) => key.startsWith(prefix) && value["actor"] === actor);
    const offered = own.find(({ value }) => value["epoch"] === epoch);
    const spent = own.filter((record) => record === offered || record.value["epoch"] !== epoch);
    if (spent.length === 0) return undefined;
    const writes = spent.map(({ key }) => ({ collection: COLLECTION, key, value: null }));
    await this.#records.writeRecords(contextId, writes);
    const id = offered?.value["yjsClientId"];
    return typeof id === "number" ? id : undefined;
  }

  /** Keys have 256 bytes: a long name is cut, the record has it whole. */
  #prefixOf(actor: Actor): string {
    const { isShared, nodeSlot } = this.#records;
    // a pair that is cut in two becomes one character of three bytes
    return `${actor.slice(0, 64)}/${isShared ? `${NODE}${nodeSlot}/` : ""}`;
  }
}
