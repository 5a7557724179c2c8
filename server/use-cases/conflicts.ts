/**
 * Use cases: which conflicts a context has had, and settling one.
 *
 * Invariants (CONFLICT):
 *  1. A conflict is resolved once. Who comes second is refused, also when both came at once.
 *  2. A resolution that changes the data is durable together with the conflict's new status; one that lets the present
 *     stand changes no version.
 *
 * Not here: finding conflicts, and what their policies write (state/conflict).
 */
import type { JsonOp } from "../../shared/change.ts";
import type { Conflict } from "../../shared/conflict.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { overlaps, parsePath } from "../../shared/path.ts";
import { findMarked } from "../../shared/read-data.ts";
import type { Clock } from "../clock.ts";
import type { ContextAccess } from "../context-access.ts";
import type { Caller, ConflictService, Page } from "../context-service.ts";
import { contextNotFound } from "../state/context-not-found.ts";
import { conflictOf, conflictRecordKey, conflictWrite, resolvedBy } from "../state/conflict/conflict-record.ts";
import { opsOfSide } from "../state/conflict/conflict-resolver.ts";
import type { ChangeLog } from "../storage/change-log.ts";

type ListRequest = Parameters<ConflictService["list"]>[2];
type ResolveRequest = Parameters<ConflictService["resolve"]>[2];

interface ConflictUseCasesOptions {
  readonly access: Pick<ContextAccess, "change">;
  readonly storage: Pick<ChangeLog, "summary" | "readRecord" | "listRecords" | "writeRecords">;
  readonly clock: Clock;
  /** Hears of conflicts that are settled beside the log. */
  readonly figures: { conflictSettled(id: ContextId): void };
}

/** Records looked through for one page of a filtered listing; the page's `next` goes on from there. */
const LOOKED_AT_MAX = 10 * LIMITS.listLimitMax;
/** Records that are read at once: a conflict may have 32 KB. */
const READ_AT_ONCE = 50;

export class ConflictUseCases implements ConflictService {
  readonly #access: Pick<ContextAccess, "change">;
  readonly #storage: ConflictUseCasesOptions["storage"];
  readonly #clock: Clock;
  readonly #figures: ConflictUseCasesOptions["figures"];
  /** Resolutions under way: the last one of each conflict. */
  readonly #underWay = new Map<string, Promise<unknown>>();

  constructor({ access, storage, clock, figures }: ConflictUseCasesOptions) {
    this.#access = access;
    this.#storage = storage;
    this.#clock = clock;
    this.#figures = figures;
  }

  async list(_caller: Caller, id: ContextId, { limit, after, ...filter }: ListRequest): Promise<Page<Conflict>> {
    const isWanted = filterOf(filter);
    await this.#assertContext(id);
    const items: Conflict[] = [];
    let last = after;
    for (let lookedAt = 0; lookedAt < LOOKED_AT_MAX;) {
      const records = await this.#storage.listRecords(id, "conflicts", {
        reverse: true,
        limit: READ_AT_ONCE,
        ...(last === undefined ? {} : { after: keyOf(last) }),
      });
      for (const { value } of records) {
        const conflict = conflictOf(value);
        if (isWanted(conflict) && items.push(conflict) > limit)
          return pageOf(items.slice(0, limit), items[limit - 1]?.id);
        last = conflict.id;
      }
      if (records.length < READ_AT_ONCE) return { items };
      lookedAt += records.length;
    }
    return pageOf(items, last);
  }

  async resolve(
    caller: Caller,
    id: ContextId,
    { conflictId, take, message, lockTokens: tokens = [] }: ResolveRequest,
  ): Promise<{ readonly version: number; readonly conflict: Conflict }> {
    return this.#inTurn(`${id} ${conflictId}`, async () => {
      const conflict = await this.#read(id, conflictId);
      if (conflict.status === "resolved") throw alreadyResolved();
      const { version, seq } = await this.#access.change(caller, id, {
        plan: (doc) => (isOps(take) ? take : opsTaking(take, conflict, (path) => findMarked(doc, path))),
        origin: caller.origin,
        resolves: conflict,
        tokens,
        ...(message === undefined ? {} : { message }),
      });
      // a change wrote the record together with its entry; the present that stands has none
      if (seq > 0) return { version, conflict: await this.#read(id, conflictId) };
      const resolved = resolvedBy(conflict, { version, actor: caller.identity.actor, atMs: this.#clock.nowMs() });
      await this.#storage.writeRecords(id, [conflictWrite(resolved)]);
      this.#figures.conflictSettled(id);
      return { version, conflict: resolved };
    });
  }

  /** One after the other for one conflict: to let the present stand makes no entry that the log could order. */
  async #inTurn<Result>(key: string, task: () => Promise<Result>): Promise<Result> {
    const before = this.#underWay.get(key) ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(task);
    this.#underWay.set(key, mine);
    try {
      return await mine;
    } finally {
      if (this.#underWay.get(key) === mine) this.#underWay.delete(key);
    }
  }

  async #read(id: ContextId, conflictId: string): Promise<Conflict> {
    const key = conflictRecordKey(conflictId);
    const record = key === undefined ? undefined : await this.#storage.readRecord(id, "conflicts", key);
    if (record !== undefined) return conflictOf(record);
    await this.#assertContext(id);
    throw new ServiceError(
      "CONFLICT_NOT_FOUND",
      "The context has no conflict with this id. List its conflicts for those it has.",
    );
  }

  /** @throws {ServiceError} CONTEXT_NOT_FOUND */
  async #assertContext(id: ContextId): Promise<void> {
    if ((await this.#storage.summary(id)) === undefined) throw contextNotFound();
  }
}

/** Of lost edits the winner is what stands there now. */
function opsTaking(
  side: "winner" | "loser",
  conflict: Conflict,
  present: Parameters<typeof opsOfSide>[2],
): readonly JsonOp[] {
  if (conflict.kind === "lost-edits" && side === "winner") return [];
  return opsOfSide(conflict[side], conflict, present);
}

function isOps(take: ResolveRequest["take"]): take is readonly JsonOp[] {
  return typeof take !== "string";
}

function filterOf({ status, path }: Pick<ListRequest, "status" | "path">): (conflict: Conflict) => boolean {
  const steps = path === undefined ? undefined : parsePath(path);
  return (conflict) =>
    (status === undefined || conflict.status === status) &&
    (steps === undefined || overlaps(steps, parsePath(conflict.path)));
}

function pageOf(items: readonly Conflict[], next: string | undefined): Page<Conflict> {
  return { items, ...(next === undefined ? {} : { next }) };
}

function keyOf(conflictId: string): string {
  const key = conflictRecordKey(conflictId);
  if (key === undefined) {
    throw new ServiceError(
      "INVALID_REQUEST",
      'The cursor is no id of a conflict, such as "17.0". Take the one of the page before.',
    );
  }
  return key;
}

function alreadyResolved(): ServiceError {
  return new ServiceError(
    "CONFLICT_RESOLVED",
    "The conflict was resolved already. Read it to see by which change, and change the data itself if that is not right.",
  );
}
