/**
 * Conflicts that other servers found: their records came with the entries that are taken in, and sessions here are told.
 *
 * Invariants (CONFLICT, NODE):
 *  1. One look is under way, and none begins before `conflictNewsMs` have gathered what there is to look for: one for each
 *     change would double what following costs.
 *  2. Without a session here nothing is read.
 *
 * Not here: finding conflicts (state/conflict), those found here (write-path.ts).
 */
import type { ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { conflictView } from "../../shared/protocol/conflict-view.ts";
import { conflictOf, conflictRecordKey } from "../state/conflict/conflict-record.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Clock } from "../clock.ts";
import type { ChangeLog, LogEntry } from "../storage/change-log.ts";

interface ConflictNewsOptions {
  readonly clock: Clock;
  readonly storage: Pick<ChangeLog, "listRecords">;
  readonly sync: {
    isFollowed(id: ContextId): boolean;
    announce(id: ContextId, event: JsonObject): void;
  };
}

/** Positions of entries: afterSeq < seq <= toSeq. */
interface Span {
  readonly afterSeq: number;
  readonly toSeq: number;
}

/** Records that are read at once: a conflict may have 32 KB. */
const PAGE = 50;
/** Behind every number within a change. */
const LAST = 9999;

export class ConflictNews {
  readonly #options: ConflictNewsOptions;
  readonly #due = new Map<ContextId, Span>();
  /** Of the look that is to come or under way. */
  #cancelLook: (() => void) | undefined;
  #isStopped = false;

  constructor(options: ConflictNewsOptions) {
    this.#options = options;
  }

  /** These entries of others were taken in. */
  tell(id: ContextId, entries: readonly LogEntry[]): void {
    const changes = entries.filter(({ kind }) => kind === "change" || kind === "void");
    const [first, last] = [changes[0], changes.at(-1)];
    if (first === undefined || last === undefined || !this.#options.sync.isFollowed(id)) return;
    this.#due.set(id, { afterSeq: this.#due.get(id)?.afterSeq ?? first.seq - 1, toSeq: last.seq });
    this.#lookLater();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelLook?.();
  }

  #lookLater(): void {
    if (this.#isStopped) return;
    this.#cancelLook ??= this.#options.clock.setTimer(LIMITS.conflictNewsMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    const due = [...this.#due];
    this.#due.clear();
    // an event that is not told is found in the list of conflicts
    await Promise.allSettled(due.map(([id, span]) => this.#announce(id, span)));
    this.#cancelLook = undefined;
    if (this.#due.size > 0) this.#lookLater();
  }

  async #announce(id: ContextId, { afterSeq, toSeq }: Span): Promise<void> {
    const { storage, sync } = this.#options;
    const end = keyBehind(toSeq);
    for (let after = keyBehind(afterSeq); ;) {
      const records = await storage.listRecords(id, "conflicts", { after, limit: PAGE });
      for (const { key, value } of records) {
        if (key > end) return;
        sync.announce(id, { type: "conflict", conflict: { ...conflictView(conflictOf(value)) } });
      }
      const last = records.at(-1);
      if (last === undefined || records.length < PAGE) return;
      after = last.key;
    }
  }
}

/** Behind the keys of an entry's conflicts. */
function keyBehind(seq: number): string {
  return conflictRecordKey(`${seq}.${LAST}`) ?? "";
}
