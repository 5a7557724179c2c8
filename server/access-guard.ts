/**
 * The facade as transports get it: asks whether the caller may, then hands over to ContextManager.
 *
 * Invariants (ACL):
 *  1. Every use case is here, so that none can be forgotten: what is not asked here does not compile.
 *  2. What a caller may not read is not there for it: CONTEXT_NOT_FOUND, in lists too.
 *  3. A question about a context in memory is answered at once: what a session asks keeps its place among its edits.
 *
 * Where somebody writes is judged where the write is admitted (state/context-state.ts), for live edits too.
 *
 * Not here: who is calling (server/security), what follows from a list (state/access).
 */
import type { ChangeRecord } from "../shared/change.ts";
import { ServiceError } from "../shared/errors.ts";
import type { ContextId } from "../shared/ids.ts";
import type { Scope } from "../shared/permission.ts";
import type {
  AccessService,
  Caller,
  ChangeOutcome,
  ChangeRequest,
  ChangesRequest,
  ConflictService,
  ContextService,
  ContextSummary,
  ContextWatcher,
  FindRequest,
  HeldLock,
  HistoryService,
  LockService,
  NewContext,
  Page,
  ReadContext,
  ServerService,
  Service,
  SessionOpener,
  SessionOptions,
  TokenService,
  TypeService,
} from "./context-service.ts";
import type { AccessWatch } from "./context/access-watch.ts";
import type { FeedRequest } from "./context/change-feed.ts";
import { guardedFeed } from "./context/guarded-feed.ts";
import { accessTo, checkScope, isServerAdmin } from "./state/access/access-policy.ts";
import type { Access, Guarded } from "./state/access/access-policy.ts";
import { contextNotFound } from "./state/context-not-found.ts";
import type { Session } from "./sync/session.ts";

/** What is guarded; ContextManager fits. */
interface Inner extends ContextService, SessionOpener {
  readonly readers: AccessWatch;
  guarded(id: ContextId): Guarded | Promise<Guarded | undefined>;
}

/** What a use case needs beyond reading. */
type Need = "read" | "write" | "admin";

export class AccessGuard implements Service, SessionOpener {
  readonly history: HistoryService;
  readonly conflicts: ConflictService;
  readonly types: TypeService;
  readonly locks: LockService;
  readonly access: AccessService;
  readonly server: ServerService;
  readonly #inner: Inner;

  constructor(inner: Inner, server: ServerService) {
    this.#inner = inner;
    this.server = { tokens: this.#guardTokens(server.tokens) };
    this.history = this.#guardHistory(inner.history);
    this.conflicts = this.#guardConflicts(inner.conflicts);
    this.types = this.#guardTypes(inner.types);
    this.locks = this.#guardLocks(inner.locks);
    this.access = this.#guardAccess(inner.access);
  }

  async create(caller: Caller, context: NewContext): Promise<ReadContext> {
    checkScope(caller.identity, "contexts:write");
    return withRole(await this.#inner.create(caller, context), caller);
  }

  async find(caller: Caller, request: FindRequest): Promise<Page<ContextSummary>> {
    checkScope(caller.identity, "contexts:read");
    const { items, ...page } = await this.#inner.find(caller, request);
    return { ...page, items: items.map((summary) => withRole(summary, caller)) };
  }

  summary(caller: Caller, id: ContextId): Promise<ContextSummary> {
    return this.#may(caller, id, "read", async () => withRole(await this.#inner.summary(caller, id), caller));
  }

  read(caller: Caller, id: ContextId, options: Parameters<ContextService["read"]>[2]): Promise<ReadContext> {
    return this.#may(caller, id, "read", async () => withRole(await this.#inner.read(caller, id, options), caller));
  }

  change(caller: Caller, id: ContextId, request: ChangeRequest): Promise<ChangeOutcome> {
    return this.#may(caller, id, "write", () => this.#inner.change(caller, id, request));
  }

  delete(caller: Caller, id: ContextId): Promise<void> {
    return this.#may(caller, id, "admin", () => this.#inner.delete(caller, id));
  }

  changes(caller: Caller, id: ContextId, request: ChangesRequest): Promise<Page<ChangeRecord>> {
    return this.#may(caller, id, "read", () => this.#inner.changes(caller, id, request));
  }

  follow(caller: Caller, id: ContextId, request: FeedRequest): AsyncIterable<ChangeRecord> {
    return guardedFeed(this.#inner, caller, id, request);
  }

  /** What it is told of is asked event by event. */
  watch(caller: Caller, watcher: ContextWatcher): () => void {
    checkScope(caller.identity, "contexts:read");
    return this.#inner.watch(caller, watcher);
  }

  readiness(): readonly string[] {
    return this.#inner.readiness();
  }

  /** Who may not create makes nothing by opening; who may enter is asked when the session begins, and as long as it lasts. */
  async openSession(caller: Caller, id: ContextId, options: SessionOptions): Promise<Session> {
    checkScope(caller.identity, "contexts:read");
    const create = options.create && caller.identity.scopes.has("contexts:write");
    return this.#inner.openSession(caller, id, { ...options, create });
  }

  #guardHistory(inner: HistoryService): HistoryService {
    return {
      diff: (caller, id, request) => this.#may(caller, id, "read", () => inner.diff(caller, id, request)),
      blame: (caller, id, request) => this.#may(caller, id, "read", () => inner.blame(caller, id, request)),
      checkpoints: (caller, id) => this.#may(caller, id, "read", () => inner.checkpoints(caller, id)),
      restore: (caller, id, request) => this.#may(caller, id, "write", () => inner.restore(caller, id, request)),
      undo: (caller, id, request) => this.#may(caller, id, "write", () => inner.undo(caller, id, request)),
      nameCheckpoint: (caller, id, request) =>
        this.#may(caller, id, "write", () => inner.nameCheckpoint(caller, id, request)),
      forgetCheckpoint: (caller, id, name) =>
        this.#may(caller, id, "admin", () => inner.forgetCheckpoint(caller, id, name)),
      compact: (caller, id) => this.#may(caller, id, "admin", () => inner.compact(caller, id)),
    };
  }

  #guardConflicts(inner: ConflictService): ConflictService {
    return {
      list: (caller, id, request) => this.#may(caller, id, "read", () => inner.list(caller, id, request)),
      resolve: (caller, id, request) => this.#may(caller, id, "write", () => inner.resolve(caller, id, request)),
    };
  }

  #guardTypes(inner: TypeService): TypeService {
    return {
      list: (caller) => this.#inScope(caller, "contexts:read", () => inner.list(caller)),
      get: (caller, name) => this.#inScope(caller, "contexts:read", () => inner.get(caller, name)),
      put: (caller, name, request) => this.#asServerAdmin(caller, () => inner.put(caller, name, request)),
      delete: (caller, name) => this.#asServerAdmin(caller, () => inner.delete(caller, name)),
    };
  }

