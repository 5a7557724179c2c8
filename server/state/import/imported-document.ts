/**
 * A document of somebody else's server, put together from the Yjs updates that it kept.
 *
 * Invariants (DATA):
 *  1. Each update is judged like one of a session (update-scanner.ts, touched-paths.ts) before it is applied; only what one
 *     update may hold is more, since it may be a whole document. So what comes out loads, syncs and can be edited.
 *  2. An update that is refused is told, with the reason; the others go on. Where its clocks are known and no more than it has
 *     bytes, they become void (shared/void-update.ts), so that what its author wrote after it still fits.
 *  3. Updates that wait for others are tried again when these are in, in whatever order they were kept.
 *  4. Items keep their ids: the state vector is that of the document it was.
 *
 * Not here: where updates come from (server/storage/y-leveldb), the context that is made of it (use-cases/data.ts).
 */
import * as Y from "yjs";
import { toServiceError, type ErrorCode } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { voidOf, type ClockRange } from "../../../shared/void-update.ts";
import { touchOf } from "../update/touched-paths.ts";
import { scanUpdate, type ScanLimits } from "../update/update-scanner.ts";

/** Why an update is not in the document. */
export interface RefusedUpdate {
  /** In the order in which they were given, from 0. */
  readonly index: number;
  readonly code: ErrorCode;
  readonly message: string;
}

export interface ImportedDocument {
  /** V2 encoding. */
  readonly state: Uint8Array;
  /** Under which its items were written. */
  readonly clients: readonly number[];
  /** The clock of the first void of each client that has some: whoever holds what was refused there is asked for it, and told. */
  readonly voids: readonly (readonly [yjsClientId: number, clock: number])[];
  readonly applied: number;
  /** Said nothing that was not there already. */
  readonly repeated: number;
  readonly refused: number;
  /** The first of them. */
  readonly refusals: readonly RefusedUpdate[];
}

const WHOLE_DOCUMENT: ScanLimits = {
  updateClientsMax: LIMITS.clientIdsMax,
  updateStructsMax: LIMITS.importStructsMax,
  updateDeletesMax: LIMITS.importStructsMax,
  updateValuesMax: LIMITS.importStructsMax,
};

/** Refusals that the updates before it may cause: they are not in yet. */
const WAITING: ReadonlySet<unknown> = new Set(["clock-gap", "unknown-reference"]);

/** Passes over the updates that wait for others; a log is mostly in order. */
const PASSES_MAX = 32;

/** An update that breaks a document in spite of everything is left out and all begins anew; so often. */
const BREAKS_MAX = 8;

/** @throws {Error} when it cannot be made to work */
export function importUpdates(updates: readonly Uint8Array[]): ImportedDocument {
  const broken = new Map<number, RefusedUpdate>();
  for (let tries = 0; tries <= BREAKS_MAX; tries++) {
    const intake = new Intake(updates, broken);
    const culprit = intake.run();
    if (culprit === undefined) return intake.result();
    broken.set(culprit, refusal(culprit, "MALFORMED_UPDATE", "The update would damage the document."));
  }
  throw new Error(`more than ${BREAKS_MAX} updates break the document`);
}

class Intake {
  readonly #updates: readonly Uint8Array[];
  readonly #doc = new Y.Doc();
  readonly #refused: Map<number, RefusedUpdate>;
  readonly #voids = new Map<number, number>();
  #applied = 0;
  #repeated = 0;

  constructor(updates: readonly Uint8Array[], broken: ReadonlyMap<number, RefusedUpdate>) {
    this.#updates = updates;
    this.#refused = new Map(broken);
  }

  /** The index of the update that broke the document, if one did. */
  run(): number | undefined {
    let left = [...this.#updates.keys()].filter((index) => !this.#refused.has(index));
    for (let pass = 1, isFinal = false; left.length > 0; pass++) {
      const held: number[] = [];
      for (const index of left) {
        const outcome = this.#take(index, isFinal);
        if (outcome === "broken") return index;
        if (outcome === "waits") held.push(index);
      }
      isFinal = held.length === left.length || pass >= PASSES_MAX;
      left = held;
    }
    return undefined;
  }

  result(): ImportedDocument {
    const state = Y.encodeStateAsUpdateV2(this.#doc);
    // what a server cannot load must not become a context
    Y.applyUpdateV2(new Y.Doc(), state);
    const refusals = [...this.#refused.values()].sort((a, b) => a.index - b.index);
    return {
      state,
      clients: [...this.#doc.store.clients.keys()],
      voids: [...this.#voids],
      applied: this.#applied,
      repeated: this.#repeated,
      refused: refusals.length,
      refusals: refusals.slice(0, LIMITS.importRefusalsToldMax),
    };
  }

  /** @param isFinal it has waited long enough */
  #take(index: number, isFinal: boolean): "done" | "waits" | "broken" {
    const update = this.#updates[index] ?? new Uint8Array();
    try {
      const { isNoop } = touchOf(this.#doc, scanUpdate(update, WHOLE_DOCUMENT));
      if (isNoop) this.#repeated++;
      else if (!this.#apply(update)) return "broken";
      else this.#applied++;
      return "done";
    } catch (error) {
      const { code, message, details } = toServiceError(error);
      if (!isFinal && WAITING.has(details["rule"])) return "waits";
      this.#refused.set(index, refusal(index, code === "INTERNAL" ? "MALFORMED_UPDATE" : code, message));
      return this.#void(update) ? "done" : "broken";
    }
  }

  /** False when the document is of no more use (docs/yjs.md Y1, Y7). */
  #apply(update: Uint8Array): boolean {
    try {
      Y.applyUpdate(this.#doc, update);
    } catch {
      return false;
    }
    const { _transaction, _transactionCleanups, store } = this.#doc;
    const isWhole = store.pendingStructs === null && store.pendingDs === null;
    return isWhole && _transaction === null && _transactionCleanups.length === 0;
  }

  #void(update: Uint8Array): boolean {
    const ranges = this.#clocksOf(update);
    for (const { client, from } of ranges) if (!this.#voids.has(client)) this.#voids.set(client, from);
    const clocks = voidOf(ranges);
    return clocks === undefined || this.#apply(clocks);
  }

  /** Those that it would have added, if they follow on what is there; none when it cannot be read even so far. */
  #clocksOf(update: Uint8Array): readonly ClockRange[] {
    try {
      const { from: begins, to: ends } = Y.parseUpdateMeta(update);
      const ranges = [...ends].map(([client, to]) => {
        const from = Y.getState(this.#doc.store, client);
        return { client, from, to, follows: (begins.get(client) ?? 0) <= from };
      });
      const added = ranges.filter(({ from, to, follows }) => follows && to > from);
      const count = added.reduce((sum, { from, to }) => sum + to - from, 0);
      return count > update.length ? [] : added;
    } catch {
      return [];
    }
  }
}

function refusal(index: number, code: ErrorCode, message: string): RefusedUpdate {
  return { index, code, message };
}
