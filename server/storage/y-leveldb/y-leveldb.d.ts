/**
 * The types of y-leveldb, as far as they are used: its package does not say where they are (`exports` without `types`).
 */
declare module "y-leveldb" {
  import type { Doc } from "yjs";

  /** Every method resolves with null when it failed, and writes the reason to the console. */
  export class LeveldbPersistence {
    constructor(location: string);
    /** The place of the update in the document's list. */
    storeUpdate(documentName: string, update: Uint8Array): Promise<number | null>;
    /** Rewrites what it reads when there are more than 500 updates. */
    getYDoc(documentName: string): Promise<Doc>;
    getStateVector(documentName: string): Promise<Uint8Array>;
    getAllDocNames(): Promise<string[]>;
    setMeta(documentName: string, key: string, value: unknown): Promise<void>;
    destroy(): Promise<void | null>;
  }
}
