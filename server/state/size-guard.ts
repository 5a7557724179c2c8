/**
 * How large a document and its history may grow (DESIGN §10).
 *
 * The size of a document is estimated: measured once, then the bytes of updates are added. The estimate only grows, so
 * before a refusal the document is measured; not again until that can tell something new.
 *
 * Not here: dropping history before it comes to a refusal (storage/retention).
 */
import * as Y from "yjs";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";

export class SizeGuard {
  readonly #doc: Y.Doc;
  #measuredBytes: number;
  /** Bytes of updates admitted since. */
  #grownBytes: number;
  /** Something was only deleted since then. */
  #mayHaveShrunk = false;
  /** What the context takes on disk, as the log last said. */
  storedBytes = 0;

  constructor(doc: Y.Doc, measuredBytes: number, grownBytes: number) {
    this.#doc = doc;
    this.#measuredBytes = measuredBytes;
    this.#grownBytes = grownBytes;
  }

  /** Of the encoded document, an upper estimate. */
  get bytes(): number {
    return this.#measuredBytes + this.#grownBytes;
  }

  grew(bytes: number, onlyDeletes: boolean): void {
    this.#grownBytes += bytes;
    if (onlyDeletes) this.#mayHaveShrunk = true;
  }

  /** @throws {ServiceError} LIMIT_EXCEEDED */
  check(updateBytes: number): void {
    if (this.bytes + updateBytes > LIMITS.contextBytesMax && !this.#fitsWhenMeasured(updateBytes)) {
      throw new ServiceError(
        "LIMIT_EXCEEDED",
        `The context would grow beyond ${LIMITS.contextBytesMax} bytes. Delete content, or split it into several contexts.`,
        { details: { limitBytes: LIMITS.contextBytesMax, bytes: this.bytes } },
      );
    }
    if (this.storedBytes + updateBytes > LIMITS.contextStorageBytesMax) {
      throw new ServiceError(
        "LIMIT_EXCEEDED",
        `The context with its history takes ${LIMITS.contextStorageBytesMax} bytes on disk, which is its limit. Forget named checkpoints, or keep less history.`,
        { details: { limitBytes: LIMITS.contextStorageBytesMax, bytes: this.storedBytes } },
      );
    }
  }

  #fitsWhenMeasured(updateBytes: number): boolean {
    if (this.#mayHaveShrunk || this.#grownBytes * 16 > LIMITS.contextBytesMax) {
      this.#measuredBytes = Y.encodeStateAsUpdateV2(this.#doc).byteLength;
      this.#grownBytes = 0;
      this.#mayHaveShrunk = false;
    }
    return this.bytes + updateBytes <= LIMITS.contextBytesMax;
  }
}
