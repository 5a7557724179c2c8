/**
 * The conflicts of one context: concurrent writes of which the merge kept one.
 *
 * Not here: hearing of new ones (the `conflict` event of replica.ts), what the words mean (shared/conflict.ts).
 */
import type { JsonOp } from "../shared/change.ts";
import type { Conflict, ConflictStatus } from "../shared/conflict.ts";
import { conflictOf } from "./from-wire.ts";
import type { DatedConflict } from "./from-wire.ts";
import type { LockTokens } from "./locks.ts";
import type { Rest } from "./rest.ts";

export interface ConflictsQuery {
  readonly status?: ConflictStatus;
  /** Conflicts at, above or below it. */
  readonly path?: string;
  /** Conflicts of one page: 1 to 500, 50 unless given. */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly cursor?: string;
}

export interface ConflictsPage {
  /** Newest first. */
  readonly conflicts: readonly Conflict[];
  /** More follow: the `cursor` of the next page. */
  readonly next?: string;
}

export interface Resolved {
  readonly version: number;
  readonly conflict: Conflict;
}

/** A side, whose value is written, or a change; none at all lets the present content stand. */
export type Resolution = "winner" | "loser" | readonly JsonOp[];

export class Conflicts {
  readonly #rest: Rest;
  readonly #id: string;
  readonly #locks: LockTokens;

  constructor(rest: Rest, id: string, locks: LockTokens) {
    this.#rest = rest;
    this.#id = id;
    this.#locks = locks;
  }

  async page(query: ConflictsQuery): Promise<ConflictsPage> {
    const { conflicts, ...more } = await this.#rest.call<{ conflicts: DatedConflict[]; next?: string }>(
      "GET",
      ["contexts", this.#id, "conflicts"],
      { query },
    );
    return { ...more, conflicts: conflicts.map(conflictOf) };
  }

  async resolve(conflictId: string, by: Resolution, options: { readonly message?: string }): Promise<Resolved> {
    const { version, conflict } = await this.#rest.call<{ version: number; conflict: DatedConflict }>(
      "POST",
      ["contexts", this.#id, "conflicts", conflictId, "resolve"],
      {
        body: { ...options, ...(typeof by === "string" ? { take: by } : { changes: by }) },
        // which place it is about, the server knows
        lockTokens: this.#locks.tokensFor([""]),
      },
    );
    return { version, conflict: conflictOf(conflict) };
  }
}
