/**
 * Keeps the conflict records of a context bounded: the oldest that nobody has to decide about go first.
 *
 * Invariants (CONFLICT):
 *  1. The newest `conflictsKeptMax` stay, of older ones the newest `conflictsOpenMax` that are open.
 *  2. Thinning is done beside the writes and looks at a few records for each new one.
 *
 * Not here: what a record says (state/conflict/conflict-record.ts).
 */
import type { ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Logger } from "../monitor/logger.ts";
import { conflictOf } from "../state/conflict/conflict-record.ts";
import type { ChangeLog, RecordWrite } from "../storage/change-log.ts";

interface ConflictThinningOptions {
  readonly storage: Pick<ChangeLog, "listRecords" | "writeRecords">;
  readonly logger: Logger;
  readonly keptMax?: number;
  readonly openMax?: number;
}

/** New conflicts between two looks. */
const STEP = 2000;
/** Records that are read at once: a conflict may have 32 KB. */
const PAGE = 50;
/** Contexts whose conflicts are counted; forgetting one costs a look too many. */
const COUNTED_MAX = 10_000;

export class ConflictThinning {
  readonly #storage: ConflictThinningOptions["storage"];
  readonly #logger: Logger;
  readonly #keptMax: number;
  readonly #openMax: number;
  /** New conflicts since the last look. */
  readonly #counts = new Map<ContextId, number>();

  constructor(options: ConflictThinningOptions) {
    const { storage, logger, keptMax = LIMITS.conflictsKeptMax, openMax = LIMITS.conflictsOpenMax } = options;
    this.#storage = storage;
    this.#logger = logger;
    this.#keptMax = keptMax;
    this.#openMax = openMax;
  }

  /** The context has so many new conflicts. */
  recorded(id: ContextId, count: number): void {
    const known = this.#counts.get(id);
    if (known !== undefined && known + count < STEP) {
      this.#counts.set(id, known + count);
      return;
    }
    if (this.#counts.size >= COUNTED_MAX) this.#counts.clear();
    this.#counts.set(id, 0);
    this.#thin(id).catch((error: unknown) =>
      this.#logger.warn("old conflicts could not be dropped", { contextId: id, error }),
    );
  }

  async #thin(id: ContextId): Promise<void> {
    let after: string | undefined;
    for (let kept = 0; ;) {
      const page = await this.#storage.listRecords(id, "conflicts", {
        reverse: true,
        limit: PAGE,
        ...(after === undefined ? {} : { after }),
      });
      const writes: RecordWrite[] = [];
      for (const { key, value } of page) {
        if (this.#stays(value, kept)) kept++;
        else writes.push({ collection: "conflicts", key, value: null });
      }
      if (writes.length > 0) await this.#storage.writeRecords(id, writes);
      after = page.at(-1)?.key;
      if (page.length < PAGE) return;
    }
  }

  /** Whether a record stays when so many newer ones do. */
  #stays(record: JsonObject, newer: number): boolean {
    if (newer < this.#keptMax) return true;
    return newer < this.#keptMax + this.#openMax && conflictOf(record).status === "open";
  }
}
