/**
 * Writes into a document under a given Yjs client id, and says what bytes that made.
 *
 * Not here: what is written (json-changes.ts).
 */
import type * as Y from "yjs";

export interface WrittenJson {
  readonly paths: readonly string[];
  /** For other documents with the same content; undefined when nothing changed. */
  readonly update: Uint8Array | undefined;
}

/** The document does not keep the id: Yjs takes another one when an update of others comes under its own. */
export function writeAs(doc: Y.Doc, clientId: number, write: () => { readonly paths: readonly string[] }): WrittenJson {
  const updates: Uint8Array[] = [];
  const capture = (bytes: Uint8Array): void => void updates.push(bytes);
  const usual = doc.clientID;
  doc.clientID = clientId;
  doc.on("update", capture);
  try {
    const { paths } = write();
    return { update: updates[0], paths };
  } finally {
    doc.off("update", capture);
    doc.clientID = usual;
  }
}
