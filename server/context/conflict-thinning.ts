/**
 * Keeps the conflict records of a context bounded: the oldest that nobody has to decide about go.
 *
 * Invariants (CONFLICT):
 *  1. The newest `conflictsKeptMax` stay, and every open one among the `LOOKED_AT` before them.
 *  2. Thinning is done beside the writes and looks at a few records for each new one.
 *
 * Not here: what a record says (state/conflict/conflict-record.ts).
 */
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Logger } from "../monitor/logger.ts";
import { conflictOf } from "../state/conflict/conflict-record.ts";
import type { ChangeLog, SideRecord } from "../storage/change-log.ts";

interface ConflictThinningOptions {
  readonly storage: Pick<ChangeLog, "listRecords" | "writeRecords">;
  readonly logger: Logger;
  readonly keptMax?: number;
}

/** New conflicts between two looks, and how many old ones one look may drop. */
const STEP = 2000;
const LOOKED_AT = 2 * STEP;
/** Contexts whose conflicts are counted; forgetting one costs a look too many. */
const COUNTED_MAX = 10_000;

export class ConflictThinning {
  readonly #storage: ConflictThinningOptions["storage"];
  readonly #logger: Logger;
  readonly #keptMax: number;
  /** New conflicts since the last look. */
  readonly #counts = new Map<ContextId, number>();

  constructor({ storage, logger, keptMax = LIMITS.conflictsKeptMax }: ConflictThinningOptions) {
    this.#storage = storage;
    this.#logger = logger;
    this.#keptMax = keptMax;
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
    let beyond: readonly SideRecord[] = [];
    let after: string | undefined;
    for (let passed = 0; passed < this.#keptMax + LOOKED_AT;) {
      const page = await this.#storage.listRecords(id, "conflicts", {
        reverse: true,
        limit: LIMITS.listLimitMax,
        ...(after === undefined ? {} : { after }),
      });
      beyond = [...beyond, ...page.slice(Math.max(0, this.#keptMax - passed))];
      passed += page.length;
      after = page.at(-1)?.key;
      if (page.length < LIMITS.listLimitMax) break;
    }
    const dropped = beyond.filter(({ value }) => conflictOf(value).status !== "open");
    if (dropped.length === 0) return;
    const writes = dropped.map(({ key }) => ({ collection: "conflicts" as const, key, value: null }));
    await this.#storage.writeRecords(id, writes);
  }
}
