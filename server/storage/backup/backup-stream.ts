/**
 * A backup on its way: the records of a store as a stream of checked frames.
 *
 *   <kind 1> <length 4 BE> <crc32 of kind and body, 4 BE> <body>
 *   1 begin   JSON BackupBegin
 *   2 page    records, in order of key: <key length varint> <key> <value length varint> <value>
 *   3 end     JSON BackupEnd
 *   4 failed  JSON {code, message}: the sender could not go on
 *
 * Invariants:
 *  1. Whatever does not end with an `end` that agrees with what came before it is no backup.
 *  2. One page is in memory at a time, on either side.
 *
 * Not here: who may have one (use-cases/data.ts), where it is put (backup-folder.ts).
 */
import { crc32 } from "node:zlib";
import { createDecoder, hasContent, readVarUint8Array } from "lib0/decoding";
import { createEncoder, toUint8Array, writeVarUint8Array } from "lib0/encoding";
import { isErrorCode, ServiceError, toServiceError } from "../../../shared/errors.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { JsonObject } from "../../../shared/json.ts";
import { PRODUCT_VERSION } from "../../../shared/protocol/version.ts";
import type { ChangeLog, DumpedRecord } from "../change-log.ts";
import { LAYOUT_VERSION } from "../log/log-keys.ts";
import { newerFormat } from "../log/record.ts";
import { RecordDigest } from "./record-digest.ts";

export const BACKUP_FORMAT = 1;

export interface BackupBegin {
  readonly format: number;
  readonly layout: number;
  readonly release: string;
  readonly takenAtMs: number;
  readonly contexts: number;
  /** Of what is to come, approximately. */
  readonly bytes: number;
}

export interface BackupEnd {
  readonly records: number;
  readonly bytes: number;
  readonly sha256: string;
}

export type BackupFrame =
  | { readonly kind: "begin"; readonly begin: BackupBegin }
  | { readonly kind: "page"; readonly records: readonly DumpedRecord[] }
  | { readonly kind: "end"; readonly end: BackupEnd };

const BEGIN = 1;
const PAGE = 2;
const END = 3;
const FAILED = 4;

const HEADER_BYTES = 9;
/** A page is about 1 MB, and longer only when a record is: a checkpoint, or a run of entries. */
const FRAME_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Sends all that the log holds at this moment. `write` is called again only after it settled.
 * @throws {ServiceError} why the log could not be read; it was told to the receiver too. What `write` throws
 */
export async function sendBackup(
  log: Pick<ChangeLog, "dump">,
  takenAtMs: number,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const digest = new RecordDigest();
  let unwritten: { readonly error: unknown } | undefined;
  const send = async (kind: number, body: Uint8Array): Promise<void> => {
    await write(frame(kind, body)).catch((error: unknown) => {
      unwritten = { error };
      throw error;
    });
  };
  try {
    await log.dump({
      begin: ({ contexts, bytes }) => {
        const begin = { format: BACKUP_FORMAT, layout: LAYOUT_VERSION, release: PRODUCT_VERSION, takenAtMs };
        return send(BEGIN, json({ ...begin, contexts, bytes }));
      },
      page: (records) => {
        digest.add(records);
        return send(PAGE, pageOf(records));
      },
    });
    await send(END, json({ ...digest.result() }));
  } catch (error) {
    if (unwritten !== undefined) throw unwritten.error;
    const { code, message } = toServiceError(error);
    await send(FAILED, json({ code, message }));
    throw error;
  }
}

/**
 * The frames of a backup, checked.
 * @throws {ServiceError} UNREACHABLE when the stream ends early or is damaged, DATA_FORMAT_NEWER, or why the sender stopped
 */
export async function* receiveBackup(stream: AsyncIterable<Uint8Array>): AsyncGenerator<BackupFrame, void> {
  const digest = new RecordDigest();
  let isBegun = false;
  for await (const { kind, body } of framesIn(stream)) {
    if (isBegun !== (kind !== BEGIN) && kind !== FAILED) throw damagedStream("its parts are out of order");
    switch (kind) {
      case BEGIN:
        isBegun = true;
        yield { kind: "begin", begin: beginOf(body) };
        break;
      case PAGE: {
        const records = recordsIn(body);
        digest.add(records);
        yield { kind: "page", records };
        break;
      }
      case END: {
        const end = endOf(body);
        const found = digest.result();
        if (end.records !== found.records || end.bytes !== found.bytes || end.sha256 !== found.sha256)
          throw damagedStream("it is not what was sent");
        yield { kind: "end", end };
        return;
      }
      default:
        throw refusalOf(body);
    }
  }
  throw damagedStream("it ended early");
}

