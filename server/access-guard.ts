/**
 * The facade as transports get it: asks whether the caller may, then hands over to ContextManager.
 *
 * Invariants (ACL):
 *  1. Every use case is here, so that none can be forgotten: what is not asked here does not compile.
 *  2. What a caller may not read is not there for it: CONTEXT_NOT_FOUND, in lists too.
 *
 * Where somebody writes is judged where the write is admitted (state/context-state.ts), for live edits too.
 *
 * Not here: who is calling (server/security), asking (context/doorkeeper.ts), what follows from a list (state/access).
 */
import type { ChangeRecord } from "../shared/change.ts";
import type { ContextId } from "../shared/ids.ts";
import type { JsonObject } from "../shared/json.ts";
import type { HeldLock } from "../shared/lock.ts";
import type { Health } from "../shared/monitoring.ts";
import type { WebhookStatus } from "../shared/webhook.ts";
import type {
  AccessService,
  AuditService,
  Caller,
  ChangeOutcome,
  ChangeRequest,
  ChangesRequest,
  ConflictService,
  ContextService,
  ContextSummary,
  ContextWatcher,
  DataService,
  FindRequest,
  HistoryService,
  ImportOutcome,
  ImportRequest,
  LockService,
  MonitorService,
  NewContext,
  Page,
  ReadContext,
  ServerService,
  Service,
  SessionOpener,
  SessionOptions,
  TokenService,
  TypeService,
  WebhookService,
} from "./context-service.ts";
import type { AccessAudit } from "./context/access-audit.ts";
import type { AccessWatch } from "./context/access-watch.ts";
import type { FeedRequest } from "./context/change-feed.ts";
import { Doorkeeper } from "./context/doorkeeper.ts";
import { guardedFeed, guardedServerFeed } from "./context/guarded-feed.ts";
import { guardedSessions } from "./context/guarded-sessions.ts";
import { accessTo, checkScope } from "./state/access/access-policy.ts";
import type { Guarded } from "./state/access/access-policy.ts";
import type { Session } from "./sync/session.ts";

/** What is guarded; ContextManager fits. */
interface Inner extends ContextService, SessionOpener {
  readonly readers: AccessWatch;
  guarded(id: ContextId): Guarded | Promise<Guarded | undefined>;
}

export class AccessGuard implements Service, SessionOpener {
  readonly history: HistoryService;
  readonly conflicts: ConflictService;
  readonly types: TypeService;
  readonly locks: LockService;
  readonly access: AccessService;
  readonly data: DataService;
  readonly server: ServerService;
  readonly #inner: Inner;
  readonly #door: Doorkeeper;
  readonly #audit: AccessAudit;

