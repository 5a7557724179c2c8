/**
 * The records that belong to no context: what the store is, which contexts it has, and what lies beside them.
 *
 * Not here: contexts (context-check.ts), files (verify-folder.ts).
 */
import { ServiceError } from "../../../shared/errors.ts";
import { COLLECTIONS, type DumpedRecord } from "../change-log.ts";
import * as keys from "../log/log-keys.ts";
import { newerFormat, unfinishedCopy, type StoredRecord } from "../log/record.ts";
import { decodeContext, decodeNumber, decodeSideRecord, type ContextRecord } from "../log/record-codec.ts";
import { firstSentence } from "./first-sentence.ts";
import { KeyPairs } from "./key-pairs.ts";
import type { RecordCursor, RecordSource } from "./record-cursor.ts";

export interface ServerFacts {
  /** The id under which the server writes; 0 when it is lost: owners of client ids cannot be told then. */
  readonly nodeClientId: number;
  readonly openedAtMs: number | undefined;
  readonly contexts: ReadonlyMap<number, ContextRecord>;
  /** Numbers of contexts that were being deleted. */
  readonly purged: ReadonlySet<number>;
}

const NAMED_KEYS = [keys.FORMAT_KEY, keys.NODE_KEY, keys.OPEN_KEY];

export class ServerCheck {
  readonly pairs = new KeyPairs();
  readonly #source: RecordSource;
  readonly #tell: (what: string) => void;
  #contexts: ReadonlyMap<number, ContextRecord> = new Map();

  constructor(source: RecordSource, tell: (what: string) => void) {
    this.#source = source;
    this.#tell = tell;
  }

  /**
   * @param mayBeLost places of the store cannot be read: what is not there may have been there
   * @throws {ServiceError} DATA_DAMAGED when the store is none of this program's, DATA_FORMAT_NEWER
   */
  async read(folder: string, mayBeLost: () => boolean): Promise<ServerFacts> {
    if ((await this.#source.get(keys.COPY_KEY)) !== undefined) throw unfinishedCopy(folder);
    if (!(await this.#isOurs()) && !mayBeLost()) throw notOurs(folder);
    const version = await this.#number(keys.FORMAT_KEY, "format record");
    if (version !== undefined && version > keys.LAYOUT_VERSION) throw newerFormat(`The data in ${folder}`);
    const nodeClientId = (await this.#number(keys.NODE_KEY, "node record")) ?? 0;
    const openedAtMs = await this.#number(keys.OPEN_KEY, "open record");
    const purged = new Set<number>();
    for await (const [key] of this.#numbered("p", 1)) purged.add(keys.contextNumberOf(key));
    return { nodeClientId, openedAtMs, contexts: (this.#contexts = await this.#readNames()), purged };
  }

  /** A key that nobody here wrote. */
  stray(key: Uint8Array): void {
    this.#tell(`The key ${Buffer.from(key).toString("hex")} is none of this program's`);
  }

  async checkRecords(records: RecordCursor): Promise<void> {
    for await (const record of records.rest(keys.SERVER)) {
      const collection = keys.collectionOf(record[0]) ?? "";
      const name = `record "${keys.recordNameOf(record[0])}" of ${collection}`;
      this.#try(record, name, decodeSideRecord);
      if (!COLLECTIONS.some((known) => known === collection)) this.#tell(`The collection "${collection}" is none`);
    }
  }

  /** What is left when all contexts have told their idempotency records to `pairs`. */
  async checkRest(): Promise<void> {
    for await (const record of this.#all(keys.allOf("e"))) {
      const id = keys.contextIdOf(record[0]);
      this.#try(record, `epoch of the deleted context "${id}"`, decodeNumber);
    }
    for await (const [key] of this.#numbered("t", 2))
      // those of a deleted context are left to their time
      if (this.#contexts.has(keys.expiringContextOf(key))) this.pairs.expiry(key);
    if (this.pairs.problem !== undefined) this.#tell(this.pairs.problem);
    for await (const [key] of this.#unknown()) this.stray(key);
  }

  /** One record of what the store is may be damaged; without any it is somebody else's. */
  async #isOurs(): Promise<boolean> {
    for (const key of NAMED_KEYS) if ((await this.#source.get(key)) !== undefined) return true;
    return false;
  }

  async #readNames(): Promise<ReadonlyMap<number, ContextRecord>> {
    const contexts = new Map<number, ContextRecord>();
    for await (const record of this.#all(keys.allOf("c"))) {
      const id = keys.contextIdOf(record[0]);
      const context = this.#try(record, `name of context "${id}"`, decodeContext);
      if (context === undefined) continue;
      if (context.meta.id !== id) this.#tell(`The name of context "${id}" says "${context.meta.id}"`);
      const other = contexts.get(context.number);
      if (other !== undefined) this.#tell(`The contexts "${other.meta.id}" and "${id}" have one number`);
      contexts.set(context.number, context);
    }
    return contexts;
  }

  async *#unknown(): AsyncGenerator<DumpedRecord, void> {
    for await (const record of this.#all({ gte: Buffer.from("!"), lt: Buffer.from('"') }))
      if (!NAMED_KEYS.some((key) => Buffer.compare(key, record[0]) === 0)) yield record;
    let gte: Uint8Array = new Uint8Array();
    for (const letter of keys.LETTERS) {
      yield* this.#all({ gte, lt: Buffer.from(letter) });
      gte = Buffer.from([letter.charCodeAt(0) + 1]);
    }
    yield* this.#all({ gte, lt: keys.EVERYTHING.lt });
  }

  async *#numbered(letter: "p" | "t", numbers: number): AsyncGenerator<DumpedRecord, void> {
    for await (const record of this.#all(keys.allOf(letter))) {
      if (keys.hasNumbers(record[0], numbers)) yield record;
      else this.stray(record[0]);
    }
  }

  async *#all(range: keys.KeyRange): AsyncGenerator<DumpedRecord, void> {
    for await (const page of this.#source.pages(range)) yield* page;
  }

  async #number(key: Uint8Array, name: string): Promise<number | undefined> {
    const value = await this.#source.get(key);
    if (value !== undefined) return this.#try([key, value], name, decodeNumber);
    this.#tell(`The ${name} is missing`);
    return undefined;
  }

  /** Undefined when the record is damaged, which is told. */
  #try<T>([key, value]: DumpedRecord, name: string, decode: (record: StoredRecord) => T): T | undefined {
    try {
      return decode({ key, value, name });
    } catch (error) {
      this.#tell(error instanceof ServiceError ? firstSentence(error.message) : `The ${name} cannot be read`);
      return undefined;
    }
  }
}

function notOurs(folder: string): ServiceError {
  const text = `${folder} holds a database, but none of this program.`;
  return new ServiceError("DATA_DAMAGED", `${text} Name a data folder, or a backup.`);
}
