/**
 * Keeps a replica beyond its process, so that offline edits survive a reload: the port for stores, and what is put in them.
 *
 * Invariants:
 *  1. What is loaded is a prefix of what was recorded, in order; recording never throws and never waits.
 *  2. Each update says of which epoch it is: what two processes append, one of them behind, is never mixed.
 *  3. A store that fails is not written again, and its owner is told once: the local copy is gone, the session is not.
 *
 * Not y-indexeddb: its update handler throws when another tab clears the database, and a throwing update handler silences
 * a Y.Doc for good; it also has no place for the epoch that is in step with the updates.
 *
 * Not here: the stores themselves (indexed-db.ts, node/file-store.ts).
 */
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { uint32 } from "lib0/random";

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

/** First byte of a record; 0 and 1 are of an earlier form. */
const KIND = { update: 2, edit: 3, saved: 4 } as const;

/** Loading is linear in records: beyond this many, and twice what is left of them, they are folded. */
const RECORDS_MAX = 500;

export interface StoredReplica {
  /** Of the newest document that was kept; undefined when there is none. */
  readonly epoch: number | undefined;
  /** Everything that makes the document, edits included. */
  readonly updates: readonly Uint8Array[];
  /** Those of its edits that may not be saved, in order. */
  readonly edits: readonly Uint8Array[];
  /** Such edits of documents of earlier epochs, left by another process that kept its replica here. */
  readonly strays: readonly Uint8Array[];
}

/** An edit that is not saved yet. Edits are numbered in order. */
export interface KeptEdit {
  readonly number: number;
  readonly update: Uint8Array;
}

/** A whole replica, to be kept in the place of everything before it. */
export interface KeptReplica {
  readonly epoch: number;
  readonly state: Uint8Array;
  readonly edits: readonly KeptEdit[];
}

export class ReplicaStore {
  readonly #store: RecordStore;
  readonly #onFailure: (error: unknown) => void;
  /** Tells the edits of this object from those of others that keep the same replica. */
  readonly #writer = uint32();
  #records = 0;
  #recordsMax = RECORDS_MAX;
  #hasFailed = false;

  constructor(store: RecordStore, onFailure: (error: unknown) => void) {
    this.#store = store;
    this.#onFailure = onFailure;
  }

  async load(): Promise<StoredReplica> {
    const bytes = await this.#store.load();
    this.#records = bytes.length;
    const records = bytes.map(readRecord);
    const saved = new Map<number, number>();
    for (const record of records) if (record.kind === KIND.saved) saved.set(record.writer, record.number);
    const updates = records.filter((record) => record.kind === KIND.update || record.kind === KIND.edit);
    const epoch = updates.length === 0 ? undefined : Math.max(...updates.map((record) => record.epoch));
    const unsaved = updates
      .filter((record) => record.kind === KIND.edit)
      .filter(({ writer, number }) => number > (saved.get(writer) ?? 0));
    const bytesOf = ({ update }: { readonly update: Uint8Array }): Uint8Array => update;
    return {
      epoch,
      updates: updates.filter((record) => record.epoch === epoch).map(bytesOf),
      edits: unsaved.filter((record) => record.epoch === epoch).map(bytesOf),
      strays: unsaved.filter((record) => record.epoch !== epoch).map(bytesOf),
    };
  }

  /** Adds an update, with `number` if it is an edit. `replica` is asked for everything, this included, when it is time to fold. */
  record(update: Uint8Array, epoch: number, number: number | undefined, replica: () => KeptReplica): void {
    if (++this.#records > this.#recordsMax) this.replace(replica());
    else this.#append(updateRecord(epoch, update, number === undefined ? undefined : { writer: this.#writer, number }));
  }

  /** The edits up to this number are saved. */
  recordSaved(number: number): void {
    this.#records++;
    this.#append(savedRecord(this.#writer, number));
  }

  /** Forgets everything but this. */
  replace({ epoch, state, edits }: KeptReplica): void {
    const writer = this.#writer;
    const records = edits.map(({ number, update }) => updateRecord(epoch, update, { writer, number }));
    this.#records = records.length + 1;
    this.#recordsMax = Math.max(RECORDS_MAX, 2 * this.#records);
    this.#attempt(() => this.#store.replace([updateRecord(epoch, state, undefined), ...records]));
  }

  /** Waits for what was recorded. */
  async close(): Promise<void> {
    await this.#store.close().catch((error: unknown) => this.#fail(error));
  }

  #append(record: Uint8Array): void {
    this.#attempt(() => this.#store.append(record));
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

type StoredRecord =
  | { readonly kind: typeof KIND.update; readonly epoch: number; readonly update: Uint8Array }
  | ({ readonly kind: typeof KIND.edit; readonly epoch: number; readonly update: Uint8Array } & EditName)
  | ({ readonly kind: typeof KIND.saved } & EditName)
  | { readonly kind: "unknown" };

interface EditName {
  readonly writer: number;
  readonly number: number;
}

function readRecord(record: Uint8Array): StoredRecord {
  const decoder = decoding.createDecoder(record);
  const kind = decoding.readUint8(decoder);
  if (kind === KIND.saved)
    return { kind, writer: decoding.readVarUint(decoder), number: decoding.readVarUint(decoder) };
  if (kind !== KIND.update && kind !== KIND.edit) return { kind: "unknown" };
  const epoch = decoding.readVarUint(decoder);
  if (kind === KIND.update) return { kind, epoch, update: decoding.readTailAsUint8Array(decoder) };
  const writer = decoding.readVarUint(decoder);
  const number = decoding.readVarUint(decoder);
  return { kind, epoch, writer, number, update: decoding.readTailAsUint8Array(decoder) };
}

function updateRecord(epoch: number, update: Uint8Array, edit: EditName | undefined): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeUint8(encoder, edit === undefined ? KIND.update : KIND.edit);
    encoding.writeVarUint(encoder, epoch);
    if (edit !== undefined) writeEditName(encoder, edit);
    encoding.writeUint8Array(encoder, update);
  });
}

function savedRecord(writer: number, number: number): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeUint8(encoder, KIND.saved);
    writeEditName(encoder, { writer, number });
  });
}

function writeEditName(encoder: encoding.Encoder, { writer, number }: EditName): void {
  encoding.writeVarUint(encoder, writer);
  encoding.writeVarUint(encoder, number);
}