  constructor(inner: Inner, server: Omit<ServerService, "refusals">, audit: AccessAudit) {
    this.#inner = inner;
    this.#audit = audit;
    this.#door = new Doorkeeper({ guarded: (id) => inner.guarded(id), audit });
    this.server = {
      tokens: this.#guardTokens(server.tokens),
      audit: this.#guardAudit(server.audit),
      webhooks: this.#guardWebhooks(server.webhooks),
      refusals: {
        list: (caller, id) =>
          this.#door.may(caller, { id, need: "read" }, async () => {
            const { meta } = await inner.summary(caller, id);
            return audit.refusals(id, meta.createdAtMs);
          }),
      },
      monitor: this.#guardMonitor(server.monitor),
    };
    this.history = this.#guardHistory(inner.history);
    this.conflicts = this.#guardConflicts(inner.conflicts);
    this.types = this.#guardTypes(inner.types);
    this.locks = this.#guardLocks(inner.locks);
    this.access = this.#guardAccess(inner.access);
    this.data = this.#guardData(inner.data);
  }

  async create(caller: Caller, context: NewContext): Promise<ReadContext> {
    return this.#door.inScope(caller, "contexts:write", async () =>
      withRole(await this.#inner.create(caller, context), caller),
    );
  }

  async find(caller: Caller, request: FindRequest): Promise<Page<ContextSummary>> {
    return this.#door.inScope(caller, "contexts:read", async () => {
      const { items, ...page } = await this.#inner.find(caller, request);
      return { ...page, items: items.map((summary) => withRole(summary, caller)) };
    });
  }

  summary(caller: Caller, id: ContextId): Promise<ContextSummary> {
    return this.#door.may(caller, { id, need: "read" }, async () =>
      withRole(await this.#inner.summary(caller, id), caller),
    );
  }

  read(caller: Caller, id: ContextId, options: Parameters<ContextService["read"]>[2]): Promise<ReadContext> {
    return this.#door.may(caller, { id, need: "read" }, async () =>
      withRole(await this.#inner.read(caller, id, options), caller),
    );
  }

  change(caller: Caller, id: ContextId, request: ChangeRequest): Promise<ChangeOutcome> {
    return this.#door.may(caller, { id, need: "write" }, () => this.#inner.change(caller, id, request));
  }

  delete(caller: Caller, id: ContextId): Promise<void> {
    return this.#door.may(caller, { id, need: "admin", deed: "context.delete" }, () => this.#inner.delete(caller, id));
  }

  changes(caller: Caller, id: ContextId, request: ChangesRequest): Promise<Page<ChangeRecord>> {
    return this.#door.may(caller, { id, need: "read" }, () => this.#inner.changes(caller, id, request));
  }

  follow(caller: Caller, id: ContextId, request: FeedRequest): AsyncIterable<ChangeRecord> {
    return guardedFeed({ source: this.#inner, audit: this.#audit }, caller, id, request);
  }

  /** What it is told of is asked event by event. */
  watch(caller: Caller, watcher: ContextWatcher): () => void {
    checkScope(caller.identity, "contexts:read");
    return this.#inner.watch(caller, watcher);
  }

  health(): Health {
    return this.#inner.health();
  }

  /** Who may not create makes nothing by opening; who may enter is asked when the session begins, and as long as it lasts. */
  openSession(caller: Caller, id: ContextId, options: SessionOptions): Promise<Session> {
    const create = options.create && caller.identity.scopes.has("contexts:write");
    return this.#door.inScope(caller, "contexts:read", () =>
      this.#inner.openSession(caller, id, { ...options, create }),
    );
  }

  #guardHistory(inner: HistoryService): HistoryService {
    return {
      diff: (caller, id, request) =>
        this.#door.may(caller, { id, need: "read" }, () => inner.diff(caller, id, request)),
      blame: (caller, id, request) =>
        this.#door.may(caller, { id, need: "read" }, () => inner.blame(caller, id, request)),
      checkpoints: (caller, id) => this.#door.may(caller, { id, need: "read" }, () => inner.checkpoints(caller, id)),
      restore: (caller, id, request) =>
        this.#door.may(caller, { id, need: "write" }, () => inner.restore(caller, id, request)),
      undo: (caller, id, request) =>
        this.#door.may(caller, { id, need: "write" }, () => inner.undo(caller, id, request)),
      nameCheckpoint: (caller, id, request) =>
        this.#door.may(caller, { id, need: "write" }, () => inner.nameCheckpoint(caller, id, request)),
      forgetCheckpoint: (caller, id, name) =>
        this.#door.may(caller, { id, need: "admin", deed: "checkpoint.forget" }, () =>
          inner.forgetCheckpoint(caller, id, name),
        ),
      compact: (caller, id) =>
        this.#door.may(caller, { id, need: "admin", deed: "context.compact" }, () => inner.compact(caller, id)),
    };
  }

  #guardConflicts(inner: ConflictService): ConflictService {
    return {
      list: (caller, id, request) =>
        this.#door.may(caller, { id, need: "read" }, () => inner.list(caller, id, request)),
      resolve: (caller, id, request) =>
        this.#door.may(caller, { id, need: "write" }, () => inner.resolve(caller, id, request)),
    };
  }

  #guardTypes(inner: TypeService): TypeService {
    return {
      list: (caller) => this.#door.inScope(caller, "contexts:read", () => inner.list(caller)),
      get: (caller, name) => this.#door.inScope(caller, "contexts:read", () => inner.get(caller, name)),
      put: (caller, name, request) =>
        this.#door.asServerAdmin(caller, () => inner.put(caller, name, request), "type.put"),
      delete: (caller, name) => this.#door.asServerAdmin(caller, () => inner.delete(caller, name), "type.delete"),
    };
  }

  #guardLocks(inner: LockService): LockService {
    return {
      list: (caller, id) => this.#door.may(caller, { id, need: "read" }, () => inner.list(caller, id)),
      waiting: (caller, id) => this.#door.may(caller, { id, need: "read" }, () => inner.waiting(caller, id)),
      held: (caller) => this.#door.inScope(caller, "contexts:read", () => this.#heldBy(caller, inner)),
      acquire: (caller, id, request) =>
        this.#door.may(caller, { id, need: "write" }, () => inner.acquire(caller, id, request)),
      renew: (caller, id, lockId, options) =>
        this.#door.may(caller, { id, need: "write" }, () => inner.renew(caller, id, lockId, options)),
      release: (caller, id, lockId, options = {}) =>
        this.#door.may(
          caller,
          options.isForced === true ? { id, need: "admin", deed: "lock.force" } : { id, need: "read" },
          () => inner.release(caller, id, lockId, options),
        ),
    };
  }

  #guardAccess(inner: AccessService): AccessService {
    return {
      acl: (caller, id) => this.#door.may(caller, { id, need: "admin" }, () => inner.acl(caller, id)),
      setAcl: (caller, id, acl) =>
        this.#door.may(caller, { id, need: "admin", deed: "context.acl" }, () => inner.setAcl(caller, id, acl)),
      share: (caller, id, changes) =>
        this.#door.may(caller, { id, need: "admin", deed: "context.acl" }, () => inner.share(caller, id, changes)),
    };
  }

  #guardData(inner: DataService): DataService {
    return {
      exportJson: (caller, id) => this.#door.may(caller, { id, need: "read" }, () => inner.exportJson(caller, id)),
      exportYjs: (caller, id, encoding) =>
        this.#door.may(caller, { id, need: "read" }, () => inner.exportYjs(caller, id, encoding)),
      import: (caller, request) => this.#import(inner, caller, request),
      backup: (caller, write) => this.#door.asServerAdmin(caller, () => inner.backup(caller, write), "server.backup"),
    };
  }

  /** Who takes the place of a context deletes it; one that is not there yet is made like any other. */
  async #import(inner: DataService, caller: Caller, request: ImportRequest): Promise<ImportOutcome> {
    return this.#door.inScope(caller, "contexts:write", async () => {
      const { id, replace = false } = request;
      const isThere = replace && (await this.#inner.guarded(id)) !== undefined;
      if (!isThere) return inner.import(caller, { ...request, replace: false });
      return this.#door.may(caller, { id, need: "admin", deed: "context.delete" }, () => inner.import(caller, request));
    });
  }

  #guardTokens(inner: TokenService): TokenService {
    return {
      revoke: (caller, request) =>
        this.#door.asServerAdmin(caller, () => inner.revoke(caller, request), "token.revoke"),
      revocations: (caller) => this.#door.asServerAdmin(caller, () => inner.revocations(caller)),
    };
  }

  #guardAudit(inner: AuditService): AuditService {
    return { list: (caller, query) => this.#door.asServerAdmin(caller, () => inner.list(caller, query)) };
  }

  #guardWebhooks(inner: WebhookService): WebhookService {
    return {
      list: (caller) => this.#door.asServerAdmin(caller, () => inner.list(caller)),
      get: (caller, id) => this.#door.asServerAdmin(caller, () => inner.get(caller, id)),
      add: (caller, webhook) =>
        this.#door.asServerAdmin(caller, () => inner.add(caller, webhook), "webhook.add", webhookFacts),
      change: (caller, id, change) =>
        this.#door.asServerAdmin(caller, () => inner.change(caller, id, change), "webhook.change", webhookFacts),
      remove: (caller, id) =>
        this.#door.asServerAdmin(
          caller,
          () => inner.remove(caller, id),
          "webhook.remove",
          () => ({ webhook: id }),
        ),
      pause: (caller, id) =>
        this.#door.asServerAdmin(caller, () => inner.pause(caller, id), "webhook.change", webhookFacts),
      resume: (caller, id) =>
        this.#door.asServerAdmin(caller, () => inner.resume(caller, id), "webhook.change", webhookFacts),
      redeliver: (caller, id, request) => this.#door.asServerAdmin(caller, () => inner.redeliver(caller, id, request)),
      test: (caller, id) => this.#door.asServerAdmin(caller, () => inner.test(caller, id)),
    };
  }

  #guardMonitor(inner: MonitorService): MonitorService {
    return {
      metrics: (caller) => this.#door.asServerAdmin(caller, () => inner.metrics(caller)),
      stats: (caller) => this.#door.asServerAdmin(caller, () => inner.stats(caller)),
      alerts: (caller) => this.#door.asServerAdmin(caller, () => inner.alerts(caller)),
      followAlerts: (caller, { signal }) =>
        this.#door.asServerAdmin(caller, async () => {
          const follow = (ended: AbortSignal) => inner.followAlerts(caller, { signal: ended });
          return guardedServerFeed({ follow, readers: this.#inner.readers, audit: this.#audit }, caller, signal);
        }),
      sessions: (caller, request) => this.#door.asServerAdmin(caller, () => inner.sessions(caller, request)),
      ...guardedSessions(inner, { door: this.#door, readers: this.#inner.readers, audit: this.#audit }),
    };
  }

  async #heldBy(caller: Caller, inner: LockService): Promise<readonly HeldLock[]> {
    const held = await inner.held(caller);
    const contexts = await Promise.all(held.map(async ({ contextId }) => this.#inner.guarded(contextId)));
    return held.filter((_lock, index) => {
      const context = contexts[index];
      return context !== undefined && accessTo(context, caller.identity).mayRead;
    });
  }
}

function withRole<Summary extends ContextSummary>(summary: Summary, { identity }: Caller): Summary {
  const { role } = accessTo(summary.meta, identity);
  return role === undefined ? summary : { ...summary, role };
}

/** Of its address only the host: paths and queries of targets may be secrets. */
function webhookFacts({ id, url, keyId, state }: WebhookStatus): JsonObject {
  return { webhook: id, host: new URL(url).host, keyId, state };
}
