/**
 * What the detector says of a conflict, before anybody is named and any policy asked.
 */
import type { ConflictKind } from "../../../shared/conflict.ts";
import type { Json } from "../../../shared/json.ts";

export interface DetectedSide {
  /** The Yjs id that wrote it; null for a deletion. */
  readonly id: { readonly client: number; readonly clock: number } | null;
  /** Absent for a deletion. Marks as in shared/json-marks.ts. For lost edits a list of what was written, if that is kept. */
  readonly value?: Json;
  /** Whether it is the update's side. */
  readonly isIncoming: boolean;
}

export interface Detected {
  readonly path: string;
  /** As in Conflict. */
  readonly isNested?: true;
  readonly kind: ConflictKind;
  readonly winner: DetectedSide;
  readonly loser: DetectedSide;
}
