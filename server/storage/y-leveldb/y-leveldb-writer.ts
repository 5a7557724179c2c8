/**
 * Writes a data folder that a stock y-websocket server opens: through y-leveldb itself, and then read back.
 *
 * Invariants (DATA):
 *  1. The folder has its name only when it is whole and on the disk.
 *
 * Not here: what is written (server/cli/commands/export.ts).
 */
import { open, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { LeveldbPersistence } from "y-leveldb";
import { ServiceError } from "../../../shared/errors.ts";
import { YLevelReader } from "./y-leveldb-reader.ts";

export class YLevelWriter {
  readonly #folder: string;
  readonly #partial: string;
  readonly #database: LeveldbPersistence;
  /** Names and how long their updates are. */
  readonly #written = new Map<string, number>();

  private constructor(folder: string) {
    this.#folder = folder;
    this.#partial = `${folder}.partial`;
    this.#database = new LeveldbPersistence(this.#partial);
  }

  /** @throws {ServiceError} ALREADY_EXISTS when the folder holds something */
  static async create(path: string): Promise<YLevelWriter> {
    const folder = resolve(path);
    await removeEmpty(folder);
    await rm(`${folder}.partial`, { recursive: true, force: true });
    return new YLevelWriter(folder);
  }

  /** @param update the whole document, V1 */
  async add(name: string, update: Uint8Array): Promise<void> {
    if ((await this.#database.storeUpdate(name, update)) === null) throw failed(this.#folder);
    this.#written.set(name, update.length);
  }

  async finish(): Promise<void> {
    if ((await this.#database.destroy()) === null) throw failed(this.#folder);
    const read = new Map<string, number>();
    for await (const { name, updates } of (await YLevelReader.open(this.#partial)).documents())
      read.set(
        name,
        updates.reduce((sum, { length }) => sum + length, 0),
      );
    const isSame =
      read.size === this.#written.size && [...read].every(([name, bytes]) => this.#written.get(name) === bytes);
    if (!isSame) throw failed(this.#folder);
    for (const name of await readdir(this.#partial)) await syncFile(join(this.#partial, name));
    await rename(this.#partial, this.#folder);
  }

  async abandon(): Promise<void> {
    await this.#database.destroy();
    await rm(this.#partial, { recursive: true, force: true });
  }
}

/** An empty folder may be there; a rename does not replace it everywhere. */
async function removeEmpty(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => undefined);
  if (names === undefined) return;
  if (names.length === 0) return rmdir(folder);
  throw new ServiceError("ALREADY_EXISTS", `${folder} is not empty. Name a folder that is, or that there is not yet.`);
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function failed(folder: string): Error {
  return new Error(`${folder} could not be written. Check its disk space and permissions, and what was said above.`);
}
