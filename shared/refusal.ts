/**
 * Writes and locks that were asked for and refused: who, where, and why. Never what would have been written.
 *
 * Not here: keeping them (server/context/refusal-ring.ts), the wire shapes (protocol/rest-refusals.ts).
 */
import type { ChangeOrigin } from "./change.ts";
import type { ErrorCode } from "./errors.ts";
import type { Actor } from "./ids.ts";

export interface Refusal {
  /** No other has it. Grows at a server, and starts anew with it. */
  readonly id: number;
  readonly atMs: number;
  readonly actor: Actor;
  readonly origin: ChangeOrigin;
  readonly code: ErrorCode;
  /** What decided within the code: a grant, a role, a scope. */
  readonly rule?: string;
  readonly paths: readonly string[];
  /** Who was in the way: holds the lock, or wrote before. */
  readonly by?: string;
}
