/**
 * Compaction: a context's document is recreated without what was deleted, as a new epoch.
 *
 * Invariants (EPOCH):
 *  1. What is recreated reads the same and is written under the server's id of the new epoch alone.
 *  2. Versions go on; the history before stays readable; no client id of the old document is written under again.
 *
 * Not here: how a document is recreated (state/compaction.ts), turns, the log and sessions (`CompactionAccess`).
 */
import type { ContextId } from "../../shared/ids.ts";
import type { Caller, CompactOutcome } from "../context-service.ts";
import { recreateState } from "../state/compaction.ts";
import type { NewDocument, OldDocument } from "../state/compaction.ts";

/** Port: what compaction needs of the service (context/recreation.ts). */
export interface CompactionAccess {
  /**
   * Holds the context's turns, so that writes queue up (bounded); when what was admitted is durable, appends what `work`
   * makes of it as an epoch entry, guarded on seq; then drops the context from memory, ends its sessions
   * (`SyncManager.endEpoch`), and lets the writes that queued go on in the new epoch. When `work` or the append fails,
   * they go on in the old one. One compaction of a context at a time; a second caller waits for the first.
   * @throws {ServiceError} CONTEXT_NOT_FOUND, FORBIDDEN for who is no admin any more, STORE_UNAVAILABLE, SHUTTING_DOWN; what `work` throws
   */
  recreate(
    caller: Caller,
    id: ContextId,
    work: (old: OldDocument) => Promise<NewDocument>,
  ): Promise<{ readonly version: number; readonly epoch: number }>;
}

/** Makes the new document; on a thread of its own: recreation-pool.ts. */
export interface Recreator {
  /** Of one that takes time to begin: resolves when it has. To be asked before writes are held up for it. */
  ready?(): Promise<void>;
  recreate(old: OldDocument): Promise<NewDocument>;
}

/** On the event loop: for tests and simulations. */
export class InlineRecreator implements Recreator {
  async recreate(old: OldDocument): Promise<NewDocument> {
    return recreateState(old);
  }
}

export class Compaction {
  readonly #access: CompactionAccess;
  readonly #recreator: Recreator;

  constructor(access: CompactionAccess, recreator: Recreator) {
    this.#access = access;
    this.#recreator = recreator;
  }

  /** @throws {ServiceError} CONTEXT_NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, SHUTTING_DOWN */
  async compact(caller: Caller, id: ContextId): Promise<CompactOutcome> {
    let bytesBefore = 0;
    let bytesAfter = 0;
    await this.#recreator.ready?.();
    const { version, epoch } = await this.#access.recreate(caller, id, async (old) => {
      const made = await this.#recreator.recreate(old);
      bytesBefore = old.state.byteLength;
      bytesAfter = made.bytes;
      return made;
    });
    return { version, epoch, bytesBefore, bytesAfter };
  }
}
