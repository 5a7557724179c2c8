/** Runs on the worker thread of checkpoint-pool.ts, which calls `build` by its name. */
import type { Checkpoint } from "../change-log.ts";
import { foldCheckpoint, type FoldInput } from "./checkpoint.ts";

export function build(input: FoldInput): Checkpoint {
  return foldCheckpoint(input);
}
