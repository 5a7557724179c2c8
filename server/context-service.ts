/**
 * What the transports may ask of the service: its use cases and their words. ContextManager implements them; transports get
 * AccessGuard, which asks first who may.
 *
 * All methods refuse with CONTEXT_NOT_FOUND what the caller may not read, and with FORBIDDEN what it may read and not do.
 *
 * Not here: live sessions (SessionOpener below is all of them that a transport sees), REST shapes (shared/protocol/rest.ts).
 */
import type { AuditEntry, AuditEvent, AuditQuery } from "../shared/audit.ts";
import type { ChangeOrigin, ChangeRecord, JsonOp, VersionScope } from "../shared/change.ts";
import type { Refusal } from "../shared/refusal.ts";
import type { Conflict, ConflictStatus } from "../shared/conflict.ts";
import type { ContextType, TypeReport } from "../shared/context-type.ts";
import type { ErrorCode, ServiceError } from "../shared/errors.ts";
import type { BlameLine, Diff, KeptPath, NamedCheckpoint } from "../shared/history.ts";
import type { ContextEventKind, ContextFigures, ContextHead, ContextMeta } from "../shared/context.ts";
import type { Actor, ContextId } from "../shared/ids.ts";
import type { Json, JsonObject } from "../shared/json.ts";
import type { RootsJson } from "../shared/read-data.ts";
import type { GrantedLock, HeldLock, LockMode, LockWaiter } from "../shared/lock.ts";
import type { Alert, AlertEvent, Health, SessionQuery, SessionStats, Stats } from "../shared/monitoring.ts";
import type { Acl, GrantChange, Role } from "../shared/permission.ts";
import type { FollowedSession } from "../shared/traffic.ts";
import type { WebhookReport, WebhookStatus } from "../shared/webhook.ts";
import type { Identity } from "./state/access/identity.ts";
import type { Connection } from "./sync/connection.ts";
import type { Session } from "./sync/session.ts";
import type { SessionLeases } from "./sync/session-leases.ts";

/** Who asks, and through which door. */
export interface Caller {
  readonly identity: Identity;
  readonly origin: ChangeOrigin;
  /** Of a live session: the locks that it takes. */
  readonly leases?: SessionLeases;
  /** Where from, and under which id the server's log has it; for the audit log. */
  readonly via?: Pick<AuditEvent, "address" | "requestId" | "sessionId">;
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
  /** What the caller may do there; told by the guard. */
  readonly role?: Role;
  /** In a listing that asked for them. */
  readonly figures?: ContextFigures;
}

export interface ReadContext extends ContextSummary {
  readonly data: Json;
}

export interface ChangeRequest {
  readonly ops: readonly JsonOp[];
  /** Refuse with VERSION_CONFLICT when what the change touches was changed after this version. */
  readonly ifVersion?: number;
  /** `context`: … when anything was. Default `paths`. */
  readonly ifVersionScope?: VersionScope;
  /** Fencing tokens of the locks that the writer holds. */
  readonly lockTokens?: readonly number[];
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
  /** What is going on in each; costs a look at each. */
  readonly withFigures?: boolean;
  /** Return contexts with ids after this one. */
  readonly after?: ContextId;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** More may follow: ask again from here. */
  readonly next?: string;
  /** So many other servers did not answer in time: what only they know is not here. */
  readonly silent?: number;
}

export interface ChangesRequest {
  /** Begin after this version; with the oldest change that is kept unless given. */
  readonly since?: number;
  readonly newestFirst?: boolean;
  readonly before?: number;
  readonly path?: string;
  readonly actor?: Actor;
  readonly limit: number;
}

export interface ChangesPage extends Page<ChangeRecord> {
  /** In order of version: the last one that was looked at, whether it was wanted or not. */
  readonly through: number;
}

