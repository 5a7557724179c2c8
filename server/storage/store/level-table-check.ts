/**
 * Finds damage in a sorted table of LevelDB (NNNNNN.ldb), which LevelDB notices only when it happens to read the place.
 *
 *   data blocks, index block, … , footer (48 bytes): handle of the meta index, handle of the index, filler, magic number
 *   a handle is <offset varint> <size varint>; behind each block stand its type (0 plain, 1 Snappy) and a masked crc32c of both
 *   an index entry is <shared varint> <unshared varint> <length varint> <key part> <handle>
 */
import { ByteReader } from "./level-bytes.ts";
import { maskedCrc32c } from "./crc32c.ts";

const FOOTER_BYTES = 48;
const TRAILER_BYTES = 5;
const MAGIC = Buffer.from("57fb808b247547db", "hex");

interface Handle {
  readonly offset: number;
  readonly size: number;
}

function readHandle(reader: ByteReader): Handle {
  return { offset: reader.varint(), size: reader.varint() };
}

/** What is wrong, as a clause; undefined when nothing is. `isDeep` reads the data too, not only the index. */
export function findTableDamage(file: Buffer, isDeep: boolean): string | undefined {
  if (file.length < FOOTER_BYTES || !file.subarray(-MAGIC.length).equals(MAGIC)) return "does not end as a table does";
  try {
    const footer = new ByteReader(file.subarray(-FOOTER_BYTES));
    const metaIndex = readHandle(footer);
    const index = readHandle(footer);
    const handles = [metaIndex, ...(isDeep ? handlesIn(blockAt(file, index)) : [])];
    blockAt(file, index);
    for (const handle of handles) blockAt(file, handle);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : "cannot be read";
  }
}

/** The block's bytes as stored, with its type; @throws when its checksum is wrong */
function blockAt(file: Buffer, { offset, size }: Handle): { readonly bytes: Buffer; readonly type: number } {
  const end = offset + size;
  if (end + TRAILER_BYTES > file.length) throw new Error(`has a block outside of itself, at byte ${offset}`);
  const stored = file.readUInt32LE(end + 1);
  if (stored !== maskedCrc32c(file.subarray(offset, end + 1)))
    throw new Error(`has a wrong checksum at byte ${offset}`);
  return { bytes: file.subarray(offset, end), type: file[end] ?? 0 };
}

function handlesIn({ bytes, type }: { readonly bytes: Buffer; readonly type: number }): readonly Handle[] {
  const index = type === 1 ? unsnap(bytes) : bytes;
  const restarts = index.readUInt32LE(index.length - 4);
  const reader = new ByteReader(index.subarray(0, index.length - 4 * (restarts + 1)));
  const handles: Handle[] = [];
  while (reader.hasMore) {
    reader.varint(); // bytes shared with the key before
    const unshared = reader.varint();
    reader.varint(); // length of the value, which a handle says itself
    reader.skip(unshared);
    handles.push(readHandle(reader));
  }
  return handles;
}

/** Snappy's raw format: the length, then literals and copies of what came before. */
function unsnap(bytes: Buffer): Buffer {
  const reader = new ByteReader(bytes);
  const out = Buffer.alloc(reader.varint());
  let at = 0;
  while (reader.hasMore) {
    const tag = reader.byte();
    const kind = tag & 3;
    if (kind === 0) {
      const short = tag >> 2;
      const length = 1 + (short < 60 ? short : reader.little(short - 59));
      at += reader.take(length).copy(out, at);
      continue;
    }
    const length = kind === 1 ? 4 + ((tag >> 2) & 7) : 1 + (tag >> 2);
    const offset = kind === 1 ? ((tag >> 5) << 8) | reader.byte() : reader.little(kind === 2 ? 2 : 4);
    // Byte by byte: a copy may overlap what it writes.
    for (let i = 0; i < length; i++, at++) out[at] = out[at - offset] ?? 0;
  }
  return out;
}
