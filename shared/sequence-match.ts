/**
 * What two sequences have in common, in order: Myers' O(ND) algorithm with a bound on its steps.
 *
 * Invariants:
 *  1. The runs are a longest common subsequence, ascending in both sequences, and do not overlap.
 *  2. Steps and memory (four bytes each) are at most `stepsMax`, where eight equal neighbours count as one step; when that
 *     does not do, the answer is undefined.
 *
 * Not here: what the elements are (numbers stand for them).
 */

/** `length` elements of `a` from `aStart` equal those of `b` from `bStart`. */
export interface CommonRun {
  readonly aStart: number;
  readonly bStart: number;
  readonly length: number;
}

export function commonRuns(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  stepsMax: number,
): { readonly runs: readonly CommonRun[]; readonly steps: number } | undefined {
  const found = furthestPoints(a, b, stepsMax);
  return found === undefined ? undefined : { runs: runsOf(found.levels, a.length, b.length), steps: found.steps };
}

/** For each number of edits d, the furthest index in `a` on the diagonals -d, -d + 2, … d (a's index less b's). */
function furthestPoints(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  stepsMax: number,
): { readonly levels: readonly Int32Array[]; readonly steps: number } | undefined {
  const [aLength, bLength] = [a.length, b.length];
  const editsMax = Math.min(aLength + bLength, Math.floor(Math.sqrt(2 * stepsMax)));
  const zero = editsMax + 1;
  // -1 is worse than any point, so the rim needs no cases of its own
  const furthest = new Int32Array(2 * editsMax + 3).fill(-1);
  furthest[zero + 1] = 0;
  const levels: Int32Array[] = [];
  let steps = 0;
  for (let edits = 0; edits <= editsMax; edits++) {
    const level = new Int32Array(edits + 1).fill(-1);
    levels.push(level);
    const first = -edits + 2 * Math.max(0, edits - bLength);
    const last = edits - 2 * Math.max(0, edits - aLength);
    for (let diagonal = first; diagonal <= last; diagonal += 2) {
      const afterRemoving = at(furthest, zero + diagonal - 1) + 1;
      const start = Math.max(afterRemoving, at(furthest, zero + diagonal + 1));
      let x = start;
      while (x < aLength && x - diagonal < bLength && a[x] === b[x - diagonal]) x++;
      furthest[zero + diagonal] = x;
      level[(diagonal + edits) / 2] = x;
      if (x >= aLength && x - diagonal >= bLength) return { levels, steps };
      steps += 1 + ((x - start) >> 3);
    }
    if (steps > stepsMax) return undefined;
  }
  return undefined;
}

/** Back from the ends to the beginnings: what is neither removed nor added on the way is common. */
function runsOf(levels: readonly Int32Array[], aLength: number, bLength: number): CommonRun[] {
  const runs: CommonRun[] = [];
  let [x, y] = [aLength, bLength];
  for (let edits = levels.length - 1; x > 0 || y > 0; edits--) {
    const diagonal = x - y;
    const before = levels[edits - 1];
    const removed = pointOn(before, edits - 1, diagonal - 1);
    const added = pointOn(before, edits - 1, diagonal + 1);
    const start = edits === 0 ? 0 : Math.max(removed + 1, added);
    if (x > start) runs.push({ aStart: start, bStart: start - diagonal, length: x - start });
    if (edits === 0) break;
    const wasRemoved = removed + 1 > added;
    x = wasRemoved ? start - 1 : start;
    y = wasRemoved ? start - diagonal : start - diagonal - 1;
  }
  return runs.reverse();
}

function pointOn(level: Int32Array | undefined, edits: number, diagonal: number): number {
  return level === undefined || Math.abs(diagonal) > edits ? -1 : at(level, (diagonal + edits) / 2);
}

function at(numbers: Int32Array, index: number): number {
  return numbers[index] ?? -1;
}
