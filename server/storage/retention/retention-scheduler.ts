/**
 * Drops old history where the policy says so, beside the traffic.
 *
 * Invariants (RET):
 *  1. One context at a time, of the whole server.
 *  2. The base is a checkpoint made of the log, in steps of bounded size; only then the log before it is dropped.
 *  3. After a failure the context waits for more entries: one that cannot be folded costs little.
 *
 * Not here: how much is too much (state/retention.ts), dropping (log/log-checkpoints.ts).
 */
import type { ContextId } from "../../../shared/ids.ts";
import type { Limits } from "../../../shared/limits.ts";
import { Thinning, thinningGoal, type RetentionPolicy } from "../../state/retention.ts";
import type { AppendResult, ChangeLog, Checkpoint, LogEntry, StoredContext } from "../change-log.ts";
import type { CheckpointBuilder } from "../checkpoint/checkpoint.ts";

export interface RetentionSchedulerOptions {
  readonly policy: RetentionPolicy;
  readonly builder: CheckpointBuilder;
  readonly limits: Pick<Limits, "checkpointTailEntries" | "checkpointTailBytes">;
  readonly log: Pick<ChangeLog, "load" | "read" | "list" | "checkpointBefore" | "writeCheckpoint" | "trim">;
  readonly nodeClientId: () => number;
  readonly nowMs: () => number;
  onThinned(contextId: ContextId, fields: { readonly fromVersion: number; readonly toVersion: number }): void;
  onError(contextId: ContextId, error: unknown): void;
}

/** Contexts whose age is looked at in one round. */
const CONTEXTS_PER_ROUND = 100;

export class RetentionScheduler {
  readonly #options: RetentionSchedulerOptions;
  /** Contexts that have their turn, in order. */
  readonly #due = new Set<ContextId>();
  /** Contexts whose last attempt failed, and the seq before which there is no other. */
  readonly #notBefore = new Map<ContextId, number>();
  #running: Promise<void> | undefined;
  /** Where the next round goes on. */
  #after: ContextId | undefined;
  #isClosed = false;

  constructor(options: RetentionSchedulerOptions) {
    this.#options = options;
  }

  appended(contextId: ContextId, { entries, size }: Extract<AppendResult, { kind: "appended" }>): void {
    const head = entries.at(-1);
    if (head === undefined) return;
    // Without its oldest entry: age is for the rounds.
    if (thinningGoal(this.#options.policy, { head, size, nowMs: 0 }) === undefined) return;
    if (head.seq < (this.#notBefore.get(contextId) ?? 0)) return;
    this.#notBefore.delete(contextId);
    this.#add(contextId);
  }

  /** One round over some of the contexts: history also gets too old where nobody writes. */
  async look(): Promise<void> {
    const { policy, log, nowMs } = this.#options;
    if (policy.ageMsMax === undefined || this.#isClosed) return;
    const found = await log.list(this.#after, CONTEXTS_PER_ROUND);
    this.#after = found.length < CONTEXTS_PER_ROUND ? undefined : found.at(-1)?.meta.id;
    for (const { meta, head } of found) {
      if (head.seq < (this.#notBefore.get(meta.id) ?? 0)) continue;
      const [oldest] = await log.read(meta.id, 0, 1);
      if (oldest !== undefined && nowMs() - oldest.atMs > policy.ageMsMax) this.#add(meta.id);
    }
  }

  /** The context was deleted. */
  forget(contextId: ContextId): void {
    this.#due.delete(contextId);
    this.#notBefore.delete(contextId);
  }

  /** Resolves when none is under way. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Stops the one under way where it can be stopped. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#due.clear();
    await this.settled();
  }

  #add(contextId: ContextId): void {
    if (this.#isClosed) return;
    this.#due.add(contextId);
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    for (const contextId of this.#due) {
      this.#due.delete(contextId);
      let seq = 0;
      try {
        const context = await this.#options.log.load(contextId);
        if (context === undefined) continue;
        seq = context.head.seq;
        await this.#thin(contextId, context);
      } catch (error) {
        this.#notBefore.set(contextId, seq + this.#options.limits.checkpointTailEntries);
        this.#options.onError(contextId, error);
      }
    }
    // In the same turn as the last look at what is due.
    this.#running = undefined;
  }

  async #thin(contextId: ContextId, context: StoredContext): Promise<void> {
    const { log } = this.#options;
    const { size } = context;
    const seq = await this.#seqToThinTo(contextId, context);
    if (seq <= size.baseSeq) return;
    const base = await this.#baseAt(contextId, context, seq);
    if (base === undefined) return;
    // A quiet context may be too old up to its end, where it has no checkpoint yet.
    if (base.seq > context.checkpoint.seq) await log.writeCheckpoint(contextId, base);
    await log.trim(contextId, base);
    this.#options.onThinned(contextId, { fromVersion: size.baseVersion, toVersion: base.version });
  }

  async #seqToThinTo(contextId: ContextId, context: StoredContext): Promise<number> {
    const { policy, log, nowMs } = this.#options;
    const { head, size } = context;
    const [oldest] = await log.read(contextId, size.baseSeq, 1);
    const goal = thinningGoal(policy, { head, size, nowMs: nowMs(), oldestAtMs: oldest?.atMs });
    if (goal === undefined) return size.baseSeq;
    const thinning = new Thinning(goal, size.baseSeq);
    for await (const page of this.#pages(contextId, context, { after: size.baseSeq, upto: head.seq })) {
      if (thinning.pass(page)) break;
    }
    return thinning.seq;
  }

  /** Undefined when the context was deleted meanwhile, or this is closed. */
  async #baseAt(contextId: ContextId, context: StoredContext, seq: number): Promise<Checkpoint | undefined> {
    const { log, builder, nodeClientId } = this.#options;
    let base = await log.checkpointBefore(contextId, seq);
    if (base === undefined) return undefined;
    for await (const tail of this.#pages(contextId, context, { after: base.seq, upto: seq })) {
      base = await builder.build({ base, tail, nodeClientId: nodeClientId() });
    }
    return base.seq === seq ? base : undefined;
  }

  /** Entries after `after` up to `upto`, about as much at a time as a checkpoint covers. */
  async *#pages(
    contextId: ContextId,
    { head, size }: StoredContext,
    { after, upto }: { readonly after: number; readonly upto: number },
  ): AsyncIterable<readonly LogEntry[]> {
    const { log, limits } = this.#options;
    const entryBytes = size.logBytes / Math.max(1, head.seq - size.baseSeq);
    const entriesMax = Math.min(limits.checkpointTailEntries, limits.checkpointTailBytes / Math.max(1, entryBytes));
    for (let seq = after; seq < upto && !this.#isClosed;) {
      const page = await log.read(contextId, seq, Math.min(upto - seq, Math.max(1, Math.floor(entriesMax))));
      const last = page.at(-1);
      if (last === undefined) return;
      yield page;
      seq = last.seq;
    }
  }
}
