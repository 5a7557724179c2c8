/**
 * What a document is like inside: how large, how much of it is deleted content, and whether it is sound.
 *
 * Not here: what follows from it (server/monitor).
 */
import type * as Y from "yjs";

/** Heap that Yjs takes for a struct with its place, and for each client id, measured on maps, texts and lists (roughly). */
const STRUCT_BYTES = 500;
const CLIENT_BYTES = 250;

export function structCount({ store }: Y.Doc): number {
  let count = 0;
  for (const structs of store.clients.values()) count += structs.length;
  return count;
}

/** Structs that stand for deleted content. Beyond `samplesMax` structs every n-th is looked at, and the rest are taken to be alike. */
export function tombstoneCount(doc: Y.Doc, samplesMax: number): number {
  const count = structCount(doc);
  const step = Math.max(1, Math.ceil(count / samplesMax));
  let next = 0;
  let deleted = 0;
  for (const structs of doc.store.clients.values()) {
    for (; next < structs.length; next += step) if (structs[next]?.deleted === true) deleted++;
    next -= structs.length;
  }
  return Math.min(count, deleted * step);
}

/** An estimate. @param stateBytes of its encoding */
export function memoryBytesOf({ store }: Y.Doc, structs: number, stateBytes: number): number {
  return structs * STRUCT_BYTES + store.clients.size * CLIENT_BYTES + 2 * stateBytes;
}

/** Between turns: no transaction is open, and nothing waits for content that never came (docs/yjs.md Y1, Y3). */
export function isSound({ _transaction, _transactionCleanups, store }: Y.Doc): boolean {
  const { pendingStructs, pendingDs } = store;
  return _transaction === null && _transactionCleanups.length === 0 && pendingStructs === null && pendingDs === null;
}
