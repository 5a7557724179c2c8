/**
 * What is going on in the contexts of a listing, without loading one: what the log's heads say, who is connected, and what a
 * bounded look at the conflict records shows.
 *
 * Invariants (CTX):
 *  1. What is told is durable. What is not known without loading a context is absent, not guessed.
 *  2. A request looks at `CONFLICTS_READ_MAX` records and a few more. What was seen holds until the context's log goes on, so the
 *     next request begins where this one stopped.
 *
 * Not here: finding the contexts (context-finder.ts), who may see them (the caller).
 */
import type { ContextFigures } from "../../shared/context.ts";
import { parseContextId } from "../../shared/ids.ts";
import type { ContextId } from "../../shared/ids.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { Json } from "../../shared/json.ts";
import type { ContextSummary } from "../context-service.ts";
import { conflictOf } from "../state/conflict/conflict-record.ts";
import type { LiveContext } from "../state/state-manager.ts";
import type { ChangeLog, ListedContext, StoredSummary } from "../storage/change-log.ts";
import type { Peers } from "../storage/peers.ts";

export interface FiguresOptions {
  readonly storage: Pick<ChangeLog, "listRecords" | "isShared">;
  readonly sync: { sessionsOf(id: ContextId): number };
  readonly state: { get(id: ContextId): Pick<LiveContext<never>, "state" | "lockSeq" | "durable"> | undefined };
  /** Other servers, whose sessions count too. */
  readonly peers?: Pick<Peers, "ask" | "answer"> | undefined;
}

/** Conflicts of a context that are looked at: the newest. */
const CONFLICTS_EACH = 100;
/** A record may have 32 KB, and is mostly far smaller. */
const CONFLICTS_READ_MAX = 2000;
/** Contexts whose records are read at the same time. */
const AT_ONCE = 20;
/** Forgetting what was seen costs a second look. */
const SEEN_MAX = 20_000;

type ConflictFigures = NonNullable<ContextFigures["conflicts"]>;

/** What was seen of a context, and up to where in its log it holds. */
interface Seen {
  readonly firstEpoch: number;
  readonly conflicts?: { readonly seq: number; readonly figures: ConflictFigures };
  readonly locks?: { readonly lockSeq: number; readonly count: number };
}

export class FigureDesk {
  readonly #options: FiguresOptions;
  readonly #seen = new Map<ContextId, Seen>();
  /** How many conflicts were settled: what was read meanwhile may be old. */
  #settlements = 0;

  constructor(options: FiguresOptions) {
    this.#options = options;
    options.peers?.answer("session.counts", (ids) => this.#sessionsHere(ids));
  }

  /** The contexts with their figures. */
  async of(listed: readonly ListedContext[]): Promise<readonly ContextSummary[]> {
    const [conflicts, elsewhere] = await Promise.all([this.#conflicts(listed), this.#sessionsElsewhere(listed)]);
    return Promise.all(
      listed.map(async ({ meta, head, bytes: diskBytes }) => {
        const locks = await this.#locksOf({ meta, head });
        const found = conflicts.get(meta.id);
        const figures: ContextFigures = {
          diskBytes,
          sessions: this.#options.sync.sessionsOf(meta.id) + (elsewhere.get(meta.id) ?? 0),
          ...(locks === undefined ? {} : { locks }),
          ...(found === undefined ? {} : { conflicts: found }),
        };
        return { meta, head, figures };
      }),
    );
  }

  /** Of these ids, those that have any. */
  #sessionsHere(ids: Json): Json {
    const counts = (Array.isArray(ids) ? ids : [])
      .filter((id) => typeof id === "string")
      .map((id) => [id, this.#options.sync.sessionsOf(parseContextId(id))] as const);
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  }

  async #sessionsElsewhere(listed: readonly ListedContext[]): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    const ids = listed.map(({ meta }) => meta.id);
    const told = ids.length === 0 ? undefined : await this.#options.peers?.ask("session.counts", ids);
    for (const answer of told?.answers ?? [])
      for (const [id, count] of Object.entries(isJsonObject(answer) ? answer : {}))
        if (typeof count === "number") counts.set(id, (counts.get(id) ?? 0) + count);
    return counts;
  }

  /** A conflict was settled without an entry in the log: what was seen is old. */
  conflictSettled(id: ContextId): void {
    this.#settlements++;
    const seen = this.#seen.get(id);
    if (seen === undefined) return;
    const { conflicts: _old, ...rest } = seen;
    this.#seen.set(id, rest);
  }

  /** Locks are what the log's entries up to `lockSeq` make of them: what was counted there holds while no other one follows. */
  async #locksOf({ meta: { id, firstEpoch }, head }: StoredSummary): Promise<number | undefined> {
    const live = this.#options.state.get(id);
    // another node may have written what this one has not read yet
    if (live !== undefined && live.lockSeq >= head.lockSeq) {
      const { lockSeq } = live;
      const count = live.state.locks.table.size;
      const isDurable = await live.durable.then(
        () => true,
        () => false,
      );
      if (!isDurable) return undefined;
      this.#remember(id, { ...this.#seenOf(id, firstEpoch), locks: { lockSeq, count } });
      return count;
    }
    if (head.lockSeq === 0) return 0;
    const { locks } = this.#seenOf(id, firstEpoch);
    return locks?.lockSeq === head.lockSeq ? locks.count : undefined;
  }

  async #conflicts(contexts: readonly StoredSummary[]): Promise<ReadonlyMap<ContextId, ConflictFigures>> {
    const found = new Map<ContextId, ConflictFigures>();
    const unknown: StoredSummary[] = [];
    for (const context of contexts) {
      const { meta, head } = context;
      const { conflicts } = this.#seenOf(meta.id, meta.firstEpoch);
      // where nothing was written there is none
      if (head.seq === 0) found.set(meta.id, { recent: 0, open: 0 });
      else if (conflicts?.seq === head.seq) found.set(meta.id, conflicts.figures);
      else unknown.push(context);
    }
    let read = 0;
    for (let at = 0; at < unknown.length; at += AT_ONCE) {
      if (read >= CONFLICTS_READ_MAX) break;
      const some = unknown.slice(at, at + AT_ONCE);
      const looks = await Promise.all(some.map((context) => this.#lookAt(context)));
      looks.forEach((figures, index) => {
        const { meta } = some[index] ?? {};
        if (meta !== undefined) found.set(meta.id, figures);
        read += figures.recent;
      });
    }
    return found;
  }

  async #lookAt({ meta: { id, firstEpoch }, head: { seq } }: StoredSummary): Promise<ConflictFigures> {
    const settlements = this.#settlements;
    const records = await this.#options.storage.listRecords(id, "conflicts", { reverse: true, limit: CONFLICTS_EACH });
    const open = records.filter(({ value }) => conflictOf(value).status === "open").length;
    const figures = { recent: records.length, open };
    // other nodes settle some without leaving a trace in the log
    if (settlements === this.#settlements && !this.#options.storage.isShared)
      this.#remember(id, { ...this.#seenOf(id, firstEpoch), conflicts: { seq, figures } });
    return figures;
  }

  /** Of an earlier context of the same id nothing holds. */
  #seenOf(id: ContextId, firstEpoch: number): Seen {
    const seen = this.#seen.get(id);
    return seen?.firstEpoch === firstEpoch ? seen : { firstEpoch };
  }

  #remember(id: ContextId, seen: Seen): void {
    if (this.#seen.size >= SEEN_MAX && !this.#seen.has(id)) this.#seen.clear();
    this.#seen.set(id, seen);
  }
}
