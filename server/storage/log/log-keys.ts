/**
 * The layout of the log: every key of the store, and how it is ordered.
 *
 * A key is one letter, then fixed-width big-endian numbers, so byte order is numeric order. `#n` is a context number (6 bytes):
 * given at creation, never shared by two contexts that exist, so what a deleted context left cannot mix with its successor.
 *
 *   !copy                      these records are a copy that is not finished: no data yet
 *   !format                    layout version                      21 66 6f 72 6d 61 74
 *   !node                      Yjs client id of this data
 *   !open                      time of the last open; its write proves that writing works
 *   c<id>                      number and metadata of a context    63 70 6c 61 6e                                  ("plan")
 *   e<id>                      epoch a deleted context had
 *   h#n                        head of its log                     68 000000000007                                 (context 7)
 *   k#n<seq>                   checkpoint at seq                   6b 000000000007 0000000007d0                    (seq 2000)
 *   l#n<first seq>             a run of entries                    6c 000000000007 0000000007d1                    (from seq 2001)
 *   i#n<len><key><time>        an idempotency record               69 000000000007 0001 6b 0199c5d2a800           (key "k")
 *   t<time>#n<len><key>        the same by time, for expiry; no value
 *   r#n<collection>00<key>     a side record                       72 000000000007 7479706573 00 706c616e         (types, "plan"); of the server: #0
 *   p#n                        the records of a deleted context are not all gone yet
 *
 * Not here: values (record.ts, entry-codec.ts, record-codec.ts).
 */
import type { ContextId } from "../../../shared/ids.ts";
import type { Collection } from "../change-log.ts";

/**
 * Version of this layout. A release that cannot be read by older ones raises it.
 * 2: epochs, side records, kept checkpoints, a base that moves. All that 1 wrote is read as it is.
 */
export const LAYOUT_VERSION = 2;

export const COPY_KEY: Uint8Array = Buffer.from("!copy");
export const FORMAT_KEY: Uint8Array = Buffer.from("!format");
export const NODE_KEY: Uint8Array = Buffer.from("!node");
export const OPEN_KEY: Uint8Array = Buffer.from("!open");

/** What a key can begin with, in order. */
export const LETTERS = ["!", "c", "e", "h", "i", "k", "l", "p", "r", "t"] as const;
type Letter = (typeof LETTERS)[number];

/** Bytes of a number in a key: 2^48 entries are 8,900 years at 1,000 a second. */
const NUMBER_BYTES = 6;
const NUMBER_MAX = 2 ** 48 - 1;

export interface KeyRange {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
}

export function contextKey(id: ContextId): Uint8Array {
  return Buffer.from(`c${id}`, "latin1");
}

/** Contexts with an id after `after`. */
export function contextsAfter(after: ContextId | undefined): KeyRange {
  // The smallest key after "c<after>" is that key followed by a zero byte.
  return { gte: Buffer.from(after === undefined ? "c" : `c${after}\0`, "latin1"), lt: Buffer.from("d") };
}

export function contextIdOf(key: Uint8Array): string {
  return Buffer.from(key.subarray(1)).toString("latin1");
}

export function epochKey(id: ContextId): Uint8Array {
  return Buffer.from(`e${id}`, "latin1");
}

export function headKey(context: number): Uint8Array {
  return numbers("h", context);
}

export function checkpointKey(context: number, seq: number): Uint8Array {
  return numbers("k", context, seq);
}

export function runKey(context: number, firstSeq: number): Uint8Array {
  return numbers("l", context, firstSeq);
}

/** Runs whose first seq is in [fromSeq, beforeSeq). */
export function runsBetween(context: number, fromSeq: number, beforeSeq: number): KeyRange {
  return { gte: runKey(context, fromSeq), lt: runKey(context, Math.min(beforeSeq, NUMBER_MAX)) };
}

/** The first seq of the run under this key. */
export function firstSeqOf(key: Uint8Array): number {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).readUIntBE(1 + NUMBER_BYTES, NUMBER_BYTES);
}

export function purgeKey(context: number): Uint8Array {
  return numbers("p", context);
}

/** Every key under one letter. */
export function allOf(letter: Letter): KeyRange {
  return { gte: Buffer.from(letter), lt: Buffer.from(String.fromCharCode(letter.charCodeAt(0) + 1)) };
}

