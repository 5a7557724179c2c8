/**
 * A backup on disk: a data folder that `serve` opens, and what is known of how it was made.
 *
 *   <folder>/log/                 the store, as in any data folder
 *   <folder>/backup.json          BackupManifest; written when all else is on the disk
 *   <folder>/backup-incomplete    from the first byte until after the manifest
 *
 * Invariants:
 *  1. A folder with the mark `backup-incomplete` is not taken for data by anybody: `serve` and `verify` refuse it, and the
 *     next backup into it begins anew.
 *  2. Nothing that was there is written over: a folder that holds anything else is refused.
 *  3. All contexts in it are marked for a new epoch (restored-contexts.ts).
 *
 * Not here: where the records come from (backup-stream.ts, level-reader.ts).
 */
import { access, open, readdir, readFile, rm, unlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { ServiceError } from "../../../shared/errors.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { DumpedRecord } from "../change-log.ts";
import * as keys from "../log/log-keys.ts";
import { damaged } from "../log/record.ts";
import { decodeContext, decodeNumber, encodeSideRecord } from "../log/record-codec.ts";
import { putOp } from "../log/record-ops.ts";
import { BACKUP_MARK, EPOCH_MARK, RESTORED } from "../restored-contexts.ts";
import { LevelStore } from "../store/level-store.ts";
import type { StoreOp } from "../store/store.ts";
import type { BackupBegin } from "./backup-stream.ts";
import type { Digest } from "./record-digest.ts";
import { makeFolder } from "../store/make-folder.ts";

export const LOG_FOLDER = "log";
const MANIFEST_FILE = "backup.json";
const INCOMPLETE_FILE = "backup-incomplete";

/** How it was made, and what must be in it until a server opens it. */
export interface BackupManifest extends Omit<BackupBegin, "bytes">, Digest {
  /** Address or folder. */
  readonly from: string;
  /** When a server had opened the data last: a later time in the folder means that one has opened that. */
  readonly openedAtMs: number;
}

export class BackupFolder {
  readonly #folder: string;
  readonly #store: LevelStore;
  readonly #begin: BackupBegin;
  #contexts = 0;
  #openedAtMs = 0;

  private constructor(folder: string, begin: BackupBegin) {
    this.#folder = folder;
    this.#begin = begin;
    this.#store = new LevelStore(join(folder, LOG_FOLDER));
  }

  /**
   * An incomplete backup that is there is thrown away.
   * @throws {ServiceError} ALREADY_EXISTS when the folder holds anything else
   */
  static async create(folder: string, begin: BackupBegin): Promise<BackupFolder> {
    const made = new BackupFolder(resolve(folder), begin);
    await made.#prepare();
    return made;
  }

  get contexts(): number {
    return this.#contexts;
  }

  async add(records: readonly DumpedRecord[]): Promise<void> {
    const ops: StoreOp[] = [];
    for (const [key, value] of records) {
      ops.push({ type: "put", key, value });
      if (key[0] === "c".charCodeAt(0)) ops.push(this.#mark(key, value));
      if (Buffer.compare(key, keys.OPEN_KEY) === 0)
        this.#openedAtMs = decodeNumber({ key, value, name: "open record" });
    }
    await this.#store.batch(ops, { sync: false });
  }

  /** Puts all of it on the disk, and says last that it is whole. */
  async finish(from: string, digest: Digest): Promise<BackupManifest> {
    const { bytes: _expected, ...begin } = this.#begin;
    const restored = putOp(keys.recordKey(keys.SERVER, RESTORED, BACKUP_MARK), (key) =>
      encodeSideRecord(key, { takenAtMs: begin.takenAtMs, from }),
    );
    await this.#store.batch([restored], { sync: true });
    await this.#store.close();
    await syncAll(this.#store.location);
    const manifest = { ...begin, contexts: this.#contexts, ...digest, from, openedAtMs: this.#openedAtMs };
    await writeSynced(join(this.#folder, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
    await syncFolder(this.#folder);
    await unlink(join(this.#folder, INCOMPLETE_FILE));
    await syncFolder(this.#folder);
    return manifest;
  }

  /** It came to nothing: what was written goes, the mark last. */
  async abandon(): Promise<void> {
    await this.#store.close();
    await clear(this.#folder);
    await unlink(join(this.#folder, INCOMPLETE_FILE));
  }

  async #prepare(): Promise<void> {
    await makeFolder(this.#folder);
    const names = await readdir(this.#folder);
    if (names.length > 0 && !names.includes(INCOMPLETE_FILE)) {
      throw new ServiceError(
        "ALREADY_EXISTS",
        `${this.#folder} is not empty. Name a folder that is, or that there is not yet.`,
      );
    }
    await writeSynced(join(this.#folder, INCOMPLETE_FILE), "");
    await syncFolder(this.#folder);
    await clear(this.#folder);
    await this.#store.open();
  }

  #mark(contextKey: Uint8Array, value: Uint8Array): StoreOp {
    this.#contexts++;
    const name = `name of context "${keys.contextIdOf(contextKey)}"`;
    const { number } = decodeContext({ key: contextKey, value, name });
    return putOp(keys.recordKey(number, RESTORED, EPOCH_MARK), (key) => encodeSideRecord(key, {}));
  }
}

/** @throws {ServiceError} DATA_DAMAGED when the folder holds a backup that was not finished */
export async function refuseIncomplete(folder: string): Promise<void> {
  const mark = join(folder, INCOMPLETE_FILE);
  if (!(await exists(mark))) return;
  throw new ServiceError(
    "DATA_DAMAGED",
    `${folder} holds a backup that was cut short. Use another one, or take it again into the same folder.`,
    { details: { file: mark } },
  );
}

/** Undefined when the folder was not made by a backup. @throws {ServiceError} DATA_DAMAGED */
export async function readManifest(folder: string): Promise<BackupManifest | undefined> {
  const file = join(folder, MANIFEST_FILE);
  if (!(await exists(file))) return undefined;
  try {
    const manifest: unknown = JSON.parse(await readFile(file, "utf8"));
    if (isManifest(manifest)) return manifest;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw damaged(`${file} is not what a backup wrote`, { file });
}

function isManifest(value: unknown): value is BackupManifest {
  return (
    isJsonObject(value) &&
    ["format", "layout", "takenAtMs", "openedAtMs", "contexts", "records", "bytes"].every((name) =>
      Number.isSafeInteger(value[name]),
    ) &&
    ["release", "from", "sha256"].every((name) => typeof value[name] === "string")
  );
}

/** Only what a backup writes: whatever else somebody put there meanwhile stays. */
async function clear(folder: string): Promise<void> {
  await rm(join(folder, LOG_FOLDER), { recursive: true, force: true });
  await rm(join(folder, MANIFEST_FILE), { force: true });
}

async function writeSynced(file: string, text: string): Promise<void> {
  await writeFile(file, text, { flush: true });
}

async function syncAll(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await sync(join(folder, name), "r+");
  await syncFolder(folder);
}

/** The names in it. Windows has no way to say that, and no need. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform !== "win32") await sync(folder, "r");
}

async function sync(path: string, flags: "r" | "r+"): Promise<void> {
  const file = await open(path, flags);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
