/**
 * The format of a sorted table of LevelDB (NNNNNN.ldb), as far as it takes to read one.
 *
 *   data blocks, index block, … , footer (48 bytes): handle of the meta index, handle of the index, filler, magic number
 *   a handle is <offset varint> <size varint>; behind each block stand its type (0 plain, 1 Snappy) and a masked crc32c of both
 *   a block holds entries <shared varint> <unshared varint> <length varint> <key part> <value>, then restarts (4 LE each) and their count
 *   in the index a value is the handle of a block, its key not before the block's last; a key ends with <type 1> <sequence 7 LE>
 *
 * Invariants:
 *  1. Whatever the bytes are, reading ends, stays within them, and fails with an Error whose message is a clause.
 *
 * Not here: which tables there are (level-manifest.ts), what reading several as one means (level-reader.ts).
 */
import { ByteReader } from "./level-bytes.ts";
import { maskedCrc32c } from "./crc32c.ts";

const FOOTER_BYTES = 48;
const TRAILER_BYTES = 5;
/** Behind the user's key: whether it was set or deleted, and when. */
const STAMP_BYTES = 8;
const MAGIC = Buffer.from("57fb808b247547db", "hex");
/** Snappy shrinks nothing further than this; a block that says otherwise would take memory for nothing. */
const UNPACKED_PER_BYTE_MAX = 64;

export interface Handle {
  readonly offset: number;
  readonly size: number;
}

export interface TableLayout {
  readonly metaIndex: Handle;
  readonly index: Handle;
}

/** A block of the index, and the last key that it may hold. */
export interface BlockPlace {
  readonly lastKey: Buffer;
  readonly handle: Handle;
}

/** One write of a key; of several the one with the highest `sequence` holds. */
export interface TableEntry {
  readonly key: Buffer;
  readonly sequence: number;
  /** Undefined when the key was deleted. */
  readonly value: Buffer | undefined;
}

export function layoutOf(file: Buffer): TableLayout {
  if (file.length < FOOTER_BYTES || !file.subarray(-MAGIC.length).equals(MAGIC))
    throw new Error("does not end as a table does");
  const footer = new ByteReader(file.subarray(-FOOTER_BYTES));
  return { metaIndex: readHandle(footer), index: readHandle(footer) };
}

export function blocksOf(file: Buffer, { index }: TableLayout): readonly BlockPlace[] {
  return itemsOf(blockAt(file, index)).map(({ key, value }) => ({
    lastKey: userKeyOf(key),
    handle: readHandle(new ByteReader(value)),
  }));
}

export function entriesOf(file: Buffer, handle: Handle): readonly TableEntry[] {
  return itemsOf(blockAt(file, handle)).map(({ key, value }) => {
    const stamp = key.subarray(key.length - STAMP_BYTES);
    const isDeletion = userKeyOf(key).length < key.length && stamp[0] === 0;
    // 56 bits; beyond 2^53 writes it would not be exact, and nothing lives so long
    const sequence = stamp.readUIntLE(1, 4) + stamp.readUIntLE(5, 3) * 2 ** 32;
    return { key: userKeyOf(key), sequence, value: isDeletion ? undefined : value };
  });
}

/** The content of a block; @throws when its checksum is wrong */
export function blockAt(file: Buffer, { offset, size }: Handle): Buffer {
  const end = offset + size;
  if (end + TRAILER_BYTES > file.length) throw new Error(`has a block outside of itself, at byte ${offset}`);
  const stored = file.readUInt32LE(end + 1);
  if (stored !== maskedCrc32c(file.subarray(offset, end + 1)))
    throw new Error(`has a wrong checksum at byte ${offset}`);
  const bytes = file.subarray(offset, end);
  return file[end] === 1 ? unsnap(bytes) : bytes;
}

function readHandle(reader: ByteReader): Handle {
  return { offset: reader.varint(), size: reader.varint() };
}

function userKeyOf(key: Buffer): Buffer {
  if (key.length < STAMP_BYTES) throw new Error("has a key that is cut short");
  return key.subarray(0, key.length - STAMP_BYTES);
}

interface BlockItem {
  readonly key: Buffer;
  readonly value: Buffer;
}

function itemsOf(block: Buffer): readonly BlockItem[] {
  if (block.length < 4) throw new Error("has a block that is cut short");
  const end = block.length - 4 * (block.readUInt32LE(block.length - 4) + 1);
  if (end < 0) throw new Error("has a block that is cut short");
  const reader = new ByteReader(block.subarray(0, end));
  const items: BlockItem[] = [];
  let key = Buffer.alloc(0);
  while (reader.hasMore) {
    const shared = reader.varint();
    const unshared = reader.varint();
    const length = reader.varint();
    if (shared > key.length) throw new Error("has a key that begins like none before it");
    key = Buffer.concat([key.subarray(0, shared), reader.take(unshared)]);
    items.push({ key, value: reader.take(length) });
  }
  return items;
}

/** Snappy's raw format: the length, then literals and copies of what came before. */
function unsnap(bytes: Buffer): Buffer {
  const reader = new ByteReader(bytes);
  const length = reader.varint();
  if (length > bytes.length * UNPACKED_PER_BYTE_MAX)
    throw new Error("has a block that claims to be larger than it can be");
  const out = Buffer.alloc(length);
  let at = 0;
  while (reader.hasMore) {
    const tag = reader.byte();
    const kind = tag & 3;
    if (kind === 0) {
      const short = tag >> 2;
      at += reader.take(1 + (short < 60 ? short : reader.little(short - 59))).copy(out, at);
    } else {
      at = copyBack(out, at, backReference(reader, tag));
    }
  }
  return out;
}

interface BackReference {
  readonly length: number;
  readonly offset: number;
}

function backReference(reader: ByteReader, tag: number): BackReference {
  if ((tag & 3) === 1) return { length: 4 + ((tag >> 2) & 7), offset: ((tag >> 5) << 8) | reader.byte() };
  return { length: 1 + (tag >> 2), offset: reader.little((tag & 3) === 2 ? 2 : 4) };
}

function copyBack(out: Buffer, at: number, { length, offset }: BackReference): number {
  if (offset === 0 || offset > at) throw new Error("has a block that cannot be unpacked");
  if (offset >= length) out.copyWithin(at, at - offset, at - offset + length);
  // byte by byte: what is copied overlaps what it is copied to
  else for (let i = 0; i < length; i++) out[at + i] = out[at + i - offset] ?? 0;
  return at + length;
}
