/**
 * What the log knows of one context without reading it: where it ends, which checkpoints there are, and how large all is.
 * Every change of it is a function here; the commit writes the outcome in the batch that makes it true.
 *
 * Invariants:
 *  1. `checkpoints` is oldest first and holds the base and the newest; any other one is kept.
 *  2. `logBytes` is the sum of all runs in the store, those below the base that are not dropped yet included.
 *
 * Not here: bytes and keys (record-codec.ts, commit-encoder.ts).
 */
import { ok as assert } from "node:assert/strict";
import type { ContextHead } from "../../../shared/context.ts";
import type { CheckpointInfo, LogSize, TailSize } from "../change-log.ts";

export interface HeadRecord {
  readonly head: ContextHead;
  readonly checkpoints: readonly CheckpointInfo[];
  /** The seq of one of them. */
  readonly baseSeq: number;
  readonly logBytes: number;
  /** How much of `logBytes` the newest checkpoint covers. */
  readonly coveredBytes: number;
}

export function newestOf({ checkpoints }: HeadRecord): CheckpointInfo {
  const newest = checkpoints.at(-1);
  assert(newest !== undefined, "there is always a checkpoint");
  return newest;
}

export function bytesOf({ checkpoints, logBytes }: HeadRecord): number {
  return checkpoints.reduce((sum, { bytes }) => sum + bytes, logBytes);
}

export function sizeOf(record: HeadRecord): LogSize {
  const { baseSeq, logBytes } = record;
  const base = checkpointAt(record, baseSeq);
  assert(base !== undefined, "the base is a checkpoint");
  return { bytes: bytesOf(record), logBytes, baseSeq, baseVersion: base.version };
}

export function tailOf(record: HeadRecord): TailSize {
  const { seq, bytes: checkpointBytes } = newestOf(record);
  return { entries: record.head.seq - seq, bytes: record.logBytes - record.coveredBytes, checkpointBytes };
}

export function checkpointAt({ checkpoints }: HeadRecord, seq: number): CheckpointInfo | undefined {
  return checkpoints.find((one) => one.seq === seq);
}

export function withRun(record: HeadRecord, bytes: number): HeadRecord {
  return { ...record, logBytes: record.logBytes + bytes };
}

/** Runs below the base are gone. The newest checkpoint covered them. */
export function withoutRuns(record: HeadRecord, bytes: number): HeadRecord {
  const { logBytes, coveredBytes } = record;
  return { ...record, logBytes: logBytes - bytes, coveredBytes: Math.max(0, coveredBytes - bytes) };
}

/** With a checkpoint that is new, or kept from now on, or no more. */
export function withCheckpoint(record: HeadRecord, info: CheckpointInfo): HeadRecord {
  const checkpoints = [...record.checkpoints.filter(({ seq }) => seq !== info.seq), info].sort((a, b) => a.seq - b.seq);
  return withoutUnneeded({ ...record, checkpoints, coveredBytes: coveredBy(record, info.seq) });
}

/** The log begins after this checkpoint from now on. */
export function withBase(record: HeadRecord, info: CheckpointInfo): HeadRecord {
  return withCheckpoint({ ...record, baseSeq: info.seq }, info);
}

function withoutUnneeded(record: HeadRecord): HeadRecord {
  const newest = newestOf(record);
  const checkpoints = record.checkpoints.filter((one) => one.isKept || one === newest || one.seq === record.baseSeq);
  return { ...record, checkpoints };
}

/** An estimate by count: only the next checkpoint's time depends on it. */
function coveredBy(record: HeadRecord, seq: number): number {
  const { head, logBytes, coveredBytes } = record;
  const newest = newestOf(record);
  if (seq <= newest.seq) return coveredBytes;
  return logBytes - Math.round(((logBytes - coveredBytes) * (head.seq - seq)) / (head.seq - newest.seq));
}
