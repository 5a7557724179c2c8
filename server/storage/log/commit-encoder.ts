/**
 * One group commit as one batch of the store: appends to a context become one run, and each head is written once.
 *
 * Not here: deciding what is written (key-value-change-log.ts), what it makes of a head (head-record.ts).
 */
import type { ContextHead } from "../../../shared/context.ts";
import type { ContextId } from "../../../shared/ids.ts";
import type { Checkpoint, CheckpointInfo, LogEntry } from "../change-log.ts";
import type { StoreItem, StoreOp } from "../store/store.ts";
import type { LiveContext } from "./context-slots.ts";
import { encodeRun } from "./entry-codec.ts";
import * as heads from "./head-record.ts";
import * as keys from "./log-keys.ts";
import { encodeHead, encodeNumber } from "./record-codec.ts";
import { checkpointOp, putOp } from "./record-ops.ts";

export type LogWork =
  | {
      readonly kind: "append";
      readonly live: LiveContext;
      readonly entries: readonly LogEntry[];
      /** The head after them. */
      readonly head: ContextHead;
      /** What becomes durable with them. */
      readonly ops: readonly StoreOp[];
    }
  | {
      readonly kind: "checkpoint";
      readonly live: LiveContext;
      readonly checkpoint: Checkpoint;
      readonly isKept: boolean;
      readonly ops: readonly StoreOp[];
    }
  | { readonly kind: "release"; readonly live: LiveContext; readonly seq: number; readonly ops: readonly StoreOp[] }
  | { readonly kind: "rebase"; readonly live: LiveContext; readonly base: Checkpoint }
  /** Runs below the base go: their keys, and how many bytes they have. */
  | {
      readonly kind: "drop";
      readonly live: LiveContext;
      readonly runs: readonly Uint8Array[];
      readonly bytes: number;
    }
  | { readonly kind: "remove"; readonly contextId: ContextId; readonly live: LiveContext }
  | { readonly kind: "ops"; readonly ops: readonly StoreOp[] };

type Work<Kind extends LogWork["kind"]> = Extract<LogWork, { kind: Kind }>;

/** For one batch; it moves `stored` of the contexts in it. */
export class CommitEncoder {
  readonly #ops: StoreOp[] = [];
  readonly #runs = new Map<LiveContext, LogEntry[]>();
  readonly #touched = new Set<LiveContext>();
  readonly #written = new Map<LiveContext, StoreItem>();

  encode(works: readonly LogWork[]): readonly StoreOp[] {
    for (const work of works) this.#add(work);
    for (const [live, entries] of this.#runs) this.#addRun(live, entries);
    for (const live of this.#touched)
      if (!live.isErased) this.#ops.push(putOp(keys.headKey(live.number), (key) => encodeHead(key, live.stored)));
    return this.#ops;
  }

  /** The run that this batch adds to the context. */
  runOf(live: LiveContext): StoreItem | undefined {
    return this.#written.get(live);
  }

  #add(work: LogWork): void {
    // Not spread: a batch may have more operations than a call may have arguments.
    if ("ops" in work) for (const op of work.ops) this.#ops.push(op);
    switch (work.kind) {
      case "ops":
        return;
      case "append":
        return this.#addAppend(work);
      case "checkpoint":
        return this.#addCheckpoint(work);
      case "release":
        return this.#addRelease(work);
      case "rebase":
        return this.#addBase(work);
      case "drop":
        for (const key of work.runs) this.#ops.push({ type: "del", key });
        return this.#setStored(work.live, heads.withoutRuns(work.live.stored, work.bytes));
      case "remove":
        return this.#addRemove(work);
    }
  }

  #addAppend({ live, entries, head }: Work<"append">): void {
    const run = this.#runs.get(live);
    if (run === undefined) this.#runs.set(live, [...entries]);
    else run.push(...entries);
    this.#setStored(live, { ...live.stored, head });
  }

  #addRun(live: LiveContext, entries: readonly LogEntry[]): void {
    const [first] = entries;
    if (first === undefined) return;
    const key = keys.runKey(live.number, first.seq);
    const value = encodeRun(key, first.version - (first.kind === "change" ? 1 : 0), entries);
    this.#ops.push({ type: "put", key, value });
    this.#written.set(live, [key, value]);
    live.stored = heads.withRun(live.stored, value.length);
  }

  #addCheckpoint({ live, checkpoint, isKept }: Work<"checkpoint">): void {
    const { stored } = live;
    const known = heads.checkpointAt(stored, checkpoint.seq);
    if (known !== undefined) {
      if (isKept) this.#setStored(live, heads.withCheckpoint(stored, { ...known, isKept }));
    } else if (isKept || checkpoint.seq > heads.newestOf(stored).seq) {
      const info = { ...this.#put(live, checkpoint), isKept };
      this.#setStored(live, heads.withCheckpoint(stored, info));
    }
  }

  #addRelease({ live, seq }: Work<"release">): void {
    const known = heads.checkpointAt(live.stored, seq);
    if (known !== undefined) this.#setStored(live, heads.withCheckpoint(live.stored, { ...known, isKept: false }));
  }

  #addBase({ live, base }: Work<"rebase">): void {
    const { stored } = live;
    if (base.seq <= stored.baseSeq) return;
    const info = heads.checkpointAt(stored, base.seq) ?? this.#put(live, base);
    this.#setStored(live, heads.withBase(stored, info));
  }

  #put({ number }: LiveContext, checkpoint: Checkpoint): CheckpointInfo {
    const op = checkpointOp(number, checkpoint);
    this.#ops.push(op);
    return { seq: checkpoint.seq, version: checkpoint.version, bytes: op.value.length, isKept: false };
  }

  /** Checkpoints that the new head does not know go. */
  #setStored(live: LiveContext, stored: heads.HeadRecord): void {
    for (const { seq } of live.stored.checkpoints) {
      if (heads.checkpointAt(stored, seq) !== undefined) continue;
      this.#ops.push({ type: "del", key: keys.checkpointKey(live.number, seq) });
    }
    live.stored = stored;
    this.#touched.add(live);
  }

  #addRemove({ contextId, live }: Work<"remove">): void {
    live.isErased = true;
    this.#ops.push(
      { type: "del", key: keys.contextKey(contextId) },
      { type: "del", key: keys.headKey(live.number) },
      putOp(keys.epochKey(contextId), (key) => encodeNumber(key, live.meta.epoch)),
      putOp(keys.purgeKey(live.number), () => new Uint8Array()),
    );
  }
}
