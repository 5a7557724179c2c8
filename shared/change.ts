/**
 * Changes: what callers may ask of a context's data, and what is remembered of each change.
 *
 * Not here: what the operations do (server/state/json/json-changes.ts), their wire schema (protocol/rest.ts).
 */
import type { Json, JsonObject } from "./json.ts";
import type { Actor } from "./ids.ts";

/** One operation of a JSON change. RFC 6902, RFC 7396 as `merge`, and three of our own. */
export type JsonOp =
  | { readonly op: "add"; readonly path: string; readonly value: Json }
  | { readonly op: "replace"; readonly path: string; readonly value: Json }
  | { readonly op: "remove"; readonly path: string }
  | { readonly op: "move"; readonly path: string; readonly from: string }
  | { readonly op: "copy"; readonly path: string; readonly from: string }
  | { readonly op: "test"; readonly path: string; readonly value: Json }
  | { readonly op: "merge"; readonly path: string; readonly value: JsonObject }
  | { readonly op: "increment"; readonly path: string; readonly by: number }
  | { readonly op: "edit_text"; readonly path: string; readonly old: string; readonly new: string }
  | { readonly op: "append_text"; readonly path: string; readonly text: string };

/**
 * Through which door a change came. `sync` is a live Yjs edit, `sdk` a JSON change over the WebSocket. The last ones are
 * the server's own work: a restored version, an undone actor, a conflict that was resolved, a lock whose time was over.
 */
export const CHANGE_ORIGINS = ["sync", "sdk", "rest", "mcp", "cli", "restore", "undo", "resolver", "server"] as const;
export type ChangeOrigin = (typeof CHANGE_ORIGINS)[number];

/** What is remembered of a change beside its bytes. */
export interface ChangeRecord {
  readonly version: number;
  readonly seq: number;
  readonly actor: Actor;
  readonly origin: ChangeOrigin;
  /** Server time at admission, milliseconds since 1970. */
  readonly atMs: number;
  readonly message?: string;
  /** Touched paths, minimal: none lies below another. An array element has no stable name, so paths end at the array. */
  readonly paths: readonly string[];
  /** Id of the conflict that this change resolves. */
  readonly resolves?: string;
  /** Of its Yjs update. Absent where that is not at hand: a live edit of one's own. */
  readonly bytes?: number;
}

/** What `ifVersion` speaks of: the paths that the change touches, or the whole context. */
export const VERSION_SCOPES = ["paths", "context"] as const;
export type VersionScope = (typeof VERSION_SCOPES)[number];

/** A change with its Yjs update (V1 encoding). */
export interface Change extends ChangeRecord {
  readonly update: Uint8Array;
}
