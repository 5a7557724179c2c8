/**
 * Counts by labels: how often what happened.
 *
 * Invariant (MON): the label sets are bounded, whatever is counted; what comes beyond them is counted together.
 *
 * Not here: what is counted (metrics-collector.ts).
 */

/** One value with its labels, as it is scraped. */
export interface Point {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** More than there are use cases times codes, or addresses times statuses, or rules of the update scanner. */
const SETS_MAX = 2000;
export const OTHER = "(other)";

/** For each name one value. */
type Values<Names> = { readonly [At in keyof Names]: string };

export class Tally<const Names extends readonly string[]> {
  readonly names: Names;
  readonly #counts = new Map<string, { readonly values: readonly string[]; count: number }>();
  #total = 0;

  constructor(names: Names) {
    this.names = names;
  }

  get total(): number {
    return this.#total;
  }

  add(values: Values<Names>, count = 1): void {
    this.#total += count;
    const key = values.join("\n");
    const known = this.#counts.get(key);
    if (known !== undefined) known.count += count;
    else if (this.#counts.size < SETS_MAX) this.#counts.set(key, { values: [...values], count });
    else this.#addOther(count);
  }

  *points(): Iterable<Point> {
    for (const { values, count } of this.#counts.values()) {
      yield { labels: Object.fromEntries(this.names.map((name, at) => [name, values[at] ?? ""])), value: count };
    }
  }

  #addOther(count: number): void {
    const known = this.#counts.get(OTHER);
    if (known !== undefined) known.count += count;
    else this.#counts.set(OTHER, { values: this.names.map(() => OTHER), count });
  }
}
