/**
 * Which change added which Yjs clocks, for the newest changes: says who wrote an item, and whether a sender had seen it.
 *
 * Invariants:
 *  1. It holds the newest `clockIndexChangesMax` changes at least and twice as many at most, and knows all of the changes
 *     after `floor`.
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

type Ranges = ReadonlyMap<number, readonly ClockRange[]>;

export class ClockIndex {
  /** Two generations: when the newer one is full, the older one is forgotten. This is on the path of every write. */
  #newer = new Map<number, ClockRange[]>();
  #older: Ranges = new Map();
  /** Changes in the newer one. */
  #count = 0;
  readonly #changesMax: number;
  #floor: number;
  /** The version with which the older generation ends. */
  #olderUpTo: number;

  constructor(floor: number, changesMax: number = LIMITS.clockIndexChangesMax) {
    this.#floor = floor;
    this.#olderUpTo = floor;
    this.#changesMax = changesMax;
  }

  /** Changes come in order of version. */
  record(advances: readonly Advance[], change: Pick<ClockRange, "version" | "actor" | "source">): void {
    const { version, actor, source } = change;
    if (this.#count === this.#changesMax) this.#beginGeneration(version - 1);
    this.#count++;
    for (const { client, from, to } of advances) {
      const range = { from, to, version, actor, source };
      const ranges = this.#newer.get(client);
      if (ranges === undefined) this.#newer.set(client, [range]);
      else ranges.push(range);
    }
  }

  /** The change that added the clock; undefined when it is older than what is remembered. */
  rangeOf(client: number, clock: number): ClockRange | undefined {
    return rangeIn(this.#newer, client, clock) ?? rangeIn(this.#older, client, clock);
  }

  /** What a session whose replica includes `baseVersion` has seen: that, and what it wrote itself. Undefined: not known. */
  knowledgeOf(baseVersion: number, source: object | undefined): Knowledge | undefined {
    if (baseVersion < this.#floor) return undefined;
    return (client, clock) => {
      const range = this.rangeOf(client, clock);
      return range === undefined || range.version <= baseVersion || (source !== undefined && range.source === source);
    };
  }

  #beginGeneration(upTo: number): void {
    this.#older = this.#newer;
    this.#newer = new Map();
    this.#count = 0;
    this.#floor = this.#olderUpTo;
    this.#olderUpTo = upTo;
  }
}

function rangeIn(all: Ranges, client: number, clock: number): ClockRange | undefined {
  const ranges = all.get(client) ?? [];
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
