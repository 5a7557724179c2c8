/** What an application hears of a replica. */
import type * as Y from "yjs";
import type { Conflict } from "../shared/conflict.ts";
import type { ServiceError } from "../shared/errors.ts";
import type { LockEvent } from "../shared/lock.ts";
import type { ContextAccess } from "./context-access.ts";

/** `online`: synced and following. `offline`: edits wait, the SDK keeps trying. `closed`: for good. */
export type ContextStatus = "online" | "offline" | "closed";

/** An edit that will never be part of the context: why, and the Yjs update that holds it. */
export interface Refusal {
  readonly error: ServiceError;
  readonly update: Uint8Array;
}

/** What happened to a lock; `actor` is who did it, `seq` of `acquire` is the fencing token. */
export type LockNotice = LockEvent & { readonly actor: string; readonly seq: number };

// a type alias: an interface has no index signature, which Emitter's bound asks for
export type ContextEvents = {
  readonly status: readonly [status: ContextStatus];
  /** All local edits are durable on the server. */
  readonly saved: readonly [];
  /** Waits for the first listener: an edit of an earlier process may be refused before anybody can listen. */
  readonly rejected: readonly [refusal: Refusal];
  /** `doc` replaces the document: editors must bind to it anew. */
  readonly reset: readonly [doc: Y.Doc];
  /** The merge of concurrent writes kept one of them. */
  readonly conflict: readonly [conflict: Conflict];
  /** Somebody's lock: taken, renewed for another time, given back, or over. */
  readonly lock: readonly [notice: LockNotice];
  /** Others wait for locks than before; so many do now. */
  readonly lockQueue: readonly [waiting: number];
  /** We may do more, or less, than before: editors go read-only. */
  readonly access: readonly [access: ContextAccess];
  /** The session is over; `error` has code CLOSED when the application closed it. */
  readonly closed: readonly [error: ServiceError];
  /** The local store failed; edits are no longer kept beyond this process. */
  readonly storeFailed: readonly [error: unknown];
  /** An attempt to connect failed, or a connection was lost. */
  readonly connectionLost: readonly [];
};
