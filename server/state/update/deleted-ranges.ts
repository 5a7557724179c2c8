/**
 * The deleted ranges of an update as sorted, disjoint intervals, for the rare question whether ids are among them.
 */
import type { ScannedDelete, ScannedId } from "./update-scanner.ts";

export class DeletedRanges {
  readonly #byClient = new Map<number, { clock: number; end: number }[]>();

  constructor(deletes: readonly ScannedDelete[]) {
    for (const { client, clock, length } of deletes) {
      const ranges = this.#byClient.get(client);
      if (ranges === undefined) this.#byClient.set(client, [{ clock, end: clock + length }]);
      else ranges.push({ clock, end: clock + length });
    }
    for (const [client, ranges] of this.#byClient) this.#byClient.set(client, joined(ranges));
  }

  /** True when all ids from `first` to before clock `end` are deleted. */
  covers(first: ScannedId, end: number): boolean {
    const ranges = this.#byClient.get(first.client) ?? [];
    let low = 0;
    let high = ranges.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((ranges[middle]?.clock ?? 0) <= first.clock) low = middle;
      else high = middle - 1;
    }
    const range = ranges[low];
    return range !== undefined && range.clock <= first.clock && end <= range.end;
  }
}

function joined(ranges: { clock: number; end: number }[]): { clock: number; end: number }[] {
  const disjoint: { clock: number; end: number }[] = [];
  for (const range of ranges.sort((a, b) => a.clock - b.clock)) {
    const last = disjoint.at(-1);
    if (last !== undefined && range.clock <= last.end) last.end = Math.max(last.end, range.end);
    else disjoint.push(range);
  }
  return disjoint;
}
