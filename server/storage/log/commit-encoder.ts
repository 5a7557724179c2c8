/**
 * One group commit as one batch of the store: appends to a context become one run, and each head is written once.
 *
 * Not here: deciding what is written (key-value-change-log.ts).
 */
import type { ContextHead } from "../../../shared/context.ts";
import type { ContextId } from "../../../shared/ids.ts";
import type { Checkpoint, IdempotencyRecord, LogEntry } from "../change-log.ts";
import type { LiveContext } from "./context-slots.ts";
import { encodeRun } from "./entry-codec.ts";
import * as keys from "./log-keys.ts";
import { encodeCheckpoint, encodeHead, encodeIdempotency, encodeNumber } from "./record-codec.ts";
import type { StoreOp } from "../store/store.ts";

export type LogWork =
  | {
      readonly kind: "append";
      readonly live: LiveContext;
      readonly entries: readonly LogEntry[];
      /** The head after them. */
      readonly head: ContextHead;
      readonly idempotency: IdempotencyRecord | undefined;
    }
  | { readonly kind: "checkpoint"; readonly live: LiveContext; readonly checkpoint: Checkpoint }
  | { readonly kind: "remove"; readonly contextId: ContextId; readonly live: LiveContext }
  | { readonly kind: "ops"; readonly ops: readonly StoreOp[] };

/** For one batch; it moves `stored` of the contexts in it. */
export class CommitEncoder {
  readonly #ops: StoreOp[] = [];
  readonly #runs = new Map<LiveContext, LogEntry[]>();
  readonly #touched = new Set<LiveContext>();

  encode(works: readonly LogWork[]): readonly StoreOp[] {
    for (const work of works) this.#add(work);
    for (const [live, entries] of this.#runs) this.#addRun(live, entries);
    for (const live of this.#touched)
      if (!live.isErased) this.#put(keys.headKey(live.number), (key) => encodeHead(key, live.stored));
    return this.#ops;
  }

  #add(work: LogWork): void {
    switch (work.kind) {
      case "ops":
        for (const op of work.ops) this.#ops.push(op);
        return;
      case "append":
        return this.#addAppend(work);
      case "checkpoint":
        return this.#addCheckpoint(work);
      case "remove":
        return this.#addRemove(work);
    }
  }

  #addAppend({ live, entries, head, idempotency }: Extract<LogWork, { kind: "append" }>): void {
    const run = this.#runs.get(live);
    if (run === undefined) this.#runs.set(live, [...entries]);
    else run.push(...entries);
    live.stored = { ...live.stored, head };
    this.#touched.add(live);
    if (idempotency === undefined) return;
    const { key: name, atMs } = idempotency;
    this.#put(keys.idempotencyKey(live.number, name, atMs), (key) => encodeIdempotency(key, idempotency));
    this.#put(keys.expiryKey(live.number, name, atMs), () => new Uint8Array());
  }

  #addRun(live: LiveContext, entries: readonly LogEntry[]): void {
    const [first] = entries;
    if (first === undefined) return;
    const key = keys.runKey(live.number, first.seq);
    const value = encodeRun(key, first.version - (first.kind === "change" ? 1 : 0), entries);
    this.#ops.push({ type: "put", key, value });
    live.stored = { ...live.stored, logBytes: live.stored.logBytes + value.length };
  }

  #addCheckpoint({ live, checkpoint }: Extract<LogWork, { kind: "checkpoint" }>): void {
    const { checkpointSeq: older, logBytes, coveredBytes, head } = live.stored;
    if (checkpoint.seq <= older) return;
    const key = keys.checkpointKey(live.number, checkpoint.seq);
    const value = encodeCheckpoint(key, checkpoint);
    this.#ops.push({ type: "put", key, value });
    if (older > 0) this.#ops.push({ type: "del", key: keys.checkpointKey(live.number, older) });
    live.stored = {
      ...live.stored,
      checkpointSeq: checkpoint.seq,
      checkpointBytes: value.length,
      // An estimate by count: only the next checkpoint's time depends on it.
      coveredBytes:
        logBytes - Math.round(((logBytes - coveredBytes) * (head.seq - checkpoint.seq)) / (head.seq - older)),
    };
    this.#touched.add(live);
  }

  #addRemove({ contextId, live }: Extract<LogWork, { kind: "remove" }>): void {
    live.isErased = true;
    this.#ops.push({ type: "del", key: keys.contextKey(contextId) }, { type: "del", key: keys.headKey(live.number) });
    this.#put(keys.epochKey(contextId), (key) => encodeNumber(key, live.meta.epoch));
    this.#put(keys.purgeKey(live.number), () => new Uint8Array());
  }

  #put(key: Uint8Array, encode: (key: Uint8Array) => Uint8Array): void {
    this.#ops.push({ type: "put", key, value: encode(key) });
  }
}
