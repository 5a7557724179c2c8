/**
 * Finds what one live update and the document, each written without knowledge of the other, take from each other.
 *
 * (The signature; the detection itself follows.)
 */
import type * as Y from "yjs";
import type { ConflictKind } from "../../../shared/conflict.ts";
import type { Json } from "../../../shared/json.ts";
import type { ScannedUpdate } from "../update/update-scanner.ts";
import type { CollectedPlaces } from "./collected-places.ts";

export interface DetectedSide {
  /** The Yjs id that wrote it; null for a deletion. */
  readonly id: { readonly client: number; readonly clock: number } | null;
  /** Absent for a deletion. Texts as `{"$text": "…"}`. For lost edits a list of what was written. */
  readonly value?: Json;
  /** Whether it is the update's side. */
  readonly isIncoming: boolean;
}

export interface Detected {
  readonly path: string;
  readonly kind: ConflictKind;
  readonly winner: DetectedSide;
  readonly loser: DetectedSide;
}

export interface ProbeOptions {
  /** The scanned bytes: what edits wrote of which Yjs keeps nothing is read from them. */
  readonly update?: Uint8Array;
  /** Its delete set may speak of more than what one transaction deleted: a step 2, merged updates, one sent again. */
  readonly isWhole?: boolean;
  /** Whether the sender had this Yjs id when it began to write the update. */
  readonly knows?: (client: number, clock: number) => boolean;
  /** Where content was that the document does not hold any more; without it edits next to such content are not told. */
  readonly collected?: CollectedPlaces;
}

/** Make it right before `Y.applyUpdate` of that one update, ask it right after, in the same Yjs transaction. */
export class ConflictProbe {
  constructor(_doc: Y.Doc, _scanned: ScannedUpdate, _options: ProbeOptions = {}) {}

  conflicts(): readonly Detected[] {
    return [];
  }
}
