/**
 * Seeds that found something, and run for ever. A change of what the simulator draws makes each another run: then take the
 * fix back for a moment, let `npm run sim` find the mistake anew, and write the new seed down.
 *
 * What was played later than the seed was found is left out, so that its run stays what it was.
 */
import type { RunOptions } from "./run.ts";

interface KnownSeed extends Required<Pick<RunOptions, "seed" | "ops" | "without">> {
  readonly found: string;
}

const withoutLocks = { ops: 120, without: ["locks", "access"] } as const;
const withoutAccess = { ops: 120, without: ["access"] } as const;

export const KNOWN_SEEDS: readonly KnownSeed[] = [
  { seed: 5, ...withoutLocks, found: "a stock client that edits before it answers step 1 was shut out with 4400" },
  { seed: 7, ...withoutLocks, found: "an mcm.v1 client that edits before it answers step 1 was shut out with 4400" },
  { seed: 6, ...withoutLocks, found: "a new session was sent commits that its hello had named" },
  {
    seed: 17,
    ...withoutLocks,
    found: "a context went on after a refused append, and a checkpoint's load let it write again",
  },
  { seed: 1323, ...withoutLocks, found: "answers piled up for a client that did not read" },
  { seed: 3657, ...withoutLocks, found: "a client that fell behind was not told who had left meanwhile" },
  { seed: 29, ...withoutAccess, found: "a context with locks that was loaded from the cache refused every edit" },
  {
    seed: 64,
    ...withoutAccess,
    found: "a stock client that lost its line before the close went on with what was refused",
  },
  { seed: 479, ...withoutAccess, found: "what a client deleted of a refused edit of its own decided what it showed" },
  { seed: 93, ...withoutAccess, found: "text typed on after a refused passage was taken for damage, 4400" },
  { seed: 2004, ...withoutAccess, found: "a lock that was asked for once more was counted as held" },
  { seed: 64, ops: 120, without: [], found: "a token that was revoked while its session was made let it in" },
  { seed: 135, ops: 120, without: [], found: "who was no admin any more when its turn came compacted" },
  { seed: 30, ops: 120, without: [], found: "a reader kept in its new document what it had written there" },
  { seed: 3006, ops: 120, without: [], found: "who lost the right to ask was not told what was done" },
  { seed: 3111, ops: 120, without: [], found: "a list that was asked for earlier came after the last" },
  { seed: 3401, ...withoutAccess, found: "locks of a context that fell out of memory waited for its next load" },
];
