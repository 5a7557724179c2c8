/**
 * Puts a recreated document in the place of a context's old one: holds its turns, appends the epoch, starts anew.
 *
 * Invariants (EPOCH):
 *  1. Between the state that was recreated and the epoch entry nothing is admitted.
 *  2. After the entry nobody writes to the old document: the context is dropped from memory and its sessions end.
 *  3. Who asked for it is an admin still when its turn comes (ACL-12).
 *  4. When it fails before the entry, the context goes on as it was; when the entry's fate is unknown, it is loaded again.
 *  5. What another server writes meanwhile makes it begin anew (NODE): with the others asked to wait, so that it ends.
 *
 * Not here: how a document is recreated (use-cases/compaction.ts).
 */
import * as Y from "yjs";
import { ServiceError, toServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { Clock } from "../clock.ts";
import type { Caller } from "../context-service.ts";
import { authorIdOf } from "../state/author-id.ts";
import type { NewDocument, OldDocument } from "../state/compaction.ts";
import type { LiveContext, StateManager } from "../state/state-manager.ts";
import type { Peers } from "../storage/peers.ts";
import type { StorageManager } from "../storage/storage-manager.ts";
import type { SyncManager } from "../sync/sync-manager.ts";
import type { CompactionAccess } from "../use-cases/compaction.ts";
import { PeerHolds } from "./peer-holds.ts";
import type { PendingWrite } from "./write-path.ts";

type Live = LiveContext<PendingWrite>;

interface NewEpoch {
  readonly version: number;
  readonly epoch: number;
}

interface RecreationOptions {
  readonly clock: Clock;
  readonly storage: StorageManager;
  readonly sync: SyncManager;
  readonly state: StateManager<PendingWrite>;
  readonly peers?: Peers | undefined;
  readonly others: { freshen(live: Live): Promise<void> };
  /** Forgets what is in memory of a context and ends its sessions. */
  readonly drop: (live: Live, error: ServiceError) => void;
}

/** How often it begins anew because others wrote. They wait meanwhile: what was under way when they were told comes first. */
const ATTEMPTS_MAX = 20;

export class Recreation implements CompactionAccess {
  readonly #options: RecreationOptions;
  readonly #holds: PeerHolds;
  readonly #underWay = new Map<ContextId, Promise<NewEpoch>>();

  constructor(options: RecreationOptions) {
    this.#options = options;
    this.#holds = new PeerHolds(options);
  }

  recreate(caller: Caller, id: ContextId, work: (old: OldDocument) => Promise<NewDocument>): Promise<NewEpoch> {
    const before = this.#underWay.get(id) ?? Promise.resolve();
    const mine = before
      .catch(() => undefined)
      .then(() => acrossCompactions(() => this.#recreate(caller, id, work)))
      .finally(() => {
        if (this.#underWay.get(id) === mine) this.#underWay.delete(id);
      });
    this.#underWay.set(id, mine);
    return mine;
  }

  async #recreate(caller: Caller, id: ContextId, work: (old: OldDocument) => Promise<NewDocument>): Promise<NewEpoch> {
    const { state } = this.#options;
    const live = await state.acquire(id);
    let letGo = (): void => undefined;
    state.pause(live);
    try {
      for (let attempts = 1; attempts <= ATTEMPTS_MAX; attempts++) {
        const made = await this.#attempt(live, caller, work);
        if (made !== undefined) return made;
        if (attempts === 1) letGo = this.#holds.hold(id);
      }
      throw new ServiceError("STORE_UNAVAILABLE", "Other servers write to the context all the time. Try again later.");
    } finally {
      letGo();
      if (!live.isDropped) state.resume(live);
      state.release(live);
    }
  }

  /** Undefined when another server wrote meanwhile. */
  async #attempt(
    live: Live,
    caller: Caller,
    work: (old: OldDocument) => Promise<NewDocument>,
  ): Promise<NewEpoch | undefined> {
    const { storage, state, sync, others } = this.#options;
    await live.durable;
    if (storage.isShared) await others.freshen(live);
    live.state.access.checkAdmin(caller);
    const authorSalt = this.#freshSalt(live);
    const authorId = authorIdOf(storage.nodeClientId, { authorSalt });
    // of one moment: what is taken in later is not in the new document
    const { seq, version } = live.state;
    const { update } = await work({ state: Y.encodeStateAsUpdateV2(live.state.doc), authorId });
    // deleted meanwhile: a new context of the same id must not get the document
    if (live.droppedBy !== undefined) throw live.droppedBy;
    if (!(await this.#append(live, seq, caller, { update, authorSalt }))) return undefined;
    // sessions end before their queued writes are refused: those are not their clients' fault, and acks are owed
    sync.endEpoch(live.id);
    state.drop(live, compacted());
    return { version, epoch: live.meta.epoch + 1 };
  }

  /** False when the context has moved on. */
  async #append(
    live: Live,
    seq: number,
    { identity: { actor }, origin }: Caller,
    { update, authorSalt }: { readonly update: Uint8Array; readonly authorSalt: number },
  ): Promise<boolean> {
    const { clock, storage, drop } = this.#options;
    const entry = { kind: "epoch", actor, origin, atMs: clock.nowMs(), paths: [], update, authorSalt } as const;
    try {
      return (await storage.append(live.id, { seq }, [entry])).kind === "appended";
    } catch (error) {
      drop(live, toServiceError(error));
      throw error;
    }
  }

  /** A salt that gives the server an id of nobody who ever wrote here. */
  #freshSalt({ state: { clientIds, doc } }: Live): number {
    const { clock, storage } = this.#options;
    for (;;) {
      const authorSalt = clock.randomUint32();
      const id = authorIdOf(storage.nodeClientId, { authorSalt });
      if (id !== clientIds.authorId && !clientIds.retired.has(id) && Y.getState(doc.store, id) === 0) return authorSalt;
    }
  }
}

/** What a write is told that meets a compaction; JSON changes begin anew by themselves. */
export function compacted(): ServiceError {
  return new ServiceError(
    "STORE_UNAVAILABLE",
    "The context was compacted at this moment. Send the change once more; live sessions connect again.",
    { details: { rule: "compacted" } },
  );
}

/** How often what meets a compaction begins anew. */
const COMPACTED_MAX = 3;

/** Tries again in the new epoch when the context was compacted meanwhile. */
export async function acrossCompactions<Result>(attempt: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!wasCompacted(error) || tries === COMPACTED_MAX) throw error;
    }
  }
}

function wasCompacted(error: unknown): boolean {
  return error instanceof ServiceError && error.details["rule"] === "compacted";
}
