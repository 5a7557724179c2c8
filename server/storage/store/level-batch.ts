/**
 * Reads the batches in a log file of LevelDB: what was written since the last table.
 *
 *   <sequence 8 LE> <count 4 LE> then per write: 1 <key> <value>, or 0 <key> for a deletion; a key or value is <length varint> <bytes>
 *
 * Not here: the records that carry them (level-log-file.ts).
 */
import { ByteReader } from "./level-bytes.ts";
import type { TableEntry } from "./level-table.ts";

const HEADER_BYTES = 12;

/** @throws {Error} when the bytes are none; its message is a clause */
export function writesOf(batch: Buffer): readonly TableEntry[] {
  if (batch.length < HEADER_BYTES) throw new Error("has a batch that is cut short");
  const first = batch.readUInt32LE(0) + batch.readUInt32LE(4) * 2 ** 32;
  const reader = new ByteReader(batch.subarray(HEADER_BYTES));
  const writes: TableEntry[] = [];
  while (reader.hasMore) {
    const isDeletion = reader.byte() === 0;
    const key = reader.take(reader.varint());
    const value = isDeletion ? undefined : reader.take(reader.varint());
    writes.push({ key, sequence: first + writes.length, value });
  }
  return writes;
}
