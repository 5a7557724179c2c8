/**
 * Conflicts: concurrent writes of which the merge keeps one, told instead of lost silently.
 *
 * Not here: finding them (server/state/conflict/conflict-detector.ts), settling them (…/conflict-resolver.ts).
 */
import type { Actor } from "./ids.ts";
import type { Json } from "./json.ts";

/**
 * `set-set`: one key was set twice. `set-delete`: a key was set and deleted; the side without a value is the deletion.
 * `lost-edits`: content was edited inside something that another writer deleted or replaced without having seen the edit.
 */
export const CONFLICT_KINDS = ["set-set", "set-delete", "lost-edits"] as const;
export type ConflictKind = (typeof CONFLICT_KINDS)[number];

/**
 * What is done about a conflict. `record`: the merge stands. `first-wins`: what the server took first is put back.
 * `merge`: what both sides say is put together where that can be done, else as `record`. `manual`: open until somebody resolves it.
 */
export const CONFLICT_POLICIES = ["record", "first-wins", "merge", "manual"] as const;
export type ConflictPolicy = (typeof CONFLICT_POLICIES)[number];

/** `recorded`: nothing is to be done. `open`: somebody should decide. `resolved`: by a change. */
export const CONFLICT_STATUSES = ["recorded", "open", "resolved"] as const;
export type ConflictStatus = (typeof CONFLICT_STATUSES)[number];

export interface ConflictSide {
  /** Absent when it is older than what the server remembers of single writes. */
  readonly actor?: Actor;
  /** Version of the change that wrote it; absent like `actor`. */
  readonly version?: number;
  /** What it wrote, as JSON; absent for a deletion. */
  readonly value?: Json;
}

export interface Conflict {
  /** Seq of the change that made it known, and which of its conflicts it is: "17.0". Sorts by its parts. */
  readonly id: string;
  readonly path: string;
  /** The place has no path of its own, being inside an element of the array at `path`: no side can be put back there. */
  readonly isNested?: true;
  readonly kind: ConflictKind;
  readonly policy: ConflictPolicy;
  /** What the merge kept, before any policy. */
  readonly winner: ConflictSide;
  readonly loser: ConflictSide;
  readonly status: ConflictStatus;
  /** When the server found it, milliseconds since 1970. */
  readonly atMs: number;
  /** The version at which it was found. */
  readonly version: number;
  /** The change that resolved it. */
  readonly resolution?: { readonly version: number; readonly actor: Actor; readonly atMs: number };
}
