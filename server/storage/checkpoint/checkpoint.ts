/**
 * Checkpoints: when one is due, and how a newer one is made of an older one and the log after it.
 *
 * Invariants:
 *  1. A checkpoint at seq S is what applying the log from 1 to S gives; so is the table of who owns which Yjs client id.
 *  2. The tail a cold load reads stays in proportion: a few thousand entries, or about as much as the checkpoint itself.
 *
 * Not here: what an entry does to a document (state/document-fold.ts), on which thread it runs (checkpoint-pool.ts), when it
 * is written (storage-manager.ts).
 */
import type { Limits } from "../../../shared/limits.ts";
import { DocumentFold, type FoldEntry } from "../../state/document-fold.ts";
import type { Checkpoint, TailSize } from "../change-log.ts";

export interface FoldInput {
  readonly base: Checkpoint;
  /** Entries after the base, in order. */
  readonly tail: readonly FoldEntry[];
  /** Server-authored content belongs to its entries' actors: the id it is written under has no owner. */
  readonly nodeClientId: number;
}

/** Port: makes a checkpoint, off the event loop where that can be had. */
export interface CheckpointBuilder {
  build(input: FoldInput): Promise<Checkpoint>;
  close(): Promise<void>;
}

/** On the caller's thread: for the simulation and for tests. */
export class InlineCheckpointBuilder implements CheckpointBuilder {
  async build(input: FoldInput): Promise<Checkpoint> {
    return foldCheckpoint(input);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Bytes of state that justify one more entry of tail: reading 512 bytes of state costs about what applying an entry does. */
const STATE_BYTES_PER_ENTRY = 512;

export function isCheckpointDue(
  tail: TailSize,
  limits: Pick<Limits, "checkpointTailEntries" | "checkpointTailBytes">,
): boolean {
  const entriesMax = Math.max(limits.checkpointTailEntries, tail.checkpointBytes / STATE_BYTES_PER_ENTRY);
  const bytesMax = Math.max(limits.checkpointTailBytes, tail.checkpointBytes);
  return tail.entries >= entriesMax || tail.bytes >= bytesMax;
}

/** @throws {Error} when the tail refers to content that neither it nor the base has */
export function foldCheckpoint({ base, tail, nodeClientId }: FoldInput): Checkpoint {
  const fold = new DocumentFold(base, { nodeClientId });
  fold.apply(tail);
  const checkpoint = fold.checkpoint();
  fold.doc.destroy();
  return checkpoint;
}