  #guardLocks(inner: LockService): LockService {
    return {
      list: (caller, id) => this.#may(caller, id, "read", () => inner.list(caller, id)),
      held: (caller) => this.#inScope(caller, "contexts:read", () => this.#heldBy(caller, inner)),
      acquire: (caller, id, request) => this.#may(caller, id, "write", () => inner.acquire(caller, id, request)),
      renew: (caller, id, lockId, options) =>
        this.#may(caller, id, "write", () => inner.renew(caller, id, lockId, options)),
      release: (caller, id, lockId, options = {}) =>
        this.#may(caller, id, options.isForced === true ? "admin" : "read", () =>
          inner.release(caller, id, lockId, options),
        ),
    };
  }

  #guardAccess(inner: AccessService): AccessService {
    return {
      acl: (caller, id) => this.#may(caller, id, "admin", () => inner.acl(caller, id)),
      setAcl: (caller, id, acl) => this.#may(caller, id, "admin", () => inner.setAcl(caller, id, acl)),
      share: (caller, id, changes) => this.#may(caller, id, "admin", () => inner.share(caller, id, changes)),
    };
  }

  #guardTokens(inner: TokenService): TokenService {
    return {
      revoke: (caller, request) => this.#asServerAdmin(caller, () => inner.revoke(caller, request)),
      revocations: (caller) => this.#asServerAdmin(caller, () => inner.revocations(caller)),
    };
  }

  async #heldBy(caller: Caller, inner: LockService): Promise<readonly HeldLock[]> {
    const held = await inner.held(caller);
    const contexts = await Promise.all(held.map(({ contextId }) => this.#inner.guarded(contextId)));
    return held.filter((_lock, index) => {
      const context = contexts[index];
      return context !== undefined && accessTo(context, caller.identity).mayRead;
    });
  }

  async #may<Result>(caller: Caller, id: ContextId, need: Need, task: () => Promise<Result>): Promise<Result> {
    const guarded = this.#inner.guarded(id);
    // no wait for what is in memory (invariant 3)
    assertMay(guarded instanceof Promise ? await guarded : guarded, caller, need);
    return task();
  }

  async #inScope<Result>({ identity }: Caller, scope: Scope, task: () => Promise<Result>): Promise<Result> {
    checkScope(identity, scope);
    return task();
  }

  async #asServerAdmin<Result>({ identity }: Caller, task: () => Promise<Result>): Promise<Result> {
    if (!isServerAdmin(identity)) throw serverAdminOnly();
    return task();
  }
}

/** @throws {ServiceError} CONTEXT_NOT_FOUND, FORBIDDEN */
function assertMay(context: Guarded | undefined, { identity }: Caller, need: Need): void {
  // says nothing of the context
  checkScope(identity, "contexts:read");
  const access: Access | undefined = context && accessTo(context, identity);
  if (access?.mayRead !== true) throw contextNotFound();
  if (need === "write" && !access.mayWrite) throw access.readOnly();
  if (need === "admin") access.checkAdmin();
}

function withRole<Summary extends ContextSummary>(summary: Summary, { identity }: Caller): Summary {
  const { role } = accessTo(summary.meta, identity);
  return role === undefined ? summary : { ...summary, role };
}

function serverAdminOnly(): ServiceError {
  return new ServiceError(
    "FORBIDDEN",
    'Only an admin of the server may do this: whose token has the scope contexts:admin and the role admin in all contexts ("*").',
    { details: { rule: "role", action: "admin" } },
  );
}
