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
import * as Y from "yjs";
import type { Limits } from "../../../shared/limits.ts";
import { authorIdOf } from "../../state/author-id.ts";
import { recreateState } from "../../state/compaction.ts";
import { DocumentFold, type FoldEntry } from "../../state/document-fold.ts";
import type { Checkpoint, TailSize } from "../change-log.ts";

export interface FoldInput {
  readonly base: Checkpoint;
  /** Entries after the base, in order. */
  readonly tail: readonly FoldEntry[];
  /** Server-authored content belongs to its entries' actors: the id it is written under has no owner. */
  readonly nodeClientId: number;
}

/** What a context goes on with as a new epoch: an epoch entry is made of it. */
export interface RenewedDocument {
  readonly update: Uint8Array;
  readonly authorSalt: number;
}

/** Port: makes a checkpoint, or a context's document anew, off the event loop where that can be had. */
export interface CheckpointBuilder {
  build(input: FoldInput): Promise<Checkpoint>;
  /** @param salts to choose from: the first under which nobody has written */
  renew(input: FoldInput, salts: readonly number[]): Promise<RenewedDocument>;
  close(): Promise<void>;
}

/** On the caller's thread: for the simulation and for tests. */
export class InlineCheckpointBuilder implements CheckpointBuilder {
  async build(input: FoldInput): Promise<Checkpoint> {
    return foldCheckpoint(input);
  }

  async renew(input: FoldInput, salts: readonly number[]): Promise<RenewedDocument> {
    return renewDocument(input, salts);
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

/** @throws {Error} when the tail refers to content that there is not, or none of the salts is free */
export function renewDocument({ base, tail, nodeClientId }: FoldInput, salts: readonly number[]): RenewedDocument {
  const fold = new DocumentFold(base, { nodeClientId });
  fold.apply(tail);
  const isFree = (authorSalt: number): boolean => {
    const id = authorIdOf(nodeClientId, { authorSalt });
    return !fold.retired.has(id) && Y.getState(fold.doc.store, id) === 0;
  };
  const authorSalt = salts.find(isFree);
  if (authorSalt === undefined) throw new Error("somebody has written under every client id that was drawn");
  const state = Y.encodeStateAsUpdateV2(fold.doc);
  fold.doc.destroy();
  return { update: recreateState({ state, authorId: authorIdOf(nodeClientId, { authorSalt }) }).update, authorSalt };
}
