/**
 * The records beside the log itself: context, head, checkpoint, idempotency, side records, small numbers.
 *
 * Metadata is JSON because it is small, rare and will gain fields; what is written with every commit is binary.
 * A body may end where layout 1 ended it: what came later has the value that it had then.
 *
 * Not here: runs of entries (entry-codec.ts), checksums (record.ts).
 */
import { hasContent, readUint8, readVarString, readVarUint, readVarUint8Array } from "lib0/decoding";
import { writeUint8, writeVarString, writeVarUint, writeVarUint8Array, type Encoder } from "lib0/encoding";
import type { ContextMeta } from "../../../shared/context.ts";
import { parseActor, type Actor } from "../../../shared/ids.ts";
import { isJsonObject, type JsonObject } from "../../../shared/json.ts";
import type { CheckpointInfo, FirstCheckpoint, IdempotencyRecord } from "../change-log.ts";
import { checkpointAt, newestOf, type HeadRecord } from "./head-record.ts";
import { parseLocks } from "./rule-codec.ts";
import { decodeRecord, encodeRecord, type StoredRecord } from "./record.ts";

/** What a context's name leads to. */
export interface ContextRecord {
  /** The number under which its other records lie. */
  readonly number: number;
  readonly meta: ContextMeta;
}

export function encodeContext(key: Uint8Array, record: ContextRecord): Uint8Array {
  return encodeRecord(key, (encoder) => {
    writeVarUint(encoder, record.number);
    writeVarString(encoder, JSON.stringify(record.meta));
  });
}

export function decodeContext(record: StoredRecord): ContextRecord {
  return decodeRecord(record, (decoder) => ({ number: readVarUint(decoder), meta: parseMeta(readVarString(decoder)) }));
}

function parseMeta(text: string): ContextMeta {
  const meta: unknown = JSON.parse(text);
  if (!isMeta(meta)) throw new Error("the metadata lacks a field");
  const { firstEpoch = meta.epoch, authorSalt = 0 } = meta;
  return { ...meta, firstEpoch, authorSalt };
}

type MetaOfLayout1 = Omit<ContextMeta, "firstEpoch" | "authorSalt"> &
  Partial<Pick<ContextMeta, "firstEpoch" | "authorSalt">>;

/** The checksum vouches for the rest: only this program wrote it. */
function isMeta(value: unknown): value is MetaOfLayout1 {
  return isJsonObject(value) && typeof value["id"] === "string" && typeof value["epoch"] === "number";
}

const KEPT = 1;

/** The newest checkpoint is told twice: where layout 1 has it, and among all of them. */
export function encodeHead(key: Uint8Array, record: HeadRecord): Uint8Array {
  const { head, checkpoints, baseSeq, logBytes, coveredBytes } = record;
  const newest = newestOf(record);
  return encodeRecord(key, (encoder) => {
    writeVarUints(encoder, [head.seq, head.version, head.lockSeq, head.updatedAtMs]);
    writeVarUints(encoder, [newest.seq, newest.bytes, logBytes, coveredBytes]);
    writeVarUints(encoder, [baseSeq, checkpoints.length]);
    for (const { seq, version, bytes, isKept } of checkpoints) {
      writeVarUints(encoder, [seq, version, bytes]);
      writeUint8(encoder, isKept ? KEPT : 0);
    }
  });
}

export function decodeHead(record: StoredRecord): HeadRecord {
  return decodeRecord(record, (decoder) => {
    const next = (): number => readVarUint(decoder);
    const head = { seq: next(), version: next(), lockSeq: next(), updatedAtMs: next() };
    const newest = { seq: next(), bytes: next() };
    const sizes = { logBytes: next(), coveredBytes: next() };
    if (!hasContent(decoder)) return { head, checkpoints: checkpointsOfLayout1(newest), baseSeq: 0, ...sizes };
    const baseSeq = next();
    const checkpoints: CheckpointInfo[] = [];
    for (let count = next(); count > 0; count--) {
      checkpoints.push({ seq: next(), version: next(), bytes: next(), isKept: (readUint8(decoder) & KEPT) !== 0 });
    }
    const decoded = { head, checkpoints, baseSeq, ...sizes };
    if (checkpointAt(decoded, baseSeq) === undefined) throw new Error("the base is no checkpoint");
    return decoded;
  });
}

/** There were the first and the newest, and nothing but changes, so that seq and version were the same. */
function checkpointsOfLayout1({ seq, bytes }: Pick<CheckpointInfo, "seq" | "bytes">): CheckpointInfo[] {
  const newest = { seq, version: seq, bytes, isKept: false };
  return seq === 0 ? [newest] : [{ seq: 0, version: 0, bytes: 0, isKept: false }, newest];
}

