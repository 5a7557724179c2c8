/**
 * Reads the folder of a LevelDB without LevelDB, which would write into it as soon as it opens it.
 *
 * Invariants:
 *  1. Nothing in the folder is written, created or locked, and the file LOCK is not touched (level-store.ts says why).
 *  2. Every byte that is read has passed its checksum. What does not pass is told (`onDamage`) and left out; what an older table
 *     says of the same keys may then come up, so that after damage in its range no item can be relied upon.
 *  3. Memory: the log files, TABLES_BYTES_MAX of tables, and a block of each table that a pass is in.
 *
 * Not here: whether the folder is whole (level-folder.ts asks that before LevelDB opens it), what keys and values mean.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { LRUCache } from "lru-cache";
import { ServiceError } from "../../../shared/errors.ts";
import { damagedFile } from "./level-folder.ts";
import { writesOf } from "./level-batch.ts";
import { readLogFile } from "./level-log-file.ts";
import { readManifest, type Manifest } from "./level-manifest.ts";
import { blocksOf, entriesOf, layoutOf, type BlockPlace, type TableEntry } from "./level-table.ts";
import type { StoreItem, StoreRange } from "./store.ts";

/** A place that cannot be read, and between which keys it lies, both included; none of a file that may hold any. */
export interface LevelDamage {
  readonly file: string;
  /** A clause that begins with a verb. */
  readonly how: string;
  readonly keys?: { readonly first: Buffer; readonly last: Buffer };
}

const TABLES_BYTES_MAX = 64 * 1024 * 1024;
const PAGE_ITEMS = 1000;
const PAGE_BYTES = 1024 * 1024;
const DATA_FILE = /^(?:\d+\.(?:ldb|sst|log)|CURRENT|MANIFEST-\d+)$/;
const LOG_FILE = /^(\d+)\.log$/;
const TABLE_FILE = /^(\d+)\.(?:ldb|sst)$/;

interface Table {
  readonly bytes: Buffer;
  readonly blocks: readonly BlockPlace[];
}

/** The tables that the manifest names, and the writes that are in no table yet, in order of key. */
interface Content {
  readonly tables: readonly TablePlace[];
  readonly recent: readonly TableEntry[];
}

interface TablePlace {
  readonly name: string;
  readonly first: Buffer;
  readonly last: Buffer;
}

