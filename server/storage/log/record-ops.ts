/**
 * Records as operations of the store: what goes into a batch beside runs, heads and checkpoints.
 *
 * Not here: when they are written (key-value-change-log.ts), heads and runs (commit-encoder.ts).
 */
import { ok as assert } from "node:assert/strict";
import type { ContextHead, ContextMeta } from "../../../shared/context.ts";
import type { FirstCheckpoint, IdempotencyRecord, RecordWrite } from "../change-log.ts";
import type { StoreOp } from "../store/store.ts";
import type { LiveContext } from "./context-slots.ts";
import * as keys from "./log-keys.ts";
import {
  encodeCheckpoint,
  encodeContext,
  encodeHead,
  encodeIdempotency,
  encodeSideRecord,
  type ContextRecord,
} from "./record-codec.ts";

const RECORD_KEY_BYTES_MAX = 256;

export function putOp(key: Uint8Array, encode: (key: Uint8Array) => Uint8Array): StoreOp {
  return { type: "put", key, value: encode(key) };
}

export function contextOp(record: ContextRecord): StoreOp {
  return putOp(keys.contextKey(record.meta.id), (key) => encodeContext(key, record));
}

export function checkpointOp(number: number, checkpoint: FirstCheckpoint): StoreOp & { readonly type: "put" } {
  const key = keys.checkpointKey(number, checkpoint.seq);
  return { type: "put", key, value: encodeCheckpoint(key, checkpoint) };
}

export function idempotencyOps(number: number, record: IdempotencyRecord): readonly StoreOp[] {
  const { key: name, atMs } = record;
  return [
    putOp(keys.idempotencyKey(number, name, atMs), (key) => encodeIdempotency(key, record)),
    putOp(keys.expiryKey(number, name, atMs), () => new Uint8Array()),
  ];
}

export function sideRecordOps(number: number, writes: readonly RecordWrite[]): readonly StoreOp[] {
  return writes.map(({ collection, key: name, value }): StoreOp => {
    const length = Buffer.byteLength(name);
    assert(length > 0 && length <= RECORD_KEY_BYTES_MAX, "the key of a record has 1 to 256 bytes");
    const key = keys.recordKey(number, collection, name);
    return value === null ? { type: "del", key } : putOp(key, () => encodeSideRecord(key, value));
  });
}

export function bytesOfOps(ops: readonly StoreOp[]): number {
  return ops.reduce((sum, op) => sum + op.key.length + (op.type === "put" ? op.value.length : 0), 0);
}

/** A context at version 0, and what makes it. */
export function newContext(
  number: number,
  meta: ContextMeta,
  checkpoint: FirstCheckpoint,
): { readonly live: LiveContext; readonly ops: readonly StoreOp[] } {
  const head: ContextHead = { seq: 0, version: 0, lockSeq: 0, updatedAtMs: meta.createdAtMs };
  const made = checkpointOp(number, checkpoint);
  const first = { seq: 0, version: 0, bytes: made.value.length, isKept: false };
  const stored = { head, checkpoints: [first], baseSeq: 0, logBytes: 0, coveredBytes: 0 };
  const ops: readonly StoreOp[] = [
    contextOp({ number, meta }),
    putOp(keys.headKey(number), (key) => encodeHead(key, stored)),
    made,
    { type: "del", key: keys.epochKey(meta.id) },
  ];
  return { live: { number, meta, head, stored, isErased: false }, ops };
}
