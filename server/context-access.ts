/**
 * Port: what the use cases beside the facade (history, conflicts, types) may do with a context. ContextManager is the
 * implementation; everything goes through the context's queue and the one write path (CTX-2).
 *
 * Invariant (CTX-1): what `look` and `change` resolve with is durable.
 *
 * Not here: the use cases of the facade itself (context-service.ts).
 */
import type * as Y from "yjs";
import type { ChangeOrigin, JsonOp } from "../shared/change.ts";
import type { Conflict } from "../shared/conflict.ts";
import type { ContextHead, ContextMeta } from "../shared/context.ts";
import type { ContextId } from "../shared/ids.ts";
import type { Caller, ChangeOutcome } from "./context-service.ts";

/** A JSON change that is worked out in the context's turn, from the document as it is then. */
export interface PlannedChange {
  /** Reads the document and writes nothing. A ServiceError that it throws refuses the change. */
  readonly plan: (doc: Y.Doc) => readonly JsonOp[];
  readonly origin: ChangeOrigin;
  readonly message?: string;
  /** Refuse with VERSION_CONFLICT when what the change touches was changed after this version. */
  readonly ifVersion?: number;
  /** Fencing tokens of the locks that the writer holds. */
  readonly tokens?: readonly number[];
  /** The conflict that it resolves: its record becomes `resolved` together with the change; CONFLICT_RESOLVED if it is. */
  readonly resolves?: Conflict;
}

export interface Glance<Result> {
  readonly meta: ContextMeta;
  readonly head: ContextHead;
  readonly result: Result;
}

export interface ContextAccess {
  /**
   * What `task`, which only reads and returns at once, makes of the document.
   * @throws {ServiceError} CONTEXT_NOT_FOUND, STORE_UNAVAILABLE, SHUTTING_DOWN; what `task` throws
   */
  look<Result>(id: ContextId, task: (doc: Y.Doc) => Result): Promise<Glance<Result>>;
  /** @throws {ServiceError} those of ContextService.change; what `plan` throws */
  change(caller: Caller, id: ContextId, planned: PlannedChange): Promise<ChangeOutcome>;
}