function frame(kind: number, body: Uint8Array): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(kind);
  header.writeUInt32BE(body.length, 1);
  header.writeUInt32BE(checksum(kind, body), 5);
  return Buffer.concat([header, body]);
}

function checksum(kind: number, body: Uint8Array): number {
  return crc32(body, crc32(Uint8Array.of(kind)));
}

function json(value: JsonObject): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

function pageOf(records: readonly DumpedRecord[]): Uint8Array {
  const encoder = createEncoder();
  for (const [key, value] of records) {
    writeVarUint8Array(encoder, key);
    writeVarUint8Array(encoder, value);
  }
  return toUint8Array(encoder);
}

function recordsIn(body: Uint8Array): readonly DumpedRecord[] {
  const decoder = createDecoder(body);
  const records: DumpedRecord[] = [];
  while (hasContent(decoder)) records.push([readVarUint8Array(decoder), readVarUint8Array(decoder)]);
  return records;
}

interface RawFrame {
  readonly kind: number;
  readonly body: Uint8Array;
}

async function* framesIn(stream: AsyncIterable<Uint8Array>): AsyncGenerator<RawFrame> {
  let parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of whileConnected(stream)) {
    parts.push(chunk);
    length += chunk.length;
    for (let needed = bytesNeeded(parts, length); length >= needed; needed = bytesNeeded(parts, length)) {
      const bytes = Buffer.concat(parts, length);
      const body = bytes.subarray(HEADER_BYTES, needed);
      const kind = bytes.readUInt8();
      if (bytes.readUInt32BE(5) !== checksum(kind, body)) throw damagedStream("a part does not match its checksum");
      parts = [bytes.subarray(needed)];
      length -= needed;
      yield { kind, body };
    }
  }
}

async function* whileConnected(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } catch (error) {
    throw damagedStream("the connection was lost", error);
  }
}

/** Of the frame that begins `parts`, as far as it is told yet. */
function bytesNeeded(parts: readonly Uint8Array[], length: number): number {
  if (length < HEADER_BYTES) return HEADER_BYTES;
  const [first = new Uint8Array()] = parts;
  const header = first.length >= HEADER_BYTES ? Buffer.from(first.buffer, first.byteOffset) : Buffer.concat(parts);
  const body = header.readUInt32BE(1);
  if (body > FRAME_BYTES_MAX) throw damagedStream("a part is larger than any can be");
  return HEADER_BYTES + body;
}

function beginOf(body: Uint8Array): BackupBegin {
  const { format, layout, release, takenAtMs, contexts, bytes } = objectIn(body);
  if (!isCount(format) || !isCount(layout)) throw damagedStream("its beginning is none");
  if (format > BACKUP_FORMAT || layout > LAYOUT_VERSION) throw newerFormat("The backup that the server sends");
  if (!isCount(takenAtMs) || !isCount(contexts) || !isCount(bytes) || typeof release !== "string")
    throw damagedStream("its beginning is none");
  return { format, layout, release, takenAtMs, contexts, bytes };
}

function endOf(body: Uint8Array): BackupEnd {
  const { records, bytes, sha256 } = objectIn(body);
  if (!isCount(records) || !isCount(bytes) || typeof sha256 !== "string") throw damagedStream("its end is none");
  return { records, bytes, sha256 };
}

function refusalOf(body: Uint8Array): ServiceError {
  const { code, message } = objectIn(body);
  return isErrorCode(code) && typeof message === "string"
    ? new ServiceError(code, message)
    : damagedStream("the server could not go on");
}

/** Its checksum vouches for the text; what is missing in it shows. */
function objectIn(body: Uint8Array): JsonObject {
  const value: unknown = JSON.parse(Buffer.from(body).toString("utf8"));
  return isJsonObject(value) ? value : {};
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function damagedStream(how: string, cause?: unknown): ServiceError {
  return new ServiceError(
    "UNREACHABLE",
    `The backup did not arrive whole: ${how}. Take it again; if it happens again, look at the server's log.`,
    { cause },
  );
}
