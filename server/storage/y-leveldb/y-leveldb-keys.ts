/**
 * The keys of y-leveldb, in which the stock y-websocket server keeps its documents.
 *
 *   ["v1", name, "update", n]   the n-th Yjs update of a document, V1
 *   ["v1", name, "meta", key]   what an application keeps beside it
 *   ["v1_sv", name]             its state vector as of some update
 *
 * Each part is <0> <length varint> <UTF-8>, or <1> <4 bytes BE> for a number; so keys are in order of the name's length first.
 *
 * Not here: reading a folder (y-leveldb-reader.ts).
 */
import { createDecoder, hasContent, readUint8, readVarString } from "lib0/decoding";
import { createEncoder, toUint8Array, writeUint8, writeVarString } from "lib0/encoding";
import type { KeyRange } from "../log/log-keys.ts";

const TEXT = 0;
const NUMBER = 1;

type KeyPart = string | number;

/** What the key is made of; undefined when it is no key of y-leveldb. */
export function partsOf(key: Uint8Array): readonly KeyPart[] | undefined {
  const decoder = createDecoder(key);
  const parts: KeyPart[] = [];
  try {
    while (hasContent(decoder)) {
      const kind = readUint8(decoder);
      if (kind === TEXT) parts.push(readVarString(decoder));
      else if (kind === NUMBER && decoder.pos + 4 <= key.length) {
        parts.push(Buffer.from(key.buffer, key.byteOffset).readUInt32BE(decoder.pos));
        decoder.pos += 4;
      } else return undefined;
    }
  } catch {
    return undefined;
  }
  return decoder.pos === key.length ? parts : undefined;
}

/** Of all documents: their updates and metadata, document by document, updates in order. */
export const DOCUMENTS: KeyRange = { gte: textKey("v1"), lt: textKey("v2") };
/** One key for each document. */
export const STATE_VECTORS: KeyRange = { gte: textKey("v1_sv"), lt: textKey("v1_sw") };

/** Which keys a document has: all of those that begin with this. */
export function documentKey(name: string): Uint8Array {
  return textKey("v1", name);
}

function textKey(...parts: readonly string[]): Uint8Array {
  const encoder = createEncoder();
  for (const part of parts) {
    writeUint8(encoder, TEXT);
    writeVarString(encoder, part);
  }
  return toUint8Array(encoder);
}
