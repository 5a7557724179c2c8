/**
 * Decides when a context gets its next checkpoint, and has it made and written beside the traffic.
 *
 * Invariants:
 *  1. At most one checkpoint of a context is under way.
 *  2. What grew meanwhile is looked at again when it is done, so that a burst leaves no long tail behind.
 *  3. After a failed one the context waits for as many entries again: a document that cannot be folded costs little.
 *
 * Not here: the making (checkpoint.ts).
 */
import type { ContextId } from "../../../shared/ids.ts";
import type { Limits } from "../../../shared/limits.ts";
import type { AppendResult, Checkpoint, StoredContext, TailSize } from "../change-log.ts";
import { isCheckpointDue, type CheckpointBuilder } from "./checkpoint.ts";

export interface CheckpointSchedulerOptions {
  readonly builder: CheckpointBuilder;
  readonly limits: Pick<Limits, "checkpointTailEntries" | "checkpointTailBytes">;
  nodeClientId(): number;
  load(contextId: ContextId): Promise<StoredContext | undefined>;
  write(contextId: ContextId, checkpoint: Checkpoint): Promise<void>;
  onError(contextId: ContextId, error: unknown): void;
}

export class CheckpointScheduler {
  readonly #options: CheckpointSchedulerOptions;
  readonly #running = new Map<ContextId, Promise<void>>();
  /** Contexts that grew while a checkpoint of them was under way. */
  readonly #grown = new Set<ContextId>();
  /** Contexts whose last attempt failed, and the seq before which there is no other. */
  readonly #notBefore = new Map<ContextId, number>();
  #isClosed = false;

  constructor(options: CheckpointSchedulerOptions) {
    this.#options = options;
  }

  appended(contextId: ContextId, { tail, entries }: Extract<AppendResult, { kind: "appended" }>): void {
    if (!isCheckpointDue(tail, this.#options.limits)) return;
    if (this.#isClosed) return;
    if (this.#running.has(contextId)) {
      this.#grown.add(contextId);
      return;
    }
    const seq = entries.at(-1)?.seq ?? 0;
    if (seq < (this.#notBefore.get(contextId) ?? 0)) return;
    this.#notBefore.delete(contextId);
    const work = this.#makeUntilSmall(contextId, seq).finally(() => this.#running.delete(contextId));
    this.#running.set(contextId, work);
  }

  async #makeUntilSmall(contextId: ContextId, seq: number): Promise<void> {
    do {
      this.#grown.delete(contextId);
      await this.#make(contextId, seq);
    } while (!this.#isClosed && this.#grown.has(contextId) && (await this.#isStillDue(contextId)));
    this.#grown.delete(contextId);
  }

  async #isStillDue(contextId: ContextId): Promise<boolean> {
    if (this.#notBefore.has(contextId)) return false;
    const context = await this.#options.load(contextId).catch(() => undefined);
    return context !== undefined && isCheckpointDue(sizeOf(context), this.#options.limits);
  }

  /** The context was deleted. */
  forget(contextId: ContextId): void {
    this.#notBefore.delete(contextId);
  }

  /** Resolves when none is under way. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  /** Lets those under way finish, then stops the builder. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.settled();
    await this.#options.builder.close();
  }

  async #make(contextId: ContextId, seq: number): Promise<void> {
    const options = this.#options;
    try {
      const context = await options.load(contextId);
      if (context === undefined || context.tail.length === 0) return;
      const { checkpoint: base, tail } = context;
      const checkpoint = await options.builder.build({ base, tail, nodeClientId: options.nodeClientId() });
      await options.write(contextId, checkpoint);
    } catch (error) {
      this.#notBefore.set(contextId, seq + options.limits.checkpointTailEntries);
      options.onError(contextId, error);
    }
  }
}

function sizeOf({ checkpoint, tail }: StoredContext): TailSize {
  const bytes = tail.reduce((sum, { update }) => sum + update.byteLength, 0);
  return { entries: tail.length, bytes, checkpointBytes: checkpoint.state.byteLength };
}