export interface RestoreRequest {
  readonly version: number;
  /** "" for the whole context, other roots than the data included. */
  readonly path: string;
  /** Say what would be done, and do nothing. */
  readonly dryRun?: boolean;
  readonly message?: string;
  /** Fencing tokens of the locks that the writer holds. */
  readonly lockTokens?: readonly number[];
}

export interface UndoRequest {
  readonly actor: Actor;
  /** The actor's changes with from < version <= to. */
  readonly from: number;
  readonly to: number;
  /** Only what lies at or below it. */
  readonly path?: string;
  readonly dryRun?: boolean;
  readonly message?: string;
  readonly lockTokens?: readonly number[];
}

/** What restoring or undoing did, or would do. */
export interface RevertOutcome {
  /** The context's version with it; unchanged when nothing was to be done, and for a dry run. */
  readonly version: number;
  readonly changes: readonly JsonOp[];
  /** Places that were left as they are, and why. */
  readonly kept: readonly KeptPath[];
  readonly dryRun: boolean;
}

/** The past of a context. */
export interface HistoryService {
  /** @throws {ServiceError} CONTEXT_NOT_FOUND, VERSION_NOT_FOUND, INVALID_REQUEST, TOO_LARGE */
  diff(
    caller: Caller,
    id: ContextId,
    request: { readonly from: number; readonly to?: number; readonly path: string },
  ): Promise<Diff>;
  /** @throws {ServiceError} CONTEXT_NOT_FOUND, PATH_NOT_FOUND */
  blame(
    caller: Caller,
    id: ContextId,
    request: { readonly path: string },
  ): Promise<{ readonly version: number; readonly lines: readonly BlameLine[] }>;
  /** @throws {ServiceError} CONTEXT_NOT_FOUND, VERSION_NOT_FOUND, SCHEMA_VIOLATION, LIMIT_EXCEEDED */
  restore(caller: Caller, id: ContextId, request: RestoreRequest): Promise<RevertOutcome>;
  /** @throws {ServiceError} CONTEXT_NOT_FOUND, VERSION_NOT_FOUND, SCHEMA_VIOLATION, LIMIT_EXCEEDED */
  undo(caller: Caller, id: ContextId, request: UndoRequest): Promise<RevertOutcome>;
  /** Newest version first. @throws {ServiceError} CONTEXT_NOT_FOUND */
  checkpoints(caller: Caller, id: ContextId): Promise<readonly NamedCheckpoint[]>;
  /** Names a version, the present one unless given. @throws {ServiceError} ALREADY_EXISTS, VERSION_NOT_FOUND, LIMIT_EXCEEDED */
  nameCheckpoint(
    caller: Caller,
    id: ContextId,
    request: { readonly name: string; readonly version?: number; readonly message?: string },
  ): Promise<NamedCheckpoint>;
  /** @throws {ServiceError} CHECKPOINT_NOT_FOUND */
  forgetCheckpoint(caller: Caller, id: ContextId, name: string): Promise<void>;
  /**
   * Recreates the document without what was deleted and without Yjs client ids nobody writes under any more, as a new
   * epoch. Data, version and history stay. @throws {ServiceError} CONTEXT_NOT_FOUND, STORE_UNAVAILABLE
   */
  compact(caller: Caller, id: ContextId): Promise<CompactOutcome>;
}

