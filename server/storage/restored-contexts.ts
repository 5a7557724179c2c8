/**
 * Contexts of a restored backup begin a new epoch when they are first used (decision 0010).
 *
 * What happened after the backup is lost to the server, but not to its clients. A server that went on as before would write
 * other content under clocks that they know already, and merge what they know of the lost changes as if they had made it.
 * In a new epoch neither can happen: the server writes under another id, and old documents are told so (EPOCH).
 *
 * Invariants:
 *  1. A context of a backup is not handed out before its epoch entry is durable; its mark goes with that entry.
 *  2. Where no backup was restored, nothing is read for this.
 *
 * Not here: writing the marks (backup/backup-folder.ts), how a document is recreated (state/compaction.ts).
 */
import { parseActor } from "../../shared/ids.ts";
import type { Actor, ContextId } from "../../shared/ids.ts";
import type { Clock } from "../clock.ts";
import type { ChangeLog, Collection, StoredContext } from "./change-log.ts";
import type { CheckpointBuilder } from "./checkpoint/checkpoint.ts";

export const RESTORED: Collection = "restored";
/** Of the server: the store is one of a backup, or was once. */
export const BACKUP_MARK = "backup";
/** Of a context: it has not begun its new epoch. */
export const EPOCH_MARK = "epoch";

const SERVER: Actor = parseActor("server");
/** Enough that one is free: there are 2^32 client ids, and a context knows some thousands. */
const SALTS = 4;

interface RestoredContextsOptions {
  readonly log: Pick<ChangeLog, "load" | "append" | "readRecord" | "nodeClientId">;
  readonly builder: CheckpointBuilder;
  readonly clock: Clock;
}

export class RestoredContexts {
  readonly #options: RestoredContextsOptions;
  #isRestored = false;

  constructor(options: RestoredContextsOptions) {
    this.#options = options;
  }

  /** The log was opened. */
  async opened(): Promise<void> {
    this.#isRestored = (await this.#options.log.readRecord(undefined, RESTORED, BACKUP_MARK)) !== undefined;
  }

  async load(id: ContextId): Promise<StoredContext | undefined> {
    const { log } = this.#options;
    const stored = await log.load(id);
    if (!this.#isRestored || stored === undefined) return stored;
    if ((await log.readRecord(id, RESTORED, EPOCH_MARK)) === undefined) return stored;
    await this.#renew(id, stored);
    return log.load(id);
  }

  async #renew(id: ContextId, { checkpoint: base, tail, head }: StoredContext): Promise<void> {
    const { log, builder, clock } = this.#options;
    const salts = Array.from({ length: SALTS }, () => clock.randomUint32());
    const { update, authorSalt } = await builder.renew({ base, tail, nodeClientId: log.nodeClientId }, salts);
    const entry = {
      kind: "epoch",
      actor: SERVER,
      origin: "server",
      atMs: clock.nowMs(),
      paths: [],
      update,
      authorSalt,
    } as const;
    // should somebody else have been here first, the guard fails and their entry is as good
    await log.append(id, { seq: head.seq }, [entry], {
      records: () => [{ collection: RESTORED, key: EPOCH_MARK, value: null }],
    });
  }
}
