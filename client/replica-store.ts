/**
 * Keeps a replica beyond its process, so that offline edits survive a reload: the port for stores, and what is put in them.
 *
 * Invariants:
 *  1. What is loaded is a prefix of what was recorded, in order; recording never throws and never waits.
 *  2. A store that fails is not written again, and its owner is told once: the local copy is gone, the session is not.
 *
 * Not y-indexeddb: its update handler throws when another tab clears the database, and a throwing update handler silences
 * a Y.Doc for good; it also has no place for the epoch that is in step with the updates.
 *
 * Not here: the stores themselves (indexed-db.ts, node/file-store.ts).
 */
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

/** Where replicas are kept: one store for each server, actor and context, all of which are in `name`. */
export interface Persistence {
  open(name: string): Promise<RecordStore>;
}

/** A list of records on disk. Calls take effect in order; each rejects when its effect may not last. */
export interface RecordStore {
  load(): Promise<readonly Uint8Array[]>;
  append(record: Uint8Array): Promise<void>;
  /** Puts `records` in the place of everything this object loaded and appended, at once or not at all. */
  replace(records: readonly Uint8Array[]): Promise<void>;
  close(): Promise<void>;
}

/** First byte of a record. */
const KIND = { epoch: 0, update: 1 } as const;

/** Loading is linear in records: beyond this many they are folded into one. */
const RECORDS_MAX = 500;

export interface StoredReplica {
  readonly epoch: number | undefined;
  readonly updates: readonly Uint8Array[];
}

export class ReplicaStore {
  readonly #store: RecordStore;
  readonly #onFailure: (error: unknown) => void;
  #records = 0;
  #hasFailed = false;

  constructor(store: RecordStore, onFailure: (error: unknown) => void) {
    this.#store = store;
    this.#onFailure = onFailure;
  }

  async load(): Promise<StoredReplica> {
    const records = await this.#store.load();
    this.#records = records.length;
    const epochs = records
      .filter(([kind]) => kind === KIND.epoch)
      .map((record) => decoding.readVarUint(decoding.createDecoder(record.subarray(1))));
    const updates = records.filter(([kind]) => kind === KIND.update).map((record) => record.subarray(1));
    return { epoch: epochs.at(-1), updates };
  }

  /** Adds an update. `state` is asked for the whole document, this update included, when it is time to fold. */
  record(update: Uint8Array, epoch: number | undefined, state: () => Uint8Array): void {
    this.#records++;
    if (this.#records > RECORDS_MAX) this.replace(epoch, [state()]);
    else this.#attempt(() => this.#store.append(updateRecord(update)));
  }

  recordEpoch(epoch: number): void {
    this.#records++;
    this.#attempt(() => this.#store.append(epochRecord(epoch)));
  }

  /** Forgets everything but `updates`, of generation `epoch`. */
  replace(epoch: number | undefined, updates: readonly Uint8Array[]): void {
    const records = [...(epoch === undefined ? [] : [epochRecord(epoch)]), ...updates.map(updateRecord)];
    this.#records = records.length;
    this.#attempt(() => this.#store.replace(records));
  }

  /** Waits for what was recorded. */
  async close(): Promise<void> {
    await this.#store.close().catch((error: unknown) => this.#fail(error));
  }

  #attempt(write: () => Promise<void>): void {
    if (!this.#hasFailed) write().catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#onFailure(error);
  }
}

function updateRecord(update: Uint8Array): Uint8Array {
  const record = new Uint8Array(update.byteLength + 1);
  record[0] = KIND.update;
  record.set(update, 1);
  return record;
}

function epochRecord(epoch: number): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeUint8(encoder, KIND.epoch);
    encoding.writeVarUint(encoder, epoch);
  });
}
