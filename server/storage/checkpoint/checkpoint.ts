/**
 * Checkpoints: when one is due, and how a newer one is made of an older one and the log after it.
 *
 * Invariants:
 *  1. A checkpoint at seq S is what applying the log from 1 to S gives; so is the table of who owns which Yjs client id.
 *  2. The tail a cold load reads stays in proportion: a few thousand entries, or about as much as the checkpoint itself.
 *
 * Not here: on which thread it runs (checkpoint-pool.ts), when it is written (storage-manager.ts).
 */
import * as Y from "yjs";
import type { Actor } from "../../../shared/ids.ts";
import type { Limits } from "../../../shared/limits.ts";
import type { Checkpoint, LogEntry, TailSize } from "../change-log.ts";

/** What of an entry a checkpoint is made of. */
export type FoldEntry = Pick<LogEntry, "seq" | "version" | "actor" | "update">;

export interface FoldInput {
  readonly base: Checkpoint;
  /** Entries after the base, in order; at least one. */
  readonly tail: readonly FoldEntry[];
  /** Server-authored content belongs to its entries' actors, so this id has no owner. */
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

/**
 * One transaction for the whole tail is two to six times cheaper than one each (notes/yjs.md §1); V2 is small on disk.
 * @throws {Error} when the tail refers to content that neither it nor the base has
 */
export function foldCheckpoint({ base, tail, nodeClientId }: FoldInput): Checkpoint {
  const last = tail.at(-1);
  if (last === undefined) return base;
  const doc = new Y.Doc();
  Y.applyUpdateV2(doc, base.state);
  doc.transact(() => {
    for (const { update } of tail) Y.applyUpdate(doc, update);
  });
  if (doc.store.pendingStructs !== null || doc.store.pendingDs !== null) {
    throw new Error(`the log up to entry ${last.seq} refers to content that it does not have`);
  }
  const state = Y.encodeStateAsUpdateV2(doc);
  doc.destroy();
  return { seq: last.seq, version: last.version, state, owners: extendOwners(base.owners, tail, nodeClientId) };
}

/** A Yjs client id belongs to whoever first wrote under it (DESIGN §4). */
function extendOwners(
  owners: Checkpoint["owners"],
  tail: readonly FoldEntry[],
  nodeClientId: number,
): Checkpoint["owners"] {
  const ownerOf = new Map<number, Actor>(owners);
  for (const { actor, update } of tail) {
    for (const clientId of Y.parseUpdateMeta(update).from.keys()) {
      if (clientId !== nodeClientId && !ownerOf.has(clientId)) ownerOf.set(clientId, actor);
    }
  }
  return [...ownerOf];
}
