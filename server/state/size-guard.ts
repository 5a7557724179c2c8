/**
 * How large a document and its history may grow.
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
  #storedBytes: number;

  constructor(doc: Y.Doc, bytes: { readonly measured: number; readonly grown: number; readonly stored: number }) {
    this.#doc = doc;
    this.#measuredBytes = bytes.measured;
    this.#grownBytes = bytes.grown;
    this.#storedBytes = bytes.stored;
  }

  /** Of the encoded document, an upper estimate. */
  get bytes(): number {
    return this.#measuredBytes + this.#grownBytes;
  }

  /** What the context takes on disk, with its history. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  grew(bytes: number, onlyDeletes: boolean): void {
    this.#grownBytes += bytes;
    if (onlyDeletes) this.#mayHaveShrunk = true;
  }

  /** The log says what the context takes on disk now. */
  takes(storedBytes: number): void {
    this.#storedBytes = storedBytes;
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
    checkStored(this.#storedBytes, updateBytes);
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

/** What a context takes on disk, and what is to come. @throws {ServiceError} LIMIT_EXCEEDED */
export function checkStored(bytes: number, moreBytes: number): void {
  const limitBytes = LIMITS.contextStorageBytesMax;
  if (bytes + moreBytes <= limitBytes) return;
  throw new ServiceError(
    "LIMIT_EXCEEDED",
    `The context with its history would take more than ${limitBytes} bytes on disk, which is its limit. Forget named checkpoints, or keep less history.`,
    { details: { limitBytes, bytes } },
  );
}
