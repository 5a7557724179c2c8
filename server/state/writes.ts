/**
 * Writes on their way through admission (context-state.ts), and what becomes of them.
 */
import type * as Y from "yjs";
import type { ChangeOrigin, JsonOp } from "../../shared/change.ts";
import type { Conflict } from "../../shared/conflict.ts";
import type { MetaChange } from "../../shared/context.ts";
import type { ServiceError } from "../../shared/errors.ts";
import type { Actor } from "../../shared/ids.ts";
import type { Lock, LockEvent } from "../../shared/lock.ts";
import type { Identity } from "./access/identity.ts";
import type { Precondition } from "./precondition.ts";
import type { Touch } from "./update/touched-paths.ts";

/** The moment of a turn: server time for records, and a clock that never jumps for leases. */
export interface Moment {
  readonly atMs: number;
  readonly monotonicMs: number;
}

/** Whose write it is. */
interface Authored {
  readonly actor: Actor;
  /** What says what the actor may. Absent for what the server writes by itself: it may everything. */
  readonly identity?: Identity;
}

/** A live Yjs edit that waits for admission. */
export interface UpdateWrite extends Authored {
  readonly kind: "update";
  readonly update: Uint8Array;
  /** All that a client has (a step 2), so what it deletes says nothing about what it has seen. */
  readonly isAnswer?: boolean;
  /** A version that the sender's replica included when the edit was made. */
  readonly baseVersion?: number;
  /** The session it came from: what that wrote before, it has seen. */
  readonly source?: object;
  /** Of its session. */
  readonly leases?: Pick<LeaseBook, "list">;
}

/** A lock as its holder knows it. */
export type Lease = Pick<Lock, "lockId" | "fencingToken" | "paths">;

/**
 * The locks that a session took and has not given back. Admission keeps it, so that an edit is judged with what the
 * session asked before it, whether or not that was answered.
 */
export interface LeaseBook {
  list(): readonly Lease[];
  add(lease: Lease): void;
  remove(lockId: string): void;
}

/** A JSON change that waits for admission. */
export interface OpsWrite extends Authored {
  readonly kind: "ops";
  readonly origin: ChangeOrigin;
  /** Or what works them out from the document, without writing to it, when it is their turn. */
  readonly ops: readonly JsonOp[] | ((doc: Y.Doc) => readonly JsonOp[]);
  readonly ifVersion?: Precondition;
  readonly message?: string;
  readonly resolves?: Conflict;
  /** Fencing tokens that the writer shows: one that is stale refuses the write. */
  readonly tokens?: readonly number[];
}

/** Something about a lock that waits for admission. */
export interface LockWrite extends Authored {
  readonly kind: "lock";
  readonly origin: ChangeOrigin;
  readonly event: LockEvent;
  /** Of the session that asks, if it is one. */
  readonly leases?: LeaseBook;
  /** A release of somebody else's lock, by an admin of the context. */
  readonly isForced?: boolean;
}

/** New metadata of the context that waits for admission. */
export interface MetaWrite extends Authored {
  readonly kind: "meta";
  readonly origin: ChangeOrigin;
  readonly change: MetaChange;
}

export type Write = UpdateWrite | OpsWrite | LockWrite | MetaWrite;

/** A change that was applied in memory and is to be appended to the log. */
export interface AdmittedChange {
  readonly kind: "change";
  readonly actor: Actor;
  readonly origin: ChangeOrigin;
  readonly atMs: number;
  readonly message?: string;
  readonly paths: readonly string[];
  readonly update: Uint8Array;
  readonly resolves?: string;
  /** End clocks of the Yjs client ids that it advances: what a state vector with this change in it says. */
  readonly advances: Touch["advances"];
  /** The conflicts that it made known; their ids and versions hold when it is appended at the next position. */
  readonly conflicts: readonly Conflict[];
}

/** What admission decided about a lock. */
export interface AdmittedLock {
  readonly kind: "lock";
  readonly actor: Actor;
  readonly origin: ChangeOrigin;
  readonly atMs: number;
  readonly paths: readonly string[];
  readonly update: Uint8Array;
  readonly lock: LockEvent;
}

/** What admission decided about the context's metadata. */
export interface AdmittedMeta {
  readonly kind: "meta";
  readonly actor: Actor;
  readonly origin: ChangeOrigin;
  readonly atMs: number;
  readonly paths: readonly string[];
  readonly update: Uint8Array;
  readonly meta: MetaChange;
}

/** What takes the place of a refused live edit in document and log: its clocks without its content. */
export interface AdmittedVoid {
  readonly kind: "void";
  readonly actor: Actor;
  readonly origin: ChangeOrigin;
  readonly atMs: number;
  /** The code of the refusal. */
  readonly message: string;
  readonly paths: readonly string[];
  readonly update: Uint8Array;
  readonly advances: Touch["advances"];
}

export type Admitted = AdmittedChange | AdmittedLock | AdmittedMeta | AdmittedVoid;

export type Verdict =
  | { readonly kind: "admitted"; readonly change: AdmittedChange | AdmittedLock | AdmittedMeta }
  /** The write says nothing that the document does not hold already. */
  | { readonly kind: "unchanged" }
  | { readonly kind: "refused"; readonly error: ServiceError; readonly instead?: AdmittedVoid };
