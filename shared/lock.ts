/**
 * Locks: the words for leases on paths of a context.
 *
 * `exclusive`: only its holder writes at, above or below its paths. `shared`: nobody does, a stable read; many may hold one.
 * Paths need not exist.
 *
 * Not here: who gets one (server/state/locks), the wire shapes (protocol/rest-locks.ts).
 */
import type { Actor, ContextId } from "./ids.ts";

export const LOCK_MODES = ["exclusive", "shared"] as const;
export type LockMode = (typeof LOCK_MODES)[number];

/** A granted lease. Who shows its fencing token writes as its holder; a sibling under the same name does not. */
export interface Lock {
  readonly lockId: string;
  /** Minimal: none below another. */
  readonly paths: readonly string[];
  readonly mode: LockMode;
  readonly holder: Actor;
  /** Why; others who wait see it. */
  readonly purpose?: string;
  /** Seq of the entry that granted it: grows for the life of the context, across restarts and servers. */
  readonly fencingToken: number;
  readonly ttlMs: number;
  /** Server time when it was granted, milliseconds since 1970. */
  readonly grantedAtMs: number;
}

export interface GrantedLock extends Lock {
  /** When it ends unless it is renewed, by the server's wall clock. */
  readonly expiresAtMs: number;
}

export interface HeldLock {
  readonly contextId: ContextId;
  readonly lock: GrantedLock;
}

/** Somebody who asked for a lock and waits until it is free. Times are of the server's wall clock. */
export interface LockWaiter {
  /** Of the lock that is waited for. */
  readonly lockId: string;
  readonly paths: readonly string[];
  readonly mode: LockMode;
  readonly actor: Actor;
  /** Of the live session that asked; other doors have none. */
  readonly sessionId?: string;
  readonly purpose?: string;
  readonly sinceMs: number;
  /** When it gives up. */
  readonly untilMs: number;
  /** 1 for who is next at these paths: one more than those in its way who asked earlier. */
  readonly position: number;
}

/** What a lock entry of the log says; its actor is who did it. `renew` is written only when it changes the time to live. */
export type LockEvent =
  | {
      readonly op: "acquire";
      readonly lockId: string;
      readonly paths: readonly string[];
      readonly mode: LockMode;
      readonly ttlMs: number;
      readonly purpose?: string;
    }
  | { readonly op: "renew"; readonly lockId: string; readonly ttlMs: number }
  | { readonly op: "release" | "expire"; readonly lockId: string };
