/**
 * Which change added which Yjs clocks, for the newest changes: says who wrote an item, and whether a sender had seen it.
 *
 * Invariants:
 *  1. It holds the last `clockIndexChangesMax` changes, and knows all of the changes after `floor`.
 *
 * Not here: the whole past (server/state/history/blame.ts reads the log).
 */
import type { Actor } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";

export interface ClockRange {
  readonly from: number;
  readonly to: number;
  readonly version: number;
  readonly actor: Actor;
  /** The session it came from, if it came from one of this process. */
  readonly source: object | undefined;
}

/** Tells whether a sender had seen the item with this id when it wrote. */
export type Knowledge = (client: number, clock: number) => boolean;

interface Advance {
  readonly client: number;
  readonly from: number;
  readonly to: number;
}

export class ClockIndex {
  readonly #ranges = new Map<number, ClockRange[]>();
  /** The clients of each change, oldest change first. */
  readonly #changes: { readonly version: number; readonly clients: readonly number[] }[] = [];
  readonly #changesMax: number;
  #floor: number;

  constructor(floor: number, changesMax: number = LIMITS.clockIndexChangesMax) {
    this.#floor = floor;
    this.#changesMax = changesMax;
  }

  record(advances: readonly Advance[], change: Pick<ClockRange, "version" | "actor" | "source">): void {
    const { version, actor, source } = change;
    for (const { client, from, to } of advances) {
      const ranges = this.#ranges.get(client);
      const range = { from, to, version, actor, source };
      if (ranges === undefined) this.#ranges.set(client, [range]);
      else ranges.push(range);
    }
    this.#changes.push({ version, clients: advances.map(({ client }) => client) });
    if (this.#changes.length > this.#changesMax) this.#forgetOldest();
  }

  /** The change that added the clock; undefined when it is older than what is remembered. */
  rangeOf(client: number, clock: number): ClockRange | undefined {
    const ranges = this.#ranges.get(client) ?? [];
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ranges[middle]?.to ?? Infinity) > clock) high = middle;
      else low = middle + 1;
    }
    const range = ranges[low];
    return range !== undefined && range.from <= clock ? range : undefined;
  }

  /** What a session whose replica includes `baseVersion` has seen: that, and what it wrote itself. Undefined: not known. */
  knowledgeOf(baseVersion: number, source: object | undefined): Knowledge | undefined {
    if (baseVersion < this.#floor) return undefined;
    return (client, clock) => {
      const range = this.rangeOf(client, clock);
      return range === undefined || range.version <= baseVersion || (source !== undefined && range.source === source);
    };
  }

  #forgetOldest(): void {
    const oldest = this.#changes.shift();
    if (oldest === undefined) return;
    this.#floor = oldest.version;
    for (const client of oldest.clients) {
      const ranges = this.#ranges.get(client);
      ranges?.shift();
      if (ranges?.length === 0) this.#ranges.delete(client);
    }
  }
}
