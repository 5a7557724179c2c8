/**
 * Port: what the MCP surface asks of contexts, in the shapes of the wire, as one caller. LocalContexts asks the facade,
 * RemoteContexts (server/cli/mcp) a server over REST, so that HTTP, stdio and tests share one surface.
 *
 * Every method rejects with ServiceError. What resolves is durable. Every rule is enforced behind it.
 *
 * Not here: tools, resources and prompts.
 */
import type { JsonOp } from "../../../shared/change.ts";
import type { ServiceError } from "../../../shared/errors.ts";
import type { Scope } from "../../../shared/permission.ts";
import type { AclView, ShareBody } from "../../../shared/protocol/rest-access.ts";
import type { EventView } from "../../../shared/protocol/rest-events.ts";
import type { DiffView, RevertResult } from "../../../shared/protocol/rest-history.ts";
import type { HeldLockView, LockView } from "../../../shared/protocol/rest-locks.ts";
import type {
  ChangeList,
  ChangeResult,
  ChangeView,
  ContextInfo,
  ContextList,
  ContextView,
  CreateRequest,
} from "../../../shared/protocol/rest.ts";

export interface Self {
  readonly actor: string;
  readonly scopes: readonly Scope[];
}

export interface Contexts {
  /** Who asks. */
  readonly self: Self;
  /** In order of id, after `cursor`. */
  find(query: Find): Promise<ContextList>;
  create(request: CreateRequest): Promise<ContextView>;
  summary(id: string): Promise<ContextInfo>;
  read(id: string, part: { readonly path: string; readonly version?: number }): Promise<ContextView>;
  change(id: string, change: ContextChange): Promise<ChangeResult>;
  delete(id: string): Promise<void>;
  changes(id: string, query: ChangesQuery): Promise<ChangeList>;
  /** As ContextService.follow; a version that the context has not reached is EPOCH_CHANGED. */
  follow(id: string, from: FollowFrom): AsyncIterable<ChangeView>;
  /** What turns version `from` into the present one. */
  diff(id: string, range: { readonly from: number; readonly path: string }): Promise<DiffView>;
  restore(id: string, request: Restore): Promise<RevertResult>;
  /** The new access list. */
  share(id: string, grants: ShareBody["grants"]): Promise<AclView>;
  locks(id: string): Promise<readonly LockView[]>;
  /** The caller's own, by context. */
  heldLocks(): Promise<readonly HeldLockView[]>;
  acquireLock(id: string, request: Acquire): Promise<LockView>;
  renewLock(id: string, lockId: string, ttlMs: number): Promise<LockView>;
  releaseLock(id: string, lockId: string): Promise<void>;
  /** Tells what happens to contexts that the caller may read then, until the returned function is called. */
  watch(watcher: Watcher): () => void;
}

export interface Watcher {
  /** What happens from now on is told. Perhaps before `watch` returns. */
  began(): void;
  tell(event: EventView): void;
  /** Nothing more will be told. */
  ended(error: ServiceError): void;
}

export interface Find {
  readonly query?: string;
  readonly tag?: string;
  readonly limit: number;
  readonly cursor?: string;
}

export interface ContextChange {
  readonly changes: readonly JsonOp[];
  readonly ifVersion?: number;
  readonly lockTokens?: readonly number[];
  readonly message?: string;
  readonly idempotencyKey?: string;
}

export interface ChangesQuery {
  readonly since?: number;
  readonly newestFirst?: boolean;
  readonly path?: string;
  readonly limit: number;
}

export interface FollowFrom {
  readonly since: number;
  readonly path: string;
  readonly signal: AbortSignal;
}

export interface Restore {
  readonly version: number;
  readonly path: string;
  readonly message?: string;
  readonly lockTokens?: readonly number[];
}

export interface Acquire {
  readonly path: string;
  readonly ttlMs: number;
  readonly waitMs: number;
  readonly purpose?: string;
  readonly signal: AbortSignal;
}