export interface CompactOutcome {
  readonly version: number;
  readonly epoch: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

export interface ConflictService {
  /** Newest first. @throws {ServiceError} CONTEXT_NOT_FOUND */
  list(
    caller: Caller,
    id: ContextId,
    request: {
      readonly status?: ConflictStatus;
      readonly path?: string;
      readonly limit: number;
      /** Conflicts found before the one with this id. */
      readonly after?: string;
    },
  ): Promise<Page<Conflict>>;
  /**
   * Resolves by a change that names the conflict: takes a side's value, or writes `changes`, which may be empty to let
   * the present content stand. @throws {ServiceError} CONFLICT_NOT_FOUND, CONFLICT_RESOLVED, and those of a change
   */
  resolve(
    caller: Caller,
    id: ContextId,
    request: {
      readonly conflictId: string;
      readonly take: "winner" | "loser" | readonly JsonOp[];
      readonly message?: string;
      readonly lockTokens?: readonly number[];
    },
  ): Promise<{ readonly version: number; readonly conflict: Conflict }>;
}

export interface LockRequest {
  /** A new one is made up when absent. Who asks again for a lock by its id, because the answer got lost, gets that lock. */
  readonly lockId?: string;
  readonly paths: readonly string[];
  /** Default `exclusive`. */
  readonly mode?: LockMode;
  /** Default LIMITS.lockTtlMsDefault. */
  readonly ttlMs?: number;
  /** How long to wait when the paths are not free; 0, the default, does not wait. */
  readonly waitMs?: number;
  readonly purpose?: string;
  /** Ends the waiting. */
  readonly signal?: AbortSignal;
}

export interface LockService {
  /** In the order in which they were granted. @throws {ServiceError} CONTEXT_NOT_FOUND */
  list(caller: Caller, id: ContextId): Promise<readonly GrantedLock[]>;
  /** In the order in which they asked. @throws {ServiceError} CONTEXT_NOT_FOUND */
  waiting(caller: Caller, id: ContextId): Promise<readonly LockWaiter[]>;
  /** What the caller holds in all contexts that are in memory; those that nobody used since the server started are not. */
  held(caller: Caller): Promise<readonly HeldLock[]>;
  /** All paths at once, or none. @throws {ServiceError} LOCKED, LIMIT_EXCEEDED, RATE_LIMITED */
  acquire(caller: Caller, id: ContextId, request: LockRequest): Promise<GrantedLock>;
  /** @throws {ServiceError} LOCK_NOT_FOUND, FORBIDDEN */
  renew(caller: Caller, id: ContextId, lockId: string, options: { readonly ttlMs?: number }): Promise<GrantedLock>;
  /** An admin of the context may release another's by force. @throws {ServiceError} LOCK_NOT_FOUND, FORBIDDEN */
  release(caller: Caller, id: ContextId, lockId: string, options?: { readonly isForced?: boolean }): Promise<void>;
}

/** Who may do what with a context. For its admins. */
export interface AccessService {
  /** Undefined until it is set for the first time. @throws {ServiceError} CONTEXT_NOT_FOUND, FORBIDDEN */
  acl(caller: Caller, id: ContextId): Promise<Acl | undefined>;
  /**
   * Replaces the list. When it resolves, the new one is durable and holds: sessions that may not read any more are ended, and
   * what is written from now on is judged by it.
   * @throws {ServiceError} CONTEXT_NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE
   */
  setAcl(caller: Caller, id: ContextId, acl: Acl): Promise<Acl>;
  /** As setAcl, for some principals; the others keep what they have. @throws {ServiceError} as setAcl; LIMIT_EXCEEDED */
  share(caller: Caller, id: ContextId, changes: readonly GrantChange[]): Promise<Acl>;
}

/** In Prometheus' text format. */
export interface Metrics {
  readonly contentType: string;
  readonly text: string;
}

export interface Alerts {
  readonly active: readonly Alert[];
  /** Those that are over, the latest first. */
  readonly cleared: readonly Alert[];
}

/** How the server itself is. For admins of the server; all methods reject with FORBIDDEN for others. */
export interface MonitorService {
  metrics(caller: Caller): Promise<Metrics>;
  stats(caller: Caller): Promise<Stats>;
  alerts(caller: Caller): Promise<Alerts>;
  /**
   * Alerts that are raised, changed and cleared from now on, until `signal` aborts. The feed ends by itself (throws SHUTTING_DOWN,
   * SLOW_CONSUMER, UNAUTHENTICATED) when the server or the right to it goes, or it is not read.
   */
  followAlerts(caller: Caller, request: { readonly signal: AbortSignal }): Promise<AsyncIterable<AlertEvent>>;
  /** Open live sessions in order of id. */
  sessions(caller: Caller, request: SessionQuery): Promise<Page<SessionStats>>;
  /**
   * What it hears and says, without content, until it ends or `signal` aborts.
   * @throws {ServiceError} SESSION_NOT_FOUND, SESSION_ELSEWHERE, RATE_LIMITED
   */
  followSession(caller: Caller, id: string, request: { readonly signal: AbortSignal }): Promise<FollowedSession>;
  /** Its client may come again. Tells what it was. @throws {ServiceError} SESSION_NOT_FOUND */
  closeSession(caller: Caller, id: string): Promise<SessionStats>;
}

/** Who did or was denied what. For admins of the server. */
export interface AuditService {
  /**
   * Newest first, by a bounded look: a page may be empty and still say where to go on.
   * @throws {ServiceError} FORBIDDEN, STORE_UNAVAILABLE
   */
  list(caller: Caller, query: AuditQuery): Promise<Page<AuditEntry>>;
}

/** Which writes were refused lately. */
export interface RefusalService {
  /** Newest first; a bounded number. @throws {ServiceError} CONTEXT_NOT_FOUND, FORBIDDEN */
  list(caller: Caller, id: ContextId): Promise<Page<Refusal>>;
}

export interface TypeService {
  list(caller: Caller): Promise<readonly ContextType[]>;
  /** @throws {ServiceError} TYPE_NOT_FOUND */
  get(caller: Caller, name: string): Promise<ContextType>;
  /**
   * Registers a schema, or a newer one, and checks the contexts of that type; with `dryRun` it only checks them.
   * @throws {ServiceError} INVALID_SCHEMA, LIMIT_EXCEEDED
   */
  put(
    caller: Caller,
    name: string,
    request: { readonly schema: JsonObject; readonly dryRun?: boolean },
  ): Promise<{ readonly type: ContextType; readonly report: TypeReport }>;
  /** Contexts keep their type's name and are not checked any more. @throws {ServiceError} TYPE_NOT_FOUND */
  delete(caller: Caller, name: string): Promise<void>;
}

/** Something happened to a context, and is durable. `missed`: more may have happened than is told. */
export type ContextEvent = { readonly kind: ContextEventKind; readonly id: ContextId } | { readonly kind: "missed" };

/** Who follows what happens to contexts. */
export interface ContextWatcher {
  tell(event: ContextEvent): void;
  /** Nothing more will be told: the server stops. */
  ended(error: ServiceError): void;
}

/** A context that comes from somewhere else. */
export interface ImportRequest {
  readonly id: ContextId;
  readonly type?: string;
  readonly name?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  /** Take the place of a context that has the id, whose history goes; else that is ALREADY_EXISTS. */
  readonly replace?: boolean;
  /** Read when the import has its turn, so that what waits holds nothing. */
  readonly content: () => Promise<ImportContent>;
}

export type ImportContent =
  | { readonly kind: "json"; readonly data: JsonObject; readonly roots: RootsJson["roots"] }
  /** Yjs updates, V1, in a list (shared/protocol/update-list.ts). */
  | { readonly kind: "updates"; readonly list: Uint8Array };

export interface ImportOutcome extends ContextSummary {
  /** Of `updates`: what became of them. Of `json` all is in, or the import was refused. */
  readonly updates?: {
    readonly applied: number;
    readonly repeated: number;
    readonly refused: number;
    /** The first of them. */
    readonly refusals: readonly { readonly index: number; readonly code: ErrorCode; readonly message: string }[];
  };
}

/** Contexts on their way in and out, and all of them at once. */
export interface DataService {
  /** @throws {ServiceError} CONTEXT_NOT_FOUND, STORE_UNAVAILABLE */
  exportJson(caller: Caller, id: ContextId): Promise<ContextSummary & RootsJson>;
  /** The document as one Yjs update, in V1 or V2 encoding. @throws {ServiceError} CONTEXT_NOT_FOUND, STORE_UNAVAILABLE */
  exportYjs(
    caller: Caller,
    id: ContextId,
    encoding: 1 | 2,
  ): Promise<{ readonly version: number; readonly update: Uint8Array }>;
  /**
   * Makes a context at version 0 of what was given. The Yjs client ids in it belong to nobody until somebody goes on under them.
   * @throws {ServiceError} ALREADY_EXISTS, INVALID_CHANGE, SCHEMA_VIOLATION, TOO_LARGE, LIMIT_EXCEEDED, RATE_LIMITED; the first refusal when no update was accepted
   */
  import(caller: Caller, request: ImportRequest): Promise<ImportOutcome>;
  /**
   * For admins of the server: everything of everybody. Hands out all that is acknowledged when it is called, as a stream of frames (storage/backup);
   * `write` is called again only after it settled. @throws {ServiceError} RATE_LIMITED, STORE_UNAVAILABLE, SHUTTING_DOWN; what `write` throws
   */
  backup(caller: Caller, write: (bytes: Uint8Array) => Promise<void>): Promise<void>;
}

/** What REST, CLI and MCP need of the facade. All methods reject with ServiceError. */
export interface ContextService {
  readonly history: HistoryService;
  readonly conflicts: ConflictService;
  readonly types: TypeService;
  readonly locks: LockService;
  readonly access: AccessService;
  readonly data: DataService;
  /** @throws {ServiceError} ALREADY_EXISTS, INVALID_CHANGE, TOO_LARGE, STORE_UNAVAILABLE */
  create(caller: Caller, context: NewContext): Promise<ReadContext>;
  find(caller: Caller, request: FindRequest): Promise<Page<ContextSummary>>;
  /** What is known of a context beside its data. @throws {ServiceError} CONTEXT_NOT_FOUND, STORE_UNAVAILABLE */
  summary(caller: Caller, id: ContextId): Promise<ContextSummary>;
  /**
   * The present data, or with `version` that of a retained version; `head` is then as it was after that change.
   * @throws {ServiceError} CONTEXT_NOT_FOUND, PATH_NOT_FOUND, VERSION_NOT_FOUND, STORE_UNAVAILABLE
   */
  read(
    caller: Caller,
    id: ContextId,
    options: { readonly path: string; readonly depth?: number; readonly version?: number },
  ): Promise<ReadContext>;
  /** @throws {ServiceError} CONTEXT_NOT_FOUND, VERSION_CONFLICT, the codes of applyJsonOps, IDEMPOTENCY_KEY_REUSED, LIMIT_EXCEEDED, STORE_UNAVAILABLE */
  change(caller: Caller, id: ContextId, request: ChangeRequest): Promise<ChangeOutcome>;
  /** Deletes the context with its history and ends its sessions with 4404. @throws {ServiceError} CONTEXT_NOT_FOUND */
  delete(caller: Caller, id: ContextId): Promise<void>;
  /**
   * Changes with version > since in order, or with `newestFirst` those with version < before in reverse order; those that
   * overlap `path` and are by `actor` only. A page's `next` is the version to go on from (as `since`, or as `before`).
   * @throws {ServiceError} CONTEXT_NOT_FOUND, INVALID_REQUEST; VERSION_NOT_FOUND when not every change after `since` is kept
   */
  changes(caller: Caller, id: ContextId, request: ChangesRequest): Promise<Page<ChangeRecord>>;
  /**
   * A gap-free feed of changes after `since`: first those of the log, then live ones, in version order, until `signal` aborts.
   * Ends by itself (throws CONTEXT_NOT_FOUND, STORE_UNAVAILABLE, SHUTTING_DOWN) when the context or the server goes, or
   * the log does not keep all that follows (VERSION_NOT_FOUND).
   */
  follow(
    caller: Caller,
    id: ContextId,
    request: { readonly since: number; readonly path?: string; readonly actor?: Actor; readonly signal: AbortSignal },
  ): AsyncIterable<ChangeRecord>;
  /**
   * Tells what happens to any context that the caller may read then, until the returned function is called.
   * What happened is to be looked up: an event only says that there is something to see.
   * @throws {ServiceError} SHUTTING_DOWN
   */
  watch(caller: Caller, watcher: ContextWatcher): () => void;
  /** At once, from what is in memory. `down` means that the service cannot do its work now. */
  health(): Health;
}

/** Tokens that do not count any more, though their time is not over. For admins of the server. */
export interface TokenService {
  /**
   * One token by its id, or all that a subject has now. When it resolves it is durable, and what was open under them has ended.
   * @throws {ServiceError} FORBIDDEN, LIMIT_EXCEEDED, STORE_UNAVAILABLE
   */
  revoke(caller: Caller, request: RevokeRequest): Promise<Revocation>;
  /** Newest first. @throws {ServiceError} FORBIDDEN */
  revocations(caller: Caller): Promise<readonly Revocation[]>;
}

export interface RevokeRequest {
  /** One of the two. */
  readonly tokenId?: string;
  readonly subject?: string;
  /** When the token ends by itself; for people. */
  readonly expiresAtMs?: number;
  readonly reason?: string;
}

export interface Revocation extends RevokeRequest {
  readonly id: string;
  readonly revokedAtMs: number;
  readonly revokedBy: Actor;
}

export interface NewWebhook {
  readonly url: string;
  /** Patterns of context ids, in which `*` stands for any characters. */
  readonly contexts: readonly string[];
  readonly paths?: readonly string[];
  /** Signs what is sent; it is never told again. */
  readonly secret: string;
}

/** What became of dead letters that were sent again. */
export interface RedeliveryOutcome {
  readonly redelivered: number;
  /** Those that are still there. */
  readonly left: number;
  /** Why it ended before the last one. */
  readonly error?: string;
}

/** Targets that are told of changes. For admins of the server. All refuse an unknown id with WEBHOOK_NOT_FOUND. */
export interface WebhookService {
  /** In the order in which they were added. */
  list(caller: Caller): Promise<readonly WebhookStatus[]>;
  get(caller: Caller, id: string): Promise<WebhookReport>;
  /**
   * The target is told of what happens from now on, and from its beginning of a context that is made later.
   * @throws {ServiceError} TARGET_REFUSED, INVALID_REQUEST for the secret, LIMIT_EXCEEDED
   */
  add(caller: Caller, webhook: NewWebhook): Promise<WebhookStatus>;
  /** @throws {ServiceError} TARGET_REFUSED, INVALID_REQUEST for the secret */
  change(
    caller: Caller,
    id: string,
    change: { readonly url?: string; readonly secret?: string },
  ): Promise<WebhookStatus>;
  remove(caller: Caller, id: string): Promise<void>;
  pause(caller: Caller, id: string): Promise<WebhookStatus>;
  /** Goes on where it was, at once. */
  resume(caller: Caller, id: string): Promise<WebhookStatus>;
  /** Sends dead letters again, oldest first, until one fails or a time is over. */
  redeliver(caller: Caller, id: string, request: { readonly deliveryId?: string }): Promise<RedeliveryOutcome>;
  /** Sends a delivery that tells nothing. */
  test(caller: Caller, id: string): Promise<{ readonly durationMs: number; readonly error?: string }>;
}

/** What concerns the server as a whole. */
export interface ServerService {
  readonly tokens: TokenService;
  readonly audit: AuditService;
  readonly webhooks: WebhookService;
  readonly refusals: RefusalService;
  readonly monitor: MonitorService;
}

/** All that transports may ask. */
export interface Service extends ContextService {
  readonly server: ServerService;
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
  /** Whose a new token is, when the client sends one; without it, tokens are ignored. @throws {ServiceError} UNAUTHENTICATED */
  readonly verify?: (token: string) => Promise<Identity>;
}
