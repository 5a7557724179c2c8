/**
 * Seeds that once failed, with what they found: they run for ever, with the number of operations that it took.
 */

interface KnownSeed {
  readonly seed: number;
  readonly ops: number;
  readonly found: string;
}

export const KNOWN_SEEDS: readonly KnownSeed[] = [
  { seed: 2, ops: 120, found: "a new session was sent commits that its hello had named" },
  { seed: 4, ops: 120, found: "an mcm.v1 client that edits before it answers step 1 was shut out with 4400" },
  { seed: 7, ops: 120, found: "a stock client that edits before it answers step 1 was shut out with 4400" },
  {
    seed: 127,
    ops: 120,
    found: "a context went on after a refused append, and a checkpoint's load let it write again",
  },
];
