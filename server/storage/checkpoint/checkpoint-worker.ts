/** Runs on the worker thread of checkpoint-pool.ts, which calls these by their names. */
import type { Checkpoint } from "../change-log.ts";
import { foldCheckpoint, renewDocument, type FoldInput, type RenewedDocument } from "./checkpoint.ts";

export function build(input: FoldInput): Checkpoint {
  return foldCheckpoint(input);
}

export function renew({ salts, ...input }: FoldInput & { readonly salts: readonly number[] }): RenewedDocument {
  return renewDocument(input, salts);
}
