/**
 * Seeds that found something, and run for ever. A change of what the simulator draws makes each another run: then take the
 * fix back for a moment, let `npm run sim` find the mistake anew, and write the new seed down.
 */

interface KnownSeed {
  readonly seed: number;
  readonly ops: number;
  readonly found: string;
}

export const KNOWN_SEEDS: readonly KnownSeed[] = [
  { seed: 5, ops: 120, found: "a stock client that edits before it answers step 1 was shut out with 4400" },
  { seed: 7, ops: 120, found: "an mcm.v1 client that edits before it answers step 1 was shut out with 4400" },
  { seed: 6, ops: 120, found: "a new session was sent commits that its hello had named" },
  { seed: 17, ops: 120, found: "a context went on after a refused append, and a checkpoint's load let it write again" },
  { seed: 1323, ops: 120, found: "answers piled up for a client that did not read" },
  { seed: 3657, ops: 120, found: "a client that fell behind was not told who had left meanwhile" },
];
