/**
 * The store on LevelDB (classic-level), one folder, one process.
 *
 * Invariants: those of the port (store.ts). The folder's files are checked once, at the first open (level-folder.ts).
 *
 * Not here: reopening after a failure (storage-manager.ts).
 */
import { mkdir, open } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { ClassicLevel, type Snapshot } from "classic-level";
import { ServiceError } from "../../shared/errors.ts";
import { checkLevelFolder } from "./level-folder.ts";
import { damaged } from "./record.ts";
import type { KeyValueStore, StoreItem, StoreOp, StoreRange, StoreView } from "./store.ts";

/** One read of an iterator: so many items or bytes, whichever comes first. The library's 16 KiB would cost a turn for each few runs. */
const PAGE_ITEMS = 1000;
const PAGE_BYTES = 1024 * 1024;

type Database = ClassicLevel<Uint8Array, Uint8Array>;

export class LevelStore implements KeyValueStore {
  readonly location: string;
  #database: Database | undefined;
  #isChecked = false;

  constructor(folder: string) {
    this.location = resolve(folder);
  }

  async open(): Promise<void> {
    const database: Database = new ClassicLevel(this.location, { keyEncoding: "view", valueEncoding: "view" });
    try {
      await makeFolder(this.location);
      if (!this.#isChecked) await checkLevelFolder(this.location);
      await database.open();
    } catch (error) {
      await database.close().catch(() => undefined);
      throw openError(this.location, error);
    }
    this.#isChecked = true;
    this.#database = database;
  }

  async close(): Promise<void> {
    const database = this.#database;
    this.#database = undefined;
    await database?.close();
  }

  async batch(ops: readonly StoreOp[], options: { readonly sync: boolean }): Promise<void> {
    await this.#requireDatabase().batch([...ops], options);
  }

  async view<T>(use: (view: StoreView) => Promise<T>): Promise<T> {
    const database = this.#requireDatabase();
    const snapshot = database.snapshot();
    try {
      return await use({
        get: (key) => database.get(key, { snapshot }),
        pages: (range) => pagesOf(database, snapshot, range),
      });
    } catch (error) {
      throw readError(this.location, error);
    } finally {
      await snapshot.close();
    }
  }

  #requireDatabase(): Database {
    if (this.#database === undefined)
      throw new ServiceError("STORE_UNAVAILABLE", "The data folder is not open. Try again in a moment.");
    return this.#database;
  }
}

async function* pagesOf(
  database: Database,
  snapshot: Snapshot,
  range: StoreRange,
): AsyncIterable<readonly StoreItem[]> {
  const { gte, lt, reverse = false, limit = -1 } = range;
  const options = {
    gte,
    lt,
    reverse,
    limit: limit === Infinity ? -1 : limit,
    snapshot,
    highWaterMarkBytes: PAGE_BYTES,
  };
  const iterator = database.iterator(options);
  try {
    for (;;) {
      const page = await iterator.nextv(limit > 0 ? Math.min(limit, PAGE_ITEMS) : PAGE_ITEMS);
      if (page.length === 0) return;
      yield page;
    }
  } finally {
    await iterator.close();
  }
}

/** The new folder's own name must survive a power cut too. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined || process.platform === "win32") return;
  const parent = await open(dirname(first), "r");
  await parent.sync();
  await parent.close();
}

function openError(folder: string, error: unknown): ServiceError {
  if (error instanceof ServiceError) return error;
  const { code, message } = levelError(error);
  if (code === "LEVEL_LOCKED") {
    const text = `Another server has the data folder ${folder} open. Stop it, or start this one with another --data-dir.`;
    return new ServiceError("DATA_DIR_LOCKED", text, { details: { file: join(folder, "LOCK") }, cause: error });
  }
  if (code === "LEVEL_CORRUPTION")
    return damaged(`The data folder ${folder} is damaged: ${message}`, { folder }, error);
  const text = `The data folder ${folder} cannot be opened: ${message}. Check its disk space, owner and permissions.`;
  return new ServiceError("STORE_UNAVAILABLE", text, { details: { folder }, cause: error });
}

function readError(folder: string, error: unknown): unknown {
  const { code, message } = levelError(error);
  return code === "LEVEL_CORRUPTION"
    ? damaged(`The data folder ${folder} is damaged: ${message}`, { folder }, error)
    : error;
}

/** LevelDB's own code and words: abstract-level wraps those of open(). */
function levelError(error: unknown): { readonly code: string | undefined; readonly message: string } {
  if (!(error instanceof Error)) return { code: undefined, message: String(error) };
  if (error.cause instanceof Error) return levelError(error.cause);
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  return { code, message: error.message };
}
