/**
 * The past of a context: the words for named checkpoints, blame, diffs and what restoring and undoing say.
 *
 * Not here: how they are worked out (server/state/history), the wire shapes (protocol/rest.ts).
 */
import type { JsonOp } from "./change.ts";
import type { Actor } from "./ids.ts";

/** A version that somebody gave a name; its content is kept whatever the retention policy drops. */
export interface NamedCheckpoint {
  readonly name: string;
  readonly version: number;
  readonly seq: number;
  readonly actor: Actor;
  readonly atMs: number;
  readonly message?: string;
}

/** Who wrote something, and when. Without a version: before the oldest change that the history keeps. */
export interface Authorship {
  readonly version?: number;
  readonly actor?: Actor;
  readonly atMs?: number;
  readonly message?: string;
}

/** The last writer of what stands at a path; for a text one line for each run of characters, in order. */
export interface BlameLine extends Authorship {
  /** A member or value; the path of the array for an element of it, then `index` says which. */
  readonly path: string;
  readonly index?: number;
  /** For a run of a text: where it begins, in UTF-16 units, and what it says. */
  readonly start?: number;
  readonly text?: string;
}

/** `changes` turn the data (or what is at `path`) of version `from` into that of version `to` (RFC 6902). */
export interface Diff {
  readonly from: number;
  readonly to: number;
  readonly path: string;
  readonly changes: readonly JsonOp[];
}

/** A place where an undo left things as they are, and why. */
export interface KeptPath {
  readonly path: string;
  /** `changed-since`: others wrote there later. `not-json`: the content has no JSON form (XML, big integers). */
  readonly reason: "changed-since" | "not-json";
  readonly by?: Authorship;
}
