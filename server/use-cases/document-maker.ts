/**
 * Documents made whole: put together from imported updates, or encoded for an export.
 *
 * A plain module, so that it runs on a thread (document-pool.ts) as well as on the caller's (tests, the simulation).
 */
import * as Y from "yjs";
import { splitUpdates } from "../../shared/protocol/update-list.ts";
import { DocumentFold, type FoldEntry } from "../state/document-fold.ts";
import { importUpdates, type ImportedDocument } from "../state/import/imported-document.ts";
import type { Checkpoint } from "../storage/change-log.ts";

/** A context as it was loaded, and how it is to be encoded. */
export interface EncodeInput {
  readonly base: Checkpoint;
  readonly tail: readonly FoldEntry[];
  readonly nodeClientId: number;
  readonly encoding: 1 | 2;
}

export interface DocumentMaker {
  /** @throws {ServiceError} INVALID_REQUEST when the list cannot be read */
  assemble(list: Uint8Array): Promise<ImportedDocument>;
  encode(input: EncodeInput): Promise<Uint8Array>;
}

/** On the caller's thread. */
export class InlineDocumentMaker implements DocumentMaker {
  async assemble(list: Uint8Array): Promise<ImportedDocument> {
    return assemble(list);
  }

  async encode(input: EncodeInput): Promise<Uint8Array> {
    return encode(input);
  }
}

export function assemble(list: Uint8Array): ImportedDocument {
  return importUpdates(splitUpdates(list));
}

export function encode({ base, tail, nodeClientId, encoding }: EncodeInput): Uint8Array {
  const fold = new DocumentFold(base, { nodeClientId });
  fold.apply(tail);
  return encoding === 1 ? Y.encodeStateAsUpdate(fold.doc) : Y.encodeStateAsUpdateV2(fold.doc);
}
