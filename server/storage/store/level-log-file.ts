/**
 * Reads a file of LevelDB's log format, and finds damage in it (NNNNNN.log, MANIFEST-NNNNNN), which LevelDB itself skips in silence.
 *
 *   32 KiB blocks of records: <masked crc32c, 4 LE> <length, 2 LE> <type, 1> <data>; the checksum covers type and data;
 *   type 1 is a whole batch, 2, 3, 4 are its first, middle and last part; fewer than 7 bytes at the end of a block are filler
 *
 * A bad record alone may be a batch that the power cut tore: it was never acknowledged. One with a later batch behind it is
 * damage, because a batch is written only after the one before it is on the disk.
 */
import { maskedCrc32c } from "./crc32c.ts";

const BLOCK_BYTES = 32_768;
const HEADER_BYTES = 7;
const WHOLE = 1;
const FIRST = 2;
const LAST = 4;

export interface LogFile {
  /** Each record as the parts it was written in. */
  readonly records: readonly (readonly Buffer[])[];
  readonly damagedAt: number | undefined;
}

export function readLogFile(file: Buffer): LogFile {
  const records: Buffer[][] = [];
  let badAt: number | undefined;
  for (let block = 0; block < file.length; block += BLOCK_BYTES) {
    const end = Math.min(block + BLOCK_BYTES, file.length);
    for (let at = block; at + HEADER_BYTES <= end;) {
      const next = at + HEADER_BYTES + file.readUInt16LE(at + 4);
      const type = file[at + 6] ?? 0;
      if (next > file.length) return { records, damagedAt: undefined }; // the file ends inside the record: torn
      if (!isSound(file, { at, next, end, type })) {
        badAt ??= at;
        break; // nothing says where the next record begins before the next block does
      }
      const begins = type === WHOLE || type === FIRST;
      if (badAt !== undefined && begins) return { records, damagedAt: badAt };
      if (begins) records.push([]);
      records.at(-1)?.push(file.subarray(at + HEADER_BYTES, next));
      at = next;
    }
  }
  return { records, damagedAt: undefined };
}

interface Place {
  readonly at: number;
  readonly next: number;
  readonly end: number;
  readonly type: number;
}

function isSound(file: Buffer, { at, next, end, type }: Place): boolean {
  if (type < WHOLE || type > LAST || next > end) return false;
  return file.readUInt32LE(at) === maskedCrc32c(file.subarray(at + 6, next));
}
