/**
 * Which change wrote which Yjs ids: for each client id the ranges of its clocks, in order, and what wrote each.
 *
 * Invariants (BLAME):
 *  1. A clock belongs to the first change that held it: what is sent again stays with its author.
 *  2. Two ids were written by one change exactly when `of` gives the same object for them.
 *
 * Not here: where the ids stand in a document (document-pieces.ts).
 */
import * as Y from "yjs";
import type { Authorship } from "../../../shared/history.ts";

/** Clocks from `from` to before `to`. */
interface Range {
  readonly from: number;
  readonly to: number;
  readonly by: Authorship;
}

export interface IdRange {
  readonly client: number;
  readonly clock: number;
  readonly length: number;
}

export class Attribution {
  readonly #ranges = new Map<number, Range[]>();

  /** All that an update adds to what was added before. */
  addUpdate(update: Uint8Array, by: Authorship): void {
    const { from, to } = Y.parseUpdateMeta(update);
    for (const [client, end] of to) {
      const known = this.#ranges.get(client)?.at(-1)?.to ?? 0;
      this.#push(client, { from: Math.max(known, from.get(client) ?? 0), to: end, by });
    }
  }

  /** Ranges in any order that do not overlap, of clients that have none yet. */
  addRanges(ranges: Iterable<readonly [IdRange, Authorship]>): void {
    const sorted = [...ranges].sort(([a], [b]) => a.client - b.client || a.clock - b.clock);
    for (const [{ client, clock, length }, by] of sorted) this.#push(client, { from: clock, to: clock + length, by });
  }

  /** Undefined when the id came with no change. */
  of(client: number, clock: number): Authorship | undefined {
    const range = this.#rangeAt(client, clock);
    return range !== undefined && range.from <= clock ? range.by : undefined;
  }

  /** The parts of a range that were written by one change each, in order. */
  *partsOf({ client, clock, length }: IdRange): Generator<readonly [IdRange, Authorship | undefined]> {
    const end = clock + length;
    for (let at = clock; at < end;) {
      const range = this.#rangeAt(client, at);
      const isInside = range !== undefined && range.from <= at;
      const until = Math.min(end, (isInside ? range.to : range?.from) ?? end);
      yield [{ client, clock: at, length: until - at }, isInside ? range.by : undefined];
      at = until;
    }
  }

  #push(client: number, range: Range): void {
    if (range.to <= range.from) return;
    const ranges = this.#ranges.get(client);
    const last = ranges?.at(-1);
    if (ranges === undefined) this.#ranges.set(client, [range]);
    else if (last?.by === range.by && last.to === range.from) ranges[ranges.length - 1] = { ...last, to: range.to };
    else ranges.push(range);
  }

  /** The first range that ends after the clock. */
  #rangeAt(client: number, clock: number): Range | undefined {
    const ranges = this.#ranges.get(client) ?? [];
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ranges[middle]?.to ?? 0) > clock) high = middle;
      else low = middle + 1;
    }
    return ranges[low];
  }
}
