/**
 * What the transports may ask of the service: its use cases and their words. ContextManager is the implementation.
 *
 * Not here: live sessions (SessionOpener below is all of them that a transport sees), REST shapes (shared/protocol/rest.ts).
 */
import type { ChangeOrigin, ChangeRecord, JsonOp } from "../shared/change.ts";
import type { ContextHead, ContextMeta } from "../shared/context.ts";
import type { Actor, ContextId } from "../shared/ids.ts";
import type { Json, JsonObject } from "../shared/json.ts";
import type { Connection } from "./sync/connection.ts";
import type { Session } from "./sync/session.ts";

/** Who asks, and through which door. */
export interface Caller {
  readonly actor: Actor;
  readonly origin: ChangeOrigin;
}

export interface NewContext {
  readonly id?: ContextId;
  readonly type?: string;
  readonly name?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly data?: JsonObject;
}

export interface ContextSummary {
  readonly meta: ContextMeta;
  readonly head: ContextHead;
}

export interface ReadContext extends ContextSummary {
  readonly data: Json;
}

export interface ChangeRequest {
  readonly ops: readonly JsonOp[];
  /** Refuse with VERSION_CONFLICT unless this is the context's version. */
  readonly ifVersion?: number;
  readonly message?: string;
  readonly idempotencyKey?: string;
}

export interface ChangeOutcome {
  /** The context's version with this change in it; unchanged when the change did nothing. */
  readonly version: number;
  readonly seq: number;
  readonly paths: readonly string[];
  /** True when the idempotency key had been used before: this is the first outcome again. */
  readonly replayed: boolean;
}

export interface FindRequest {
  /** Occurs in id, name or description, case-insensitively. */
  readonly query?: string;
  readonly tag?: string;
  readonly type?: string;
  readonly limit: number;
  /** Return contexts with ids after this one. */
  readonly after?: ContextId;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** More may follow: ask again from here. */
  readonly next?: string;
}

/** What REST, CLI and MCP need of the facade. All methods reject with ServiceError. */
export interface ContextService {
  /** @throws {ServiceError} ALREADY_EXISTS, INVALID_CHANGE, TOO_LARGE, STORE_UNAVAILABLE */
  create(caller: Caller, context: NewContext): Promise<ReadContext>;
  find(caller: Caller, request: FindRequest): Promise<Page<ContextSummary>>;
  /** @throws {ServiceError} CONTEXT_NOT_FOUND, PATH_NOT_FOUND, STORE_UNAVAILABLE */
  read(
    caller: Caller,
    id: ContextId,
    options: { readonly path: string; readonly depth?: number },
  ): Promise<ReadContext>;
  /** @throws {ServiceError} CONTEXT_NOT_FOUND, VERSION_CONFLICT, the codes of applyJsonOps, IDEMPOTENCY_KEY_REUSED, LIMIT_EXCEEDED, STORE_UNAVAILABLE */
  change(caller: Caller, id: ContextId, request: ChangeRequest): Promise<ChangeOutcome>;
  /** Deletes the context with its history and ends its sessions with 4404. @throws {ServiceError} CONTEXT_NOT_FOUND */
  delete(caller: Caller, id: ContextId): Promise<void>;
  /** Changes with version > since in order, those that overlap `path` only. @throws {ServiceError} CONTEXT_NOT_FOUND */
  changes(
    caller: Caller,
    id: ContextId,
    request: { readonly since: number; readonly path?: string; readonly limit: number },
  ): Promise<Page<ChangeRecord>>;
  /**
   * A gap-free feed of changes after `since`: first those of the log, then live ones, in version order, until `signal` aborts.
   * Ends by itself (throws CONTEXT_NOT_FOUND, STORE_UNAVAILABLE, SHUTTING_DOWN) when the context or the server goes.
   */
  follow(
    caller: Caller,
    id: ContextId,
    request: { readonly since: number; readonly path?: string; readonly signal: AbortSignal },
  ): AsyncIterable<ChangeRecord>;
  /** Readiness: reasons why the service cannot do its work now, none when it can. */
  readiness(): readonly string[];
}

/** What the WebSocket endpoint needs. */
export interface SessionOpener {
  /**
   * Opens a live session; its first messages are sent before this resolves.
   * @throws {ServiceError} CONTEXT_NOT_FOUND, STORE_UNAVAILABLE, SHUTTING_DOWN
   */
  openSession(caller: Caller, id: ContextId, options: SessionOptions): Promise<Session>;
}

export interface SessionOptions {
  readonly connection: Connection;
  /** The client speaks mcm.v1. */
  readonly isExtended: boolean;
  /** Make the context, empty, when it does not exist. */
  readonly create: boolean;
}
