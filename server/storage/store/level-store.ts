/**
 * The store on LevelDB (classic-level), one folder, one process.
 *
 * Invariants: those of the port (store.ts). The folder's files are checked once, at the first open (level-folder.ts).
 *
 * Trap: LevelDB's lock is a POSIX file lock, which a process loses as soon as it opens and closes the file LOCK once more, as
 * LevelDB itself does when the process opens the folder a second time. So this file counts the folders of its process; and
 * nobody may copy or read LOCK in the server's process.
 *
 * Not here: reopening after a failure (storage-manager.ts).
 */
import { open, readdir, realpath } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { ClassicLevel, type Snapshot } from "classic-level";
import { ServiceError } from "../../../shared/errors.ts";
import { checkLevelFolder, damagedFile } from "./level-folder.ts";
import type { KeyValueStore, StoreItem, StoreOp, StoreRange, StoreView } from "./store.ts";
import { makeFolder } from "./make-folder.ts";

/** One read of an iterator: so many items or bytes, whichever comes first. The library's 16 KiB would cost a turn for each few runs. */
const PAGE_ITEMS = 1000;
const PAGE_BYTES = 1024 * 1024;

type Database = ClassicLevel<Uint8Array, Uint8Array>;

/** Real paths of the folders that this process has open. */
const openFolders = new Set<string>();

export class LevelStore implements KeyValueStore {
  readonly location: string;
  #database: Database | undefined;
  #isChecked = false;
  #folder: string | undefined;

  constructor(folder: string) {
    this.location = resolve(folder);
  }

  async open(): Promise<void> {
    try {
      await makeDurableFolder(this.location);
      const folder = await realpath(this.location);
      if (openFolders.has(folder)) throw lockedError(this.location);
      openFolders.add(folder);
      this.#folder = folder;
      if (!this.#isChecked) await checkUndisturbed(folder);
      this.#isChecked = true;
      this.#database = await openDatabase(folder);
    } catch (error) {
      this.#release();
      throw openError(this.location, error);
    }
  }

  async close(): Promise<void> {
    const database = this.#database;
    this.#database = undefined;
    try {
      await database?.close();
    } finally {
      this.#release();
    }
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

  #release(): void {
    if (this.#folder !== undefined) openFolders.delete(this.#folder);
    this.#folder = undefined;
  }

  #requireDatabase(): Database {
    if (this.#database === undefined)
      throw new ServiceError("STORE_UNAVAILABLE", "The data folder is not open. Try again in a moment.");
    return this.#database;
  }
}

/**
 * Whether somebody else has the folder open, LevelDB says only when it opens it itself, which is too late for the check. Who
 * does makes and removes files, though: what is found while that happens is no damage.
 */
async function checkUndisturbed(folder: string): Promise<void> {
  const before = await readdir(folder);
  try {
    await checkLevelFolder(folder);
  } catch (error) {
    const after = await readdir(folder);
    throw before.sort().join() === after.sort().join() ? error : lockedError(folder, error);
  }
}

/** The constructor alone begins to open: nothing may come between. */
async function openDatabase(folder: string): Promise<Database> {
  const database: Database = new ClassicLevel(folder, { keyEncoding: "view", valueEncoding: "view" });
  try {
    await database.open();
    return database;
  } catch (error) {
    await database.close();
    throw error;
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
async function makeDurableFolder(folder: string): Promise<void> {
  const first = await makeFolder(folder);
  if (first === undefined || process.platform === "win32") return;
  const parent = await open(dirname(first), "r");
  await parent.sync();
  await parent.close();
}

function openError(folder: string, error: unknown): Error {
  if (error instanceof ServiceError) return error;
  const { code, message } = levelError(error);
  if (code === "LEVEL_LOCKED") return lockedError(folder, error);
  if (code === "LEVEL_CORRUPTION") return damagedBy(folder, error, message);
  const text = `The data folder ${folder} cannot be opened: ${message}. Check its disk space, owner and permissions.`;
  return new ServiceError("STORE_UNAVAILABLE", text, { details: { folder }, cause: error });
}

function lockedError(folder: string, cause?: unknown): ServiceError {
  const text = `Another server has the data folder ${folder} open. Stop it, or start this one with another --data-dir.`;
  return new ServiceError("DATA_DIR_LOCKED", text, { details: { file: join(folder, "LOCK") }, cause });
}

function readError(folder: string, error: unknown): unknown {
  const { code, message } = levelError(error);
  return code === "LEVEL_CORRUPTION" ? damagedBy(folder, error, message) : error;
}

/** LevelDB names the file only sometimes; what it says of none at the start is about the manifest. */
function damagedBy(folder: string, error: unknown, message: string): Error {
  const file = /(\d+\.(?:ldb|sst|log)|MANIFEST-\d+|CURRENT)/.exec(message)?.[1] ?? "MANIFEST";
  return damagedFile(folder, file, `cannot be read (${message})`, error);
}

/** LevelDB's own code and words: abstract-level wraps those of open(). */
function levelError(error: unknown): { readonly code: string | undefined; readonly message: string } {
  if (!(error instanceof Error)) return { code: undefined, message: String(error) };
  if (error.cause instanceof Error) return levelError(error.cause);
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  return { code, message: error.message };
}
