/**
 * Where content was that the document does not hold any more.
 *
 * (The signature; the rest follows.)
 */
import type * as Y from "yjs";

/** Make it before the first content goes into the document: it listens to the document's transactions. */
export class CollectedPlaces {
  constructor(_doc: Y.Doc) {}
}
