/**
 * The disk under the data folder: room, the folder's own size, and how fast the file system answers.
 *
 * 1. Files are looked at, never opened: opening LevelDB's LOCK would lose the lock (storage/store/level-store.ts).
 *
 * Not here: when it is looked at (sampler.ts).
 */
import { readdir, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { DiskVitals } from "./vitals.ts";

/** Counting a folder asks for each of its files; LevelDB has one for each 2 MB. */
const FOLDER_MS = 60_000;
const FILES_MAX = 100_000;
const DEPTH_MAX = 3;

export class DiskProbe {
  readonly #folder: string;
  readonly #nowMs: () => number;
  #folderBytes = 0;
  #countedAtMs = -Infinity;

  /** @param nowMs monotonic */
  constructor(folder: string, nowMs: () => number) {
    this.#folder = folder;
    this.#nowMs = nowMs;
  }

  /** @throws Node's error when the folder is not there */
  async look(): Promise<DiskVitals> {
    const startedAtMs = this.#nowMs();
    const { bavail, blocks, bsize } = await statfs(this.#folder);
    const answerMs = this.#nowMs() - startedAtMs;
    if (startedAtMs - this.#countedAtMs >= FOLDER_MS) {
      this.#countedAtMs = startedAtMs;
      this.#folderBytes = await bytesIn(this.#folder);
    }
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, folderBytes: this.#folderBytes, answerMs };
  }
}

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  let left = FILES_MAX;
  const add = async (path: string, depth: number): Promise<void> => {
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (left-- <= 0) return;
      const inner = join(path, entry.name);
      if (entry.isDirectory() && depth < DEPTH_MAX) await add(inner, depth + 1);
      // LevelDB deletes files while we look
      if (entry.isFile())
        bytes += await stat(inner)
          .then(({ size }) => size)
          .catch(() => 0);
    }
  };
  await add(folder, 1).catch(() => undefined);
  return bytes;
}
