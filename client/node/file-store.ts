/**
 * RecordStore in files, for Node: one append-only file for each replica.
 *
 * A file is a list of records: length (u32, little endian), CRC-32 of the bytes (u32), the bytes.
 *
 * Invariants:
 *  1. A write that a crash cut short is found by its length or checksum, and cut off before anything is appended.
 *  2. Appends are flushed to the disk in batches, in order; `replace` writes a new file and renames it over the old.
 *  3. One open store for a file in this process. Give each process a folder of its own: nothing guards against two.
 */
import { createHash } from "node:crypto";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Persistence, RecordStore } from "../replica-store.ts";

const HEADER_BYTES = 8;

/** Keeps replicas as files in `folder`, which is made when it is not there. */
export function fileStore(folder: string): Persistence {
  const inUse = new Set<string>();
  return {
    async open(name) {
      await mkdir(folder, { recursive: true });
      const path = join(folder, `${createHash("sha256").update(name).digest("hex").slice(0, 32)}.replica`);
      if (inUse.has(path))
        throw new Error("This context is open already with this file store. Use the open one, or close it first.");
      inUse.add(path);
      return new FileStore(path, await open(path, "a+"), () => inUse.delete(path));
    },
  };
}

class FileStore implements RecordStore {
  readonly #path: string;
  readonly #released: () => void;
  #file: FileHandle;
  #last: Promise<unknown> = Promise.resolve();
  /** Records that the next write takes with it, and that write. */
  #batch: { readonly records: Uint8Array[]; readonly written: Promise<void> } | undefined;

  constructor(path: string, file: FileHandle, released: () => void) {
    this.#path = path;
    this.#file = file;
    this.#released = released;
  }

  load(): Promise<readonly Uint8Array[]> {
    return this.#inTurn(async () => {
      const { records, end } = parseRecords(await readFile(this.#path));
      await this.#file.truncate(end);
      return records;
    });
  }

  append(record: Uint8Array): Promise<void> {
    this.#batch ??= this.#startBatch();
    this.#batch.records.push(record);
    return this.#batch.written;
  }

  replace(records: readonly Uint8Array[]): Promise<void> {
    // what is appended from now on comes after
    this.#batch = undefined;
    return this.#inTurn(async () => {
      const next = await open(`${this.#path}.new`, "w");
      await next.writeFile(Buffer.concat(records.map(frame)));
      await next.datasync();
      await next.close();
      await rename(`${this.#path}.new`, this.#path);
      await this.#file.close();
      this.#file = await open(this.#path, "a+");
    });
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#file.close();
    this.#released();
  }

  #startBatch(): { readonly records: Uint8Array[]; readonly written: Promise<void> } {
    const records: Uint8Array[] = [];
    const written = this.#inTurn(async () => {
      if (this.#batch?.records === records) this.#batch = undefined;
      await this.#file.appendFile(Buffer.concat(records.map(frame)));
      await this.#file.datasync();
    });
    return { records, written };
  }

  #inTurn<Result>(task: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(task);
    this.#last = turn.catch(() => {});
    return turn;
  }
}

function frame(record: Uint8Array): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(record.byteLength, 0);
  header.writeUInt32LE(crc32(record), 4);
  return Buffer.concat([header, record]);
}

/** The whole records of a file, and where the last of them ends. */
function parseRecords(bytes: Buffer): { records: Uint8Array[]; end: number } {
  const records: Uint8Array[] = [];
  let end = 0;
  while (end + HEADER_BYTES <= bytes.byteLength) {
    const from = end + HEADER_BYTES;
    const to = from + bytes.readUInt32LE(end);
    const record = bytes.subarray(from, to);
    if (to > bytes.byteLength || record.byteLength === 0 || crc32(record) !== bytes.readUInt32LE(end + 4)) break;
    records.push(new Uint8Array(record));
    end = to;
  }
  return { records, end };
}
