/**
 * Conflicts that other servers found: their records came with the entries that are taken in, and sessions here are told.
 *
 * Invariants (CONFLICT, NODE):
 *  1. Of a context one look at its records is under way; what comes meanwhile is looked for together after it.
 *  2. Without a session here nothing is read.
 *
 * Not here: finding conflicts (state/conflict), those found here (write-path.ts).
 */
import type { ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { conflictView } from "../../shared/protocol/conflict-view.ts";
import { conflictOf, conflictRecordKey } from "../state/conflict/conflict-record.ts";
import type { ChangeLog, LogEntry } from "../storage/change-log.ts";

interface ConflictNewsOptions {
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
  readonly #looking = new Set<ContextId>();

  constructor(options: ConflictNewsOptions) {
    this.#options = options;
  }

  /** These entries of others were taken in. */
  tell(id: ContextId, entries: readonly LogEntry[]): void {
    const changes = entries.filter(({ kind }) => kind === "change" || kind === "void");
    const [first, last] = [changes[0], changes.at(-1)];
    if (first === undefined || last === undefined || !this.#options.sync.isFollowed(id)) return;
    this.#due.set(id, { afterSeq: this.#due.get(id)?.afterSeq ?? first.seq - 1, toSeq: last.seq });
    if (!this.#looking.has(id)) void this.#look(id);
  }

  async #look(id: ContextId): Promise<void> {
    this.#looking.add(id);
    try {
      for (let span = this.#due.get(id); span !== undefined; span = this.#due.get(id)) {
        this.#due.delete(id);
        await this.#announce(id, span);
      }
    } catch {
      // an event that is not told is found in the list of conflicts
    } finally {
      this.#looking.delete(id);
    }
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
