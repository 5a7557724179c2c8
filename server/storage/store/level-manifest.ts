/**
 * What a LevelDB manifest says of the folder, as far as the folder can be held against it.
 *
 *   a log file (level-log-file.ts) of edits; an edit is a row of <tag varint> <fields>:
 *   1 comparator <text> · 2 log <n> · 3 next file <n> · 4 last sequence <n> · 5 compact pointer <level> <text>
 *   6 deleted table <level> <n> · 7 new table <level> <n> <bytes> <text> <text> · 9 previous log <n>;  a text is <length> <bytes>
 */
import { ByteReader } from "./level-bytes.ts";

export interface Manifest {
  /** The oldest log that is needed; 0 before the first. */
  readonly log: number;
  /** The tables in use, by number; others in the folder are left over from work that a crash cut short. */
  readonly tables: ReadonlyMap<number, TableRange>;
}

/** The first and the last key of a table. */
export interface TableRange {
  readonly first: Buffer;
  readonly last: Buffer;
}

/** @throws {Error} when an edit is not of this form; its message is a clause */
export function readManifest(edits: readonly (readonly Buffer[])[]): Manifest {
  const tables = new Map<number, TableRange>();
  let log = 0;
  for (const parts of edits) {
    const reader = new ByteReader(Buffer.concat(parts));
    while (reader.hasMore) log = readField(reader, tables) ?? log;
  }
  return { log, tables };
}

/** The log's number, if that is what the field says. */
function readField(reader: ByteReader, tables: Map<number, TableRange>): number | undefined {
  const tag = reader.varint();
  switch (tag) {
    case 1:
      return skipText(reader);
    case 2:
      return reader.varint();
    case 3:
    case 4:
    case 9:
      reader.varint();
      return undefined;
    case 5:
      reader.varint();
      return skipText(reader);
    case 6:
      reader.varint();
      tables.delete(reader.varint());
      return undefined;
    case 7: {
      reader.varint();
      const number = reader.varint();
      reader.varint(); // its bytes
      tables.set(number, { first: readKey(reader), last: readKey(reader) });
      return undefined;
    }
    default:
      throw new Error(`has an edit with the unknown tag ${tag}`);
  }
}

/** A key as LevelDB keeps it, without the eight bytes that say when it was written. */
function readKey(reader: ByteReader): Buffer {
  const stored = reader.take(reader.varint());
  return stored.subarray(0, Math.max(0, stored.length - 8));
}

function skipText(reader: ByteReader): undefined {
  reader.skip(reader.varint());
}
