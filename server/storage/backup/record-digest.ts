/**
 * Counts and digests records in order of key, so that two ends of a backup, and its folder later, can be compared.
 *
 * The marks of a restored backup (restored-contexts.ts) do not count: whoever writes the backup adds them.
 */
import { createHash } from "node:crypto";
import type { DumpedRecord } from "../change-log.ts";
import { collectionOf } from "../log/log-keys.ts";
import { RESTORED } from "../restored-contexts.ts";

export interface Digest {
  readonly records: number;
  /** Of keys and values. */
  readonly bytes: number;
  readonly sha256: string;
}

export class RecordDigest {
  readonly #hash = createHash("sha256");
  #records = 0;
  #bytes = 0;

  add(records: readonly DumpedRecord[]): void {
    const lengths = Buffer.alloc(8);
    for (const [key, value] of records) {
      if (collectionOf(key) === RESTORED) continue;
      lengths.writeUInt32BE(key.length);
      lengths.writeUInt32BE(value.length, 4);
      this.#hash.update(lengths).update(key).update(value);
      this.#records++;
      this.#bytes += key.length + value.length;
    }
  }

  /** Of what was added so far. */
  get bytes(): number {
    return this.#bytes;
  }

  result(): Digest {
    return { records: this.#records, bytes: this.#bytes, sha256: this.#hash.copy().digest("hex") };
  }
}