export class LevelReader {
  readonly location: string;
  readonly #onDamage: (damage: LevelDamage) => void;
  readonly #tables = new LRUCache<string, Table>({
    maxSize: TABLES_BYTES_MAX,
    sizeCalculation: ({ bytes }) => Math.max(1, bytes.length),
  });
  #content: Content = { tables: [], recent: [] };
  /** With their sizes. */
  #files: ReadonlyMap<string, number> = new Map();

  private constructor(location: string, onDamage: (damage: LevelDamage) => void) {
    this.location = location;
    this.#onDamage = onDamage;
  }

  /**
   * @param onDamage may throw, to end the reading
   * @throws {ServiceError} DATA_DAMAGED when it is no folder of LevelDB's, or what says which files there are is damaged
   */
  static async open(location: string, onDamage: (damage: LevelDamage) => void): Promise<LevelReader> {
    const reader = new LevelReader(location, onDamage);
    reader.#files = await filesIn(location);
    if (reader.#files.size === 0) throw noDatabase(location);
    reader.#content = await reader.#readContent([...reader.#files.keys()]);
    return reader;
  }

  /** Of the folder's files. */
  get bytes(): number {
    return [...this.#files.values()].reduce((sum, size) => sum + size, 0);
  }

  /** @throws {ServiceError} DATA_DIR_LOCKED when somebody wrote to the folder since it was opened */
  async assertUnchanged(): Promise<void> {
    const now = await filesIn(this.location);
    const isSame = now.size === this.#files.size && [...now].every(([name, size]) => this.#files.get(name) === size);
    if (!isSame) throw changedError(this.location);
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const after = Buffer.concat([key, Uint8Array.of(0)]);
    for await (const page of this.pages({ gte: key, lt: after })) for (const [, value] of page) return value;
    return undefined;
  }

  /** Ascending only. */
  async *pages({ gte, lt }: Pick<StoreRange, "gte" | "lt">): AsyncIterable<readonly StoreItem[]> {
    const [from, to] = [Buffer.from(gte), Buffer.from(lt)];
    const { tables, recent } = this.#content;
    const merge = new Merge(
      tables.filter(({ first, last }) => first.compare(to) < 0 && last.compare(from) >= 0),
      new Cursor([itemsFrom(recent, from, ({ key }) => key)]),
    );
    let page: StoreItem[] = [];
    let bytes = 0;
    for (;;) {
      for (let table = merge.wanted(); table !== undefined; table = merge.wanted())
        merge.open(new Cursor(this.#blocksFrom(table, await this.#table(table), from)));
      const newest = merge.next();
      if (newest === undefined || newest.key.compare(to) >= 0) break;
      if (newest.value === undefined) continue;
      page.push([newest.key, newest.value]);
      bytes += newest.key.length + newest.value.length;
      if (page.length < PAGE_ITEMS && bytes < PAGE_BYTES) continue;
      yield page;
      page = [];
      bytes = 0;
    }
    if (page.length > 0) yield page;
  }

  *#blocksFrom(place: TablePlace, { bytes, blocks }: Table, gte: Buffer): Iterable<readonly TableEntry[]> {
    let first = place.first;
    for (const { lastKey: last, handle } of blocks) {
      if (last.compare(gte) >= 0) {
        try {
          yield itemsFrom(entriesOf(bytes, handle), gte, ({ key }) => key);
        } catch (error) {
          this.#onDamage({ file: place.name, how: clauseOf(error), keys: { first, last } });
        }
      }
      first = last;
    }
  }

  async #table({ name, first, last }: TablePlace): Promise<Table> {
    const known = this.#tables.get(name);
    if (known !== undefined) return known;
    let table: Table = { bytes: Buffer.alloc(0), blocks: [] };
    try {
      const bytes = await readFile(join(this.location, name));
      table = { bytes, blocks: blocksOf(bytes, layoutOf(bytes)) };
    } catch (error) {
      this.#onDamage({ file: name, how: clauseOf(error), keys: { first, last } });
    }
    this.#tables.set(name, table);
    return table;
  }

  async #readContent(names: readonly string[]): Promise<Content> {
    const manifest = await this.#readManifest();
    const tables: TablePlace[] = [];
    for (const [number, range] of manifest.tables) {
      const name = names.find((one) => Number(TABLE_FILE.exec(one)?.[1]) === number);
      if (name !== undefined) tables.push({ name, ...range });
      else this.#onDamage({ file: `${String(number).padStart(6, "0")}.ldb`, how: "is missing", keys: range });
    }
    const logs = names.filter((name) => Number(LOG_FILE.exec(name)?.[1]) >= manifest.log);
    const recent: TableEntry[] = [];
    for (const name of logs.sort()) for (const write of await this.#readLog(name)) recent.push(write);
    return {
      tables: tables.sort((a, b) => a.first.compare(b.first)),
      recent: recent.sort((a, b) => a.key.compare(b.key)),
    };
  }

  async #readManifest(): Promise<Manifest> {
    if (!this.#files.has("CURRENT")) throw damagedFile(this.location, "CURRENT", "is missing");
    const current = await readFile(join(this.location, "CURRENT"), "latin1");
    const name = /^(MANIFEST-\d+)\n$/.exec(current)?.[1];
    if (name === undefined) throw damagedFile(this.location, "CURRENT", "does not name a manifest");
    if (!this.#files.has(name)) throw damagedFile(this.location, name, "is missing");
    try {
      return readManifest(await this.#records(name));
    } catch (error) {
      throw damagedFile(this.location, name, clauseOf(error), error);
    }
  }

  async #readLog(name: string): Promise<readonly TableEntry[]> {
    const writes: TableEntry[] = [];
    for (const parts of await this.#records(name)) {
      try {
        for (const write of writesOf(Buffer.concat(parts))) writes.push(write);
      } catch (error) {
        this.#onDamage({ file: name, how: clauseOf(error) });
      }
    }
    return writes;
  }

  async #records(name: string): Promise<readonly (readonly Buffer[])[]> {
    const { records, damagedAt } = readLogFile(await readFile(join(this.location, name)));
    if (damagedAt !== undefined) this.#onDamage({ file: name, how: `has a wrong record at byte ${damagedAt}` });
    return records;
  }
}

/** Without what LevelDB only locks and logs with. @throws {ServiceError} DATA_DAMAGED when there is no such folder */
async function filesIn(location: string): Promise<ReadonlyMap<string, number>> {
  const files = new Map<string, number>();
  for (const name of (await namesIn(location)).sort()) {
    if (!DATA_FILE.test(name)) continue;
    try {
      files.set(name, (await stat(join(location, name))).size);
    } catch (error) {
      throw isMissing(error) ? changedError(location) : error;
    }
  }
  return files;
}

async function namesIn(location: string): Promise<string[]> {
  try {
    return await readdir(location);
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw noDatabase(location);
  }
}

function noDatabase(location: string): ServiceError {
  return new ServiceError("DATA_DAMAGED", `There is no database at ${location}. Name the folder that holds it.`);
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}

function changedError(location: string): ServiceError {
  return new ServiceError(
    "DATA_DIR_LOCKED",
    `${location} was written to while it was read: a server has it open. Stop that, or take a backup from it (mcm backup --url) and use that.`,
  );
}

/** Several sources as one, in order of key. */
class Merge {
  #open: Cursor[];
  /** In order of their first key. */
  readonly #waiting: TablePlace[];

  constructor(waiting: readonly TablePlace[], recent: Cursor) {
    this.#waiting = waiting.toReversed();
    this.#open = [recent];
  }

  /** The table that must be opened before `next` is asked. */
  wanted(): TablePlace | undefined {
    const table = this.#waiting.at(-1);
    const key = this.#least();
    if (table === undefined || (key !== undefined && table.first.compare(key) > 0)) return undefined;
    return this.#waiting.pop();
  }

  open(cursor: Cursor): void {
    this.#open.push(cursor);
  }

  /** What was written last under the next key; undefined at the end. */
  next(): TableEntry | undefined {
    const key = this.#least();
    if (key === undefined) return undefined;
    let newest: TableEntry | undefined;
    for (const cursor of this.#open) {
      for (; cursor.entry?.key.equals(key) === true; cursor.advance()) {
        if (newest === undefined || cursor.entry.sequence > newest.sequence) newest = cursor.entry;
      }
    }
    if (this.#open.some(({ entry }) => entry === undefined))
      this.#open = this.#open.filter(({ entry }) => entry !== undefined);
    return newest;
  }

  #least(): Buffer | undefined {
    let least: Buffer | undefined;
    for (const { entry } of this.#open) {
      if (entry !== undefined && (least === undefined || entry.key.compare(least) < 0)) least = entry.key;
    }
    return least;
  }
}

/** Where a pass is in one table, or among the recent writes. */
class Cursor {
  readonly #blocks: Iterator<readonly TableEntry[]>;
  #entries: readonly TableEntry[] = [];
  #at = 0;

  constructor(blocks: Iterable<readonly TableEntry[]>) {
    this.#blocks = blocks[Symbol.iterator]();
    this.#fill();
  }

  /** Undefined at the end. */
  get entry(): TableEntry | undefined {
    return this.#entries[this.#at];
  }

  advance(): void {
    this.#at++;
    this.#fill();
  }

  #fill(): void {
    while (this.#at >= this.#entries.length) {
      const next = this.#blocks.next();
      if (next.done === true) return;
      this.#entries = next.value;
      this.#at = 0;
    }
  }
}

/** Those whose key is not before `gte`, of items in order of key. */
function itemsFrom<Item>(items: readonly Item[], gte: Buffer, keyOf: (item: Item) => Buffer): readonly Item[] {
  const at = items.findIndex((item) => keyOf(item).compare(gte) >= 0);
  return at < 0 ? [] : items.slice(at);
}

function clauseOf(error: unknown): string {
  return error instanceof Error ? error.message : "cannot be read";
}
