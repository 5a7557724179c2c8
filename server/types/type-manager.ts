/**
 * The types of contexts: all of them in memory, ready for checking, and kept in the log's side records.
 *
 * Invariants (TYPE):
 *  1. What is registered is durable before it is used; registrations take effect one after the other.
 *  2. The revision counts the different schemas registered under a name: the same one again changes nothing.
 *  3. There are at most `typesMax`.
 *
 * Not here: the contexts that have a type (server/use-cases/context-types.ts), what a schema may say (server/state/schema).
 */
import type { ContextType } from "../../shared/context-type.ts";
import { ServiceError } from "../../shared/errors.ts";
import { parseActor } from "../../shared/ids.ts";
import type { Actor } from "../../shared/ids.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";
import { compileSchema } from "../state/schema/context-schema.ts";
import type { ContextSchema } from "../state/schema/context-schema.ts";
import type { ChangeLog, SideRecord } from "../storage/change-log.ts";
import { readTypeFolder } from "./type-folder.ts";
import { checkTypeName } from "./type-name.ts";

/** Where types are kept; StorageManager and every ChangeLog fit. */
export type TypeStore = Pick<ChangeLog, "listRecords" | "writeRecords"> & Partial<Pick<ChangeLog, "isShared">>;

export interface TypeManagerOptions {
  readonly storage: TypeStore;
  readonly clock: Clock;
}

/** Called with the name of a type that was registered, replaced or deleted. */
export type TypeListener = (name: string) => void;

interface Entry {
  readonly type: ContextType;
  readonly schema: ContextSchema;
}

const PAGE = 100;
/** Who registers the types of a folder. */
const SERVER: Actor = parseActor("server");

export class TypeManager {
  readonly #storage: TypeStore;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<TypeListener>();
  #last: Promise<unknown> = Promise.resolve();

  constructor({ storage, clock }: TypeManagerOptions) {
    this.#storage = storage;
    this.#clock = clock;
  }

  /**
   * Takes in what is stored: first when the storage is open, and again when another server may have written.
   * @throws {ServiceError} DATA_DAMAGED, STORE_UNAVAILABLE
   */
  load(): Promise<void> {
    return this.#inTurn(() => this.#takeStored());
  }

  /**
   * Registers every `*.json` of a folder; the name of a file, without the ending, is the type's. All or none.
   * @throws {ServiceError} INVALID_SCHEMA and others, naming the file
   */
  async loadFolder(folder: string): Promise<void> {
    for (const { name, schema } of await readTypeFolder(folder)) await this.put(name, schema, SERVER);
  }

  /** What contexts of the type keep to; undefined when no such type is registered. */
  schemaOf(name: string | undefined): ContextSchema | undefined {
    return name === undefined ? undefined : this.#entries.get(name)?.schema;
  }

  /** Takes in first what other servers registered. @throws {ServiceError} STORE_UNAVAILABLE */
  async freshSchemaOf(name: string | undefined): Promise<ContextSchema | undefined> {
    if (name !== undefined) await this.freshen();
    return this.schemaOf(name);
  }

  get(name: string): ContextType | undefined {
    return this.#entries.get(name)?.type;
  }

  /** Takes in what other servers registered: an answer tells it. @throws {ServiceError} STORE_UNAVAILABLE */
  async freshen(): Promise<void> {
    if (this.#storage.isShared === true) await this.load();
  }

  /** In order of name. */
  list(): readonly ContextType[] {
    return [...this.#entries.values()].map(({ type }) => type).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** What `put` would make of it. @throws {ServiceError} INVALID_REQUEST for the name, INVALID_SCHEMA, LIMIT_EXCEEDED */
  draft(name: string, schema: JsonObject, actor: Actor): Entry {
    checkTypeName(name);
    const compiled = compileSchema(schema);
    const present = this.#entries.get(name);
    if (present !== undefined && JSON.stringify(present.type.schema) === JSON.stringify(schema)) return present;
    if (present === undefined && this.#entries.size >= LIMITS.typesMax) {
      throw new ServiceError("LIMIT_EXCEEDED", `There are ${LIMITS.typesMax} types, which is the limit. Delete one.`, {
        details: { limit: LIMITS.typesMax },
      });
    }
    const revision = (present?.type.revision ?? 0) + 1;
    const type = { name, schema, revision, updatedAtMs: this.#clock.nowMs(), updatedBy: actor };
    return { type, schema: compiled };
  }

  /** @throws {ServiceError} INVALID_REQUEST for the name, INVALID_SCHEMA, LIMIT_EXCEEDED, STORE_UNAVAILABLE */
  put(name: string, schema: JsonObject, actor: Actor): Promise<Entry> {
    return this.#inTurn(async () => {
      if (this.#storage.isShared === true) await this.#takeStored();
      const entry = this.draft(name, schema, actor);
      if (entry === this.#entries.get(name)) return entry;
      await this.#write(name, recordOf(entry.type));
      this.#entries.set(name, entry);
      this.#tell(name);
      return entry;
    });
  }

  /** @throws {ServiceError} TYPE_NOT_FOUND, STORE_UNAVAILABLE */
  delete(name: string): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#storage.isShared === true) await this.#takeStored();
      if (!this.#entries.has(name)) throw typeNotFound();
      await this.#write(name, null);
      this.#entries.delete(name);
      this.#tell(name);
    });
  }

  onChange(listener: TypeListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async #takeStored(): Promise<void> {
    const gone = new Set(this.#entries.keys());
    for (let after: string | undefined; ;) {
      const query = { limit: PAGE, ...(after === undefined ? {} : { after }) };
      const records = await this.#storage.listRecords(undefined, "types", query);
      for (const record of records) {
        gone.delete(record.key);
        this.#take(record);
      }
      after = records.at(-1)?.key;
      if (records.length < PAGE) break;
    }
    for (const name of gone) {
      this.#entries.delete(name);
      this.#tell(name);
    }
  }

  #take(record: SideRecord): void {
    const { key: name, value } = record;
    const present = this.#entries.get(name);
    if (present !== undefined && JSON.stringify(recordOf(present.type)) === JSON.stringify(value)) return;
    this.#entries.set(name, entryOf(record));
    this.#tell(name);
  }

  #tell(name: string): void {
    for (const listener of this.#listeners) listener(name);
  }

  #write(key: string, value: JsonObject | null): Promise<void> {
    return this.#storage.writeRecords(undefined, [{ collection: "types", key, value }]);
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }
}

export function typeNotFound(): ServiceError {
  return new ServiceError("TYPE_NOT_FOUND", "No type of this name is registered. List the types, or register it.");
}

function recordOf({ schema, revision, updatedAtMs, updatedBy }: ContextType): JsonObject {
  return { schema, revision, updatedAtMs, updatedBy };
}

function entryOf({ key: name, value }: SideRecord): Entry {
  const { schema, revision, updatedAtMs, updatedBy } = value;
  if (
    !isJsonObject(schema) ||
    typeof revision !== "number" ||
    typeof updatedAtMs !== "number" ||
    typeof updatedBy !== "string"
  ) {
    throw unusable(name);
  }
  try {
    const type = { name, schema, revision, updatedAtMs, updatedBy: parseActor(updatedBy) };
    return { type, schema: compileSchema(schema) };
  } catch (error) {
    throw unusable(name, error);
  }
}

function unusable(name: string, cause?: unknown): ServiceError {
  const why = cause instanceof Error ? ` (${cause.message})` : "";
  return new ServiceError(
    "DATA_DAMAGED",
    `The type ${name} in the data folder cannot be used by this release${why}. Start the release that wrote it, and delete or correct the type there.`,
    { cause },
  );
}