export const EVERYTHING: KeyRange = { gte: new Uint8Array(), lt: Uint8Array.of(255) };

/** Whether the key has so many numbers behind its letter. */
export function hasNumbers(key: Uint8Array, count: number): boolean {
  return key.length >= 1 + count * NUMBER_BYTES;
}

/** The context number of a key of the form letter, number. */
export function contextNumberOf(key: Uint8Array): number {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).readUIntBE(1, NUMBER_BYTES);
}

/** All that a context owns beside its head, for deletion. */
export function ownedBy(context: number): readonly KeyRange[] {
  return ["i", "k", "l", "r"].map((letter) => ({ gte: numbers(letter, context), lt: numbers(letter, context + 1) }));
}

export function idempotencyKey(context: number, key: string, atMs: number): Uint8Array {
  return Buffer.concat([numbers("i", context), sized(key), numberBytes(atMs)]);
}

/** All records under one idempotency key, oldest first. */
export function idempotencyRange(context: number, key: string): KeyRange {
  return { gte: idempotencyKey(context, key, 0), lt: idempotencyKey(context, key, NUMBER_MAX) };
}

export function expiryKey(context: number, key: string, atMs: number): Uint8Array {
  return Buffer.concat([numbers("t", atMs, context), sized(key)]);
}

export function expiredBefore(atMs: number): KeyRange {
  return { gte: Buffer.from("t"), lt: numbers("t", atMs) };
}

/** The context number of an expiry key. */
export function expiringContextOf(expiry: Uint8Array): number {
  return Buffer.from(expiry.buffer, expiry.byteOffset, expiry.byteLength).readUIntBE(1 + NUMBER_BYTES, NUMBER_BYTES);
}

/** The idempotency record that an expiry key stands for. */
export function idempotencyKeyOf(expiry: Uint8Array): Uint8Array {
  const time = expiry.subarray(1, 1 + NUMBER_BYTES);
  return Buffer.concat([Buffer.from("i"), expiry.subarray(1 + NUMBER_BYTES), time]);
}

/** The context number of records that belong to the server; contexts count from 1. */
export const SERVER = 0;

export function recordKey(context: number, collection: Collection, key: string): Uint8Array {
  return Buffer.concat([numbers("r", context), Buffer.from(`${collection}\0${key}`)]);
}

export interface RecordsBeyond {
  readonly context: number;
  readonly collection: Collection;
  /** From the first, or with `reverse` from the last, when it is undefined. */
  readonly after: string | undefined;
  readonly reverse: boolean;
}

/** The records of a collection with keys after `after`, or before it when `reverse`. */
export function recordsBeyond({ context, collection, after, reverse }: RecordsBeyond): KeyRange {
  const all = {
    gte: recordKey(context, collection, ""),
    // No name of a collection holds a byte 1.
    lt: Buffer.concat([numbers("r", context), Buffer.from(`${collection}\u0001`)]),
  };
  if (after === undefined) return all;
  const border = recordKey(context, collection, after);
  return reverse ? { ...all, lt: border } : { ...all, gte: Buffer.concat([border, Uint8Array.of(0)]) };
}

/** The collection of a side record, as its key names it; undefined for any other key. */
export function collectionOf(key: Uint8Array): string | undefined {
  if (key[0] !== "r".charCodeAt(0)) return undefined;
  const name = Buffer.from(key.subarray(1 + NUMBER_BYTES));
  return name.subarray(0, Math.max(0, name.indexOf(0))).toString("latin1");
}

/** The key of a record in its collection. */
export function recordNameOf(key: Uint8Array): string {
  const name = Buffer.from(key.subarray(1 + NUMBER_BYTES));
  return name.subarray(name.indexOf(0) + 1).toString("utf8");
}

function numbers(letter: string, ...values: readonly number[]): Buffer {
  const key = Buffer.allocUnsafe(1 + values.length * NUMBER_BYTES);
  key[0] = letter.charCodeAt(0);
  for (const [index, value] of values.entries()) key.writeUIntBE(value, 1 + index * NUMBER_BYTES, NUMBER_BYTES);
  return key;
}

function numberBytes(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(NUMBER_BYTES);
  bytes.writeUIntBE(value, 0, NUMBER_BYTES);
  return bytes;
}

/** Text with its length before it, so that no key is the beginning of another. */
function sized(text: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  const length = Buffer.allocUnsafe(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