/** Without the first epoch, which the context has. Owners are grouped by actor: a few actors have many client ids. */
export function encodeCheckpoint(key: Uint8Array, checkpoint: FirstCheckpoint): Uint8Array {
  const idsOf = new Map<Actor, number[]>();
  for (const [id, actor] of checkpoint.owners) {
    const ids = idsOf.get(actor);
    if (ids === undefined) idsOf.set(actor, [id]);
    else ids.push(id);
  }
  return encodeRecord(key, (encoder) => {
    writeVarUint(encoder, checkpoint.seq);
    writeVarUint(encoder, checkpoint.version);
    writeVarUint(encoder, idsOf.size);
    for (const [actor, ids] of idsOf) {
      writeVarString(encoder, actor);
      writeVarUint(encoder, ids.length);
      for (const id of ids) writeVarUint(encoder, id);
    }
    writeVarUint8Array(encoder, checkpoint.state);
    writeVarUint(encoder, checkpoint.authorSalt);
    writeVarUint(encoder, checkpoint.retired.length);
    writeVarUints(encoder, checkpoint.retired);
    writeVarString(encoder, JSON.stringify(checkpoint.locks));
    writeVarUints(encoder, checkpoint.voids?.flat() ?? []);
  });
}

export function decodeCheckpoint(record: StoredRecord): FirstCheckpoint {
  return decodeRecord(record, (decoder) => {
    const seq = readVarUint(decoder);
    const version = readVarUint(decoder);
    const owners: [number, Actor][] = [];
    for (let actors = readVarUint(decoder); actors > 0; actors--) {
      const actor = parseActor(readVarString(decoder));
      for (let ids = readVarUint(decoder); ids > 0; ids--) owners.push([readVarUint(decoder), actor]);
    }
    const state = readVarUint8Array(decoder);
    const retired: number[] = [];
    if (!hasContent(decoder)) return { seq, version, state, owners, retired, authorSalt: 0, locks: [] };
    const authorSalt = readVarUint(decoder);
    for (let ids = readVarUint(decoder); ids > 0; ids--) retired.push(readVarUint(decoder));
    const locks = hasContent(decoder) ? parseLocks(readVarString(decoder)) : [];
    const voids: [number, number][] = [];
    while (hasContent(decoder)) voids.push([readVarUint(decoder), readVarUint(decoder)]);
    const decoded = { seq, version, state, owners, retired, authorSalt, locks };
    return voids.length === 0 ? decoded : { ...decoded, voids };
  });
}

export function encodeIdempotency(key: Uint8Array, record: IdempotencyRecord): Uint8Array {
  return encodeRecord(key, (encoder) => {
    writeVarString(encoder, record.key);
    writeVarString(encoder, record.fingerprint);
    writeVarUint(encoder, record.version);
    writeVarUint(encoder, record.atMs);
    writeVarUint(encoder, record.seq);
    writeVarUint(encoder, record.paths.length);
    for (const path of record.paths) writeVarString(encoder, path);
  });
}

export function decodeIdempotency(record: StoredRecord): IdempotencyRecord {
  return decodeRecord(record, (decoder) => {
    const idempotency = { key: readVarString(decoder), fingerprint: readVarString(decoder) };
    const [version, atMs] = [readVarUint(decoder), readVarUint(decoder)];
    const paths: string[] = [];
    // of layout 1: what was changed is not told, and where it stands is its version
    if (!hasContent(decoder)) return { ...idempotency, version, seq: version, paths, atMs };
    const seq = readVarUint(decoder);
    for (let count = readVarUint(decoder); count > 0; count--) paths.push(readVarString(decoder));
    return { ...idempotency, version, seq, paths, atMs };
  });
}

export function encodeSideRecord(key: Uint8Array, value: JsonObject): Uint8Array {
  return encodeRecord(key, (encoder) => writeVarString(encoder, JSON.stringify(value)));
}

export function decodeSideRecord(record: StoredRecord): JsonObject {
  return decodeRecord(record, (decoder) => {
    const value: unknown = JSON.parse(readVarString(decoder));
    if (!isJsonObject(value)) throw new Error("not a JSON object");
    return value;
  });
}

export function encodeNumber(key: Uint8Array, value: number): Uint8Array {
  return encodeRecord(key, (encoder) => writeVarUint(encoder, value));
}

export function decodeNumber(record: StoredRecord): number {
  return decodeRecord(record, readVarUint);
}

function writeVarUints(encoder: Encoder, values: readonly number[]): void {
  for (const value of values) writeVarUint(encoder, value);
}
