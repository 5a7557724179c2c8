/**
 * The document as SyncStep2 messages, encoded once for everybody who asks at the same position.
 *
 * A join storm asks for the same bytes many times, and a wave of reconnects for few different ones; encoding 1 MB costs
 * 14 ms (docs/yjs.md Y19), so what was made is kept until the document changes.
 */
import * as Y from "yjs";
import { encodeStep2 } from "../../shared/protocol/frames.ts";
import type { Monitor } from "../monitor-port.ts";
import { batchOf } from "./connection.ts";
import type { Batch } from "./connection.ts";

/** Different state vectors kept for one position; each may hold a whole document. */
const KEPT_MAX = 8;

export class StateEncodings {
  #seq = -1;
  readonly #byVector = new Map<string, Batch>();
  readonly #monitor: Pick<Monitor, "cacheRead">;

  constructor(monitor: Pick<Monitor, "cacheRead">) {
    this.#monitor = monitor;
  }

  /** Everything of `doc`, which is at `seq`, beyond the state vector. */
  since(doc: Y.Doc, seq: number, stateVector: Uint8Array): Batch {
    if (seq !== this.#seq) {
      this.clear();
      this.#seq = seq;
    }
    const key = String.fromCharCode(...stateVector.subarray(0, KEY_BYTES_MAX));
    const isKeyWhole = stateVector.byteLength <= KEY_BYTES_MAX;
    const known = isKeyWhole ? this.#byVector.get(key) : undefined;
    this.#monitor.cacheRead("states", known !== undefined);
    if (known !== undefined) return known;
    const batch = batchOf([encodeStep2(Y.encodeStateAsUpdate(doc, stateVector))]);
    if (isKeyWhole && this.#byVector.size < KEPT_MAX) this.#byVector.set(key, batch);
    return batch;
  }

  clear(): void {
    this.#byVector.clear();
  }
}

/** Longer state vectors are of contexts with thousands of client ids: not worth a key. */
const KEY_BYTES_MAX = 4096;
