/**
 * Port: an ordered store of bytes, beneath the log. Small on purpose, so that a fake is complete and faults can be planted.
 *
 * Invariants:
 *  1. A batch is atomic. With `sync` it survives a crash of process and machine once it resolves, and so does every batch before it.
 *  2. Keys are ordered byte by byte.
 *  3. A view shows the store at one moment: after whole batches, and unchanged while `use` runs.
 *  4. After a failed batch nothing that is written later can be trusted until close() and open() (docs/yjs.md Y21).
 *
 * Not here: what keys and values mean (log-keys.ts, record.ts).
 */

export type StoreOp =
  | { readonly type: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: "del"; readonly key: Uint8Array };

export type StoreItem = readonly [key: Uint8Array, value: Uint8Array];

/** Keys from `gte` on and before `lt`, at most `limit` of them, ascending unless `reverse`. */
export interface StoreRange {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
  readonly reverse?: boolean;
  readonly limit?: number;
}

export interface StoreView {
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  /** Items in pages of the store's own size. */
  pages(range: StoreRange): AsyncIterable<readonly StoreItem[]>;
}

export interface KeyValueStore {
  /** Where the data lies, for messages to people. */
  readonly location: string;
  /** @throws {ServiceError} DATA_DIR_LOCKED, DATA_DAMAGED, STORE_UNAVAILABLE */
  open(): Promise<void>;
  /** Safe in any state. */
  close(): Promise<void>;
  batch(ops: readonly StoreOp[], options: { readonly sync: boolean }): Promise<void>;
  /** Runs `use` on one consistent view and releases it afterwards. */
  view<T>(use: (view: StoreView) => Promise<T>): Promise<T>;
}
