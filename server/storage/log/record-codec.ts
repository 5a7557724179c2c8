/**
 * The records beside the log itself: context, head, checkpoint, idempotency, small numbers.
 *
 * Metadata is JSON because it is small, rare and will gain fields; what is written with every commit is binary.
 *
 * Not here: runs of entries (entry-codec.ts), checksums (record.ts).
 */
import { readVarString, readVarUint, readVarUint8Array } from "lib0/decoding";
import { writeVarString, writeVarUint, writeVarUint8Array } from "lib0/encoding";
import type { ContextHead, ContextMeta } from "../../../shared/context.ts";
import { parseActor, type Actor } from "../../../shared/ids.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { Checkpoint, IdempotencyRecord } from "../change-log.ts";
import { decodeRecord, encodeRecord, type StoredRecord } from "./record.ts";

/** What a context's name leads to. */
export interface ContextRecord {
  /** The number under which its other records lie. */
  readonly number: number;
  readonly meta: ContextMeta;
}

/** The head of a log with what the log knows of its own size. Written in every batch that touches the context. */
export interface HeadRecord {
  readonly head: ContextHead;
  readonly checkpointSeq: number;
  readonly checkpointBytes: number;
  /** Bytes of all runs, and how many of them a checkpoint covers. */
  readonly logBytes: number;
  readonly coveredBytes: number;
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
  return meta;
}

/** The checksum vouches for the rest: only this program wrote it. */
function isMeta(value: unknown): value is ContextMeta {
  return isJsonObject(value) && typeof value["id"] === "string" && typeof value["epoch"] === "number";
}

export function encodeHead(key: Uint8Array, record: HeadRecord): Uint8Array {
  const { head } = record;
  return encodeRecord(key, (encoder) => {
    for (const value of [head.seq, head.version, head.lockSeq, head.updatedAtMs]) writeVarUint(encoder, value);
    for (const value of [record.checkpointSeq, record.checkpointBytes, record.logBytes, record.coveredBytes]) {
      writeVarUint(encoder, value);
    }
  });
}

export function decodeHead(record: StoredRecord): HeadRecord {
  return decodeRecord(record, (decoder) => {
    const next = (): number => readVarUint(decoder);
    const head = { seq: next(), version: next(), lockSeq: next(), updatedAtMs: next() };
    return { head, checkpointSeq: next(), checkpointBytes: next(), logBytes: next(), coveredBytes: next() };
  });
}

/** Owners are grouped by actor: a few actors have many client ids. */
export function encodeCheckpoint(key: Uint8Array, checkpoint: Checkpoint): Uint8Array {
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
  });
}

export function decodeCheckpoint(record: StoredRecord): Checkpoint {
  return decodeRecord(record, (decoder) => {
    const seq = readVarUint(decoder);
    const version = readVarUint(decoder);
    const owners: [number, Actor][] = [];
    for (let actors = readVarUint(decoder); actors > 0; actors--) {
      const actor = parseActor(readVarString(decoder));
      for (let ids = readVarUint(decoder); ids > 0; ids--) owners.push([readVarUint(decoder), actor]);
    }
    return { seq, version, state: readVarUint8Array(decoder), owners };
  });
}

export function encodeIdempotency(key: Uint8Array, record: IdempotencyRecord): Uint8Array {
  return encodeRecord(key, (encoder) => {
    writeVarString(encoder, record.key);
    writeVarString(encoder, record.fingerprint);
    writeVarUint(encoder, record.version);
    writeVarUint(encoder, record.atMs);
  });
}

export function decodeIdempotency(record: StoredRecord): IdempotencyRecord {
  return decodeRecord(record, (decoder) => ({
    key: readVarString(decoder),
    fingerprint: readVarString(decoder),
    version: readVarUint(decoder),
    atMs: readVarUint(decoder),
  }));
}

export function encodeNumber(key: Uint8Array, value: number): Uint8Array {
  return encodeRecord(key, (encoder) => writeVarUint(encoder, value));
}

export function decodeNumber(record: StoredRecord): number {
  return decodeRecord(record, readVarUint);
}
