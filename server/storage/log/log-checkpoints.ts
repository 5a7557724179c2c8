/**
 * Checkpoints of the log, and its base: which are there, which stay, and from where on the log is whole.
 *
 * Invariants:
 *  1. `trim` first moves the base, in one step with its checkpoint, and then drops runs from the oldest on: whenever it
 *     stops, the log is whole from its base on. What it left is dropped by the next trim, of whatever base.
 *  2. One trim at a time: each step counts what it drops exactly once.
 *
 * Not here: making checkpoints, and when the log is trimmed (server/storage/checkpoint, server/storage/retention).
 */
import { ok as assert } from "node:assert/strict";
import type { ContextId } from "../../../shared/ids.ts";
import type { Checkpoint, CheckpointInfo, RecordWrite } from "../change-log.ts";
import type { LiveContext, Slot } from "./context-slots.ts";
import { newestOf } from "./head-record.ts";
import { DELETE_STEP } from "./deletion.ts";
import type { LogCore } from "./log-core.ts";
import { checkpointAt, runsBelowBase, type RunsToDrop } from "./log-reader.ts";
import { bytesOfOps, sideRecordOps } from "./record-ops.ts";

/** Runs are read to be counted: so many bytes of them are in memory at a time. */
const DROP_STEP = { runs: DELETE_STEP, bytes: 4 * 1024 * 1024 };

export interface CheckpointOptions {
  readonly isKept?: boolean;
  readonly records?: readonly RecordWrite[];
}

export class LogCheckpoints {
  readonly #core: LogCore;
  /** The newest trim; never rejects. */
  #trimmed: Promise<void> = Promise.resolve();

  constructor(core: LogCore) {
    this.#core = core;
  }

  write(contextId: ContextId, checkpoint: Checkpoint, options: CheckpointOptions = {}): Promise<void> {
    const { isKept = false, records = [] } = options;
    return this.#decideOnLive(contextId, async (live, slot) => {
      if (checkpoint.firstEpoch !== live.meta.firstEpoch) return;
      assert(checkpoint.seq <= live.head.seq, "a checkpoint cannot be ahead of its log");
      const ops = sideRecordOps(live.number, records);
      const size = { entries: 1, bytes: checkpoint.state.length + bytesOfOps(ops) };
      await this.#core.submit(slot, { kind: "checkpoint", live, checkpoint, isKept, ops }, size);
    });
  }

  release(contextId: ContextId, seq: number, records: readonly RecordWrite[] = []): Promise<void> {
    return this.#decideOnLive(contextId, async (live, slot) => {
      const ops = sideRecordOps(live.number, records);
      await this.#core.submit(slot, { kind: "release", live, seq, ops }, { entries: 1, bytes: bytesOfOps(ops) });
    });
  }

  list(contextId: ContextId): Promise<readonly CheckpointInfo[]> {
    return this.#core.read<readonly CheckpointInfo[]>(contextId, [], (_, { stored }) => stored.checkpoints);
  }

  newestUpTo(contextId: ContextId, seq: number): Promise<Checkpoint | undefined> {
    return this.#core.read<Checkpoint | undefined>(contextId, undefined, (view, found) => {
      const info = found.stored.checkpoints.findLast((one) => one.seq <= seq);
      return info && checkpointAt(view, found, info.seq);
    });
  }

  trim(contextId: ContextId, base: Checkpoint): Promise<void> {
    const trimming = this.#trimmed.then(() => this.#trim(contextId, base));
    this.#trimmed = trimming.catch(() => undefined);
    return trimming;
  }

  async #trim(contextId: ContextId, base: Checkpoint): Promise<void> {
    let number: number | undefined;
    await this.#decideOnLive(contextId, async (live, slot) => {
      if (base.firstEpoch !== live.meta.firstEpoch) return;
      assert(base.seq <= newestOf(live.stored).seq, "the base cannot be after the newest checkpoint");
      number = live.number;
      await this.#core.submit(slot, { kind: "rebase", live, base }, { entries: 1, bytes: base.state.length });
    });
    if (number === undefined) return;
    let step: RunsToDrop | undefined;
    do {
      step = await this.#core.read<RunsToDrop | undefined>(contextId, undefined, (view, found) =>
        found.number === number ? runsBelowBase(view, found, DROP_STEP) : undefined,
      );
    } while (step !== undefined && step.runs.length > 0 && (await this.#drop(contextId, number, step)));
  }

  /** False when the context is another one by now. */
  async #drop(contextId: ContextId, number: number, { runs, bytes }: RunsToDrop): Promise<boolean> {
    let isSame = false;
    await this.#decideOnLive(contextId, async (live, slot) => {
      isSame = live.number === number;
      if (isSame)
        await this.#core.submit(slot, { kind: "drop", live, runs, bytes }, { entries: runs.length, bytes: 0 });
    });
    return isSame;
  }

  /** Nothing when there is no such context: it was deleted meanwhile. */
  #decideOnLive(contextId: ContextId, decide: (live: LiveContext, slot: Slot) => Promise<void>): Promise<void> {
    return this.#core.decide(contextId, async (slot) => {
      if (slot.live !== undefined) await decide(slot.live, slot);
    });
  }
}
