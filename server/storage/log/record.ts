/**
 * The envelope of every stored value: a checksum and a format byte, so that damage is found before it is believed.
 *
 *   <crc32, 4 bytes BE> <format, 1 byte> <body>       the checksum covers key, format and body
 *
 * Invariants:
 *  1. A value that was changed, cut, or put under another key does not open.
 *  2. Opening never throws anything but DATA_DAMAGED and DATA_FORMAT_NEWER, whatever the bytes are.
 *
 * Not here: the bodies (entry-codec.ts, record-codec.ts).
 */
import { crc32 } from "node:zlib";
import { createDecoder, hasContent, type Decoder } from "lib0/decoding";
import { createEncoder, toUint8Array, writeUint8, type Encoder } from "lib0/encoding";
import { ServiceError } from "../../../shared/errors.ts";

const RECORD_FORMAT = 1;
const HEADER_BYTES = 5;

/** A stored value with its key and a name for it in messages, such as `log of context "plan"`. */
export interface StoredRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly name: string;
}

/** The value to store under `key`; `write` writes its body. */
export function encodeRecord(key: Uint8Array, write: (encoder: Encoder) => void): Uint8Array {
  const encoder = createEncoder();
  for (let i = 0; i < HEADER_BYTES; i++) writeUint8(encoder, i === HEADER_BYTES - 1 ? RECORD_FORMAT : 0);
  write(encoder);
  const value = toUint8Array(encoder);
  new DataView(value.buffer, value.byteOffset).setUint32(0, checksum(key, value));
  return value;
}

/**
 * What `read` makes of the record's body, which it must use up.
 * @throws {ServiceError} DATA_DAMAGED, DATA_FORMAT_NEWER
 */
export function decodeRecord<T>(record: StoredRecord, read: (decoder: Decoder) => T): T {
  const { key, value, name } = record;
  if (value.length < HEADER_BYTES) throw damagedRecord(record, "is cut short");
  const stored = new DataView(value.buffer, value.byteOffset, value.byteLength).getUint32(0);
  if (stored !== checksum(key, value)) throw damagedRecord(record, "does not match its checksum");
  if (value[HEADER_BYTES - 1] !== RECORD_FORMAT) throw newerFormat(`The ${name}`);
  const decoder = createDecoder(value.subarray(HEADER_BYTES));
  let body: T;
  try {
    body = read(decoder);
  } catch (error) {
    throw damagedRecord(record, "cannot be decoded", error);
  }
  if (hasContent(decoder)) throw damagedRecord(record, "is longer than it says");
  return body;
}

function damagedRecord(record: StoredRecord, how: string, cause?: unknown): ServiceError {
  return damaged(`The ${record.name} ${how}`, { key: Buffer.from(record.key).toString("hex") }, cause);
}

/** `what` is a clause without its full stop. */
export function damaged(what: string, details: Readonly<Record<string, unknown>>, cause?: unknown): ServiceError {
  return new ServiceError(
    "DATA_DAMAGED",
    `${what}. The data was changed from outside or the disk is failing: stop the server, keep a copy of the data folder, and restore it from a backup.`,
    { details, cause },
  );
}

export function newerFormat(what: string): ServiceError {
  return new ServiceError(
    "DATA_FORMAT_NEWER",
    `${what} was written by a newer release. Start that release, or restore a backup that this one made.`,
  );
}

export function unfinishedCopy(location: string): ServiceError {
  return new ServiceError(
    "DATA_DAMAGED",
    `${location} holds a copy that is not finished. Stop the server that it is of, and let "mcm migrate --from" copy the rest.`,
  );
}

function checksum(key: Uint8Array, value: Uint8Array): number {
  return crc32(value.subarray(HEADER_BYTES - 1), crc32(key));
}
