/**
 * The facade: one method per use case, for every transport. The order of the steps of a use case lives here, or in one of
 * the groups of use cases beside it (history, conflicts, types), and nowhere else.
 *
 * Invariants (CTX):
 *  1. Nothing leaves here that is not durable: replies, reads and versions wait for the log (P1).
 *  2. Every write of every transport goes through the context's queue into the one write path (P3).
 *
 * Not here: the steps of a write (write-path.ts), rules (state/), bytes on disk (storage/), sockets (transport/).
 */
import type * as Y from "yjs";
import type { ChangeRecord } from "../shared/change.ts";
import { ServiceError, toServiceError } from "../shared/errors.ts";
import type { MetaChange } from "../shared/context.ts";
import type { Acl } from "../shared/permission.ts";
import type { ContextId } from "../shared/ids.ts";
import type { Health } from "../shared/monitoring.ts";
import { LIMITS } from "../shared/limits.ts";
import { readData } from "../shared/read-data.ts";
import { changeFeed } from "./context/change-feed.ts";
import type { FeedRequest } from "./context/change-feed.ts";
import type { Clock } from "./clock.ts";
import type { ContextAccess, Glance, PlannedChange } from "./context-access.ts";
import type { AccessAudit } from "./context/access-audit.ts";
import { AccessWatch } from "./context/access-watch.ts";
import { vitalsOf } from "./context/context-vitals.ts";
import { ConflictThinning } from "./context/conflict-thinning.ts";
import { ContextEvents } from "./context/context-events.ts";
import { Follower } from "./context/follower.ts";
import { IdleUnload } from "./context/idle-unload.ts";
import { firstState } from "./context/first-state.ts";
import { ContextFinder } from "./context/context-finder.ts";
import type {
  AccessService,
  Caller,
  ChangeOutcome,
  ChangeRequest,
  ChangesPage,
  ChangesRequest,
  ConflictService,
  ContextService,
  ContextSummary,
  ContextWatcher,
  DataService,
  FindRequest,
  NewContext,
  Page,
  ReadContext,
  SessionOpener,
  SessionOptions,
  TypeService,
} from "./context-service.ts";
import type { HistoryManager } from "./history/history-manager.ts";
import { ChangeRequests } from "./context/change-requests.ts";
import { lockContextOf } from "./context/lock-context.ts";
import { LockClock } from "./context/lock-clock.ts";
import { LiveSessions } from "./context/live-sessions.ts";
import type { Logger } from "./monitor/logger.ts";
import { measured } from "./context/measured-service.ts";
import type { ContextMonitor } from "./monitor/context-monitor.ts";
import { whyOf } from "./context/refusals.ts";
import { answerRequest } from "./context/session-requests.ts";
import { acrossCompactions, Recreation } from "./context/recreation.ts";
import type { Guarded } from "./state/access/access-policy.ts";
import { contextNotFound } from "./state/context-not-found.ts";
import type { LockDesk } from "./state/locks/lock-desk.ts";
import { StateManager } from "./state/state-manager.ts";
import type { LiveContext, WriteResult } from "./state/state-manager.ts";
import type { Write } from "./state/writes.ts";
import type { Idempotency } from "./storage/change-log.ts";
import type { Peers } from "./storage/peers.ts";
import type { StorageManager } from "./storage/storage-manager.ts";
import { ClientIdPool } from "./sync/client-id-pool.ts";
import type { Session } from "./sync/session.ts";
import type { SyncManager } from "./sync/sync-manager.ts";
import type { TypeManager } from "./types/type-manager.ts";
import { Compaction } from "./use-cases/compaction.ts";
import type { Recreator } from "./use-cases/compaction.ts";
import { DataUseCases } from "./use-cases/data.ts";
import { InlineDocumentMaker } from "./use-cases/document-maker.ts";
import type { DocumentMaker } from "./use-cases/document-maker.ts";
import { ConflictUseCases } from "./use-cases/conflicts.ts";
import { HistoryUseCases } from "./use-cases/history.ts";
import { LockUseCases } from "./use-cases/locks.ts";
import type { LockAccess, LockContext } from "./use-cases/locks.ts";
import { SharingUseCases } from "./use-cases/sharing.ts";
import { TypeUseCases } from "./use-cases/context-types.ts";
import type { WebhookManager } from "./webhooks/webhook-manager.ts";
import { WritePath } from "./context/write-path.ts";
import type { PendingWrite } from "./context/write-path.ts";

type Live = LiveContext<PendingWrite>;

interface ContextManagerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly monitor: ContextMonitor;
  readonly storage: StorageManager;
  readonly sync: SyncManager;
  readonly history: HistoryManager;
  readonly types: TypeManager;
  readonly recreator: Recreator;
  readonly audit: AccessAudit;
  readonly webhooks: Pick<WebhookManager, "wake" | "deleting" | "recovered" | "vitals">;
  readonly peers?: Peers | undefined;
  /** On the caller's thread unless given. */
  readonly documents?: DocumentMaker;
}

export class ContextManager implements ContextService, SessionOpener, ContextAccess, LockAccess {
  readonly history: HistoryUseCases;
  readonly conflicts: ConflictService;
  readonly types: TypeService;
  readonly locks: LockUseCases;
  readonly access: AccessService;
  /** What is open because somebody may read. */
  readonly readers: AccessWatch;
  readonly data: DataService;
  readonly sessions: LiveSessions;
  readonly #clock: Clock;
  readonly #watch: ContextMonitor;
  /** For requests of sessions, which do not come through the transports' door. */
  readonly #measured: ContextService;
  readonly #storage: StorageManager;
  readonly #sync: SyncManager;
  readonly #past: HistoryManager;
  readonly #schemas: TypeManager;
  readonly #state: StateManager<PendingWrite>;
  readonly #finder: ContextFinder;
  readonly #changes: ChangeRequests;
  readonly #writePath: WritePath;
  readonly #lockClock: LockClock;
  readonly #follower: Follower;
  readonly #idle: IdleUnload;
  readonly #webhooks: ContextManagerOptions["webhooks"];
  readonly #events: ContextEvents;
  #isClosing = false;

  constructor(options: ContextManagerOptions) {
    const { clock, storage, sync, history, types, recreator, webhooks } = options;
    const { port: monitor } = options.monitor;
    this.#clock = clock;
    this.#watch = options.monitor;
    this.#measured = measured<ContextService>(this, { clock, monitor });
    this.#storage = storage;
    this.#sync = sync;
    this.#past = history;
    this.#schemas = types;
    this.#webhooks = webhooks;
    this.#changes = this.#changesOf(options);
    const desk = (id: ContextId) => this.#state.get(id)?.state.locks;
    this.locks = new LockUseCases({ ...options, access: this, monitor, desk });
    this.access = new SharingUseCases({
      acl: async (id) => (await this.look(id, () => undefined)).meta.acl,
      setAcl: (caller, id, acl) => this.#setAcl(caller, id, acl),
    });
    this.readers = new AccessWatch(clock);
    this.#events = new ContextEvents(this.readers, options.peers);
    this.#state = this.#stateOf(options);
    this.#finder = new ContextFinder({ ...options, state: this.#state });
    this.#lockClock = new LockClock({ clock, sync, state: this.#state, waiters: this.locks, events: this.#events });
    this.#idle = new IdleUnload(clock, this.#state);
    const told = {
      ...options,
      monitor,
      state: this.#state,
      locks: this.#lockClock,
      meta: { changed: (live: Live, change: MetaChange) => this.#metaChanged(live, change) },
      events: this.#events,
      readers: this.readers,
      drop: (live: Live, error: ServiceError) => this.#drop(live, error),
    };
    this.#follower = new Follower(told);
    this.#writePath = new WritePath({ ...told, conflicts: new ConflictThinning(options), others: this.#follower });
    this.sessions = new LiveSessions({ ...told, clientIds: new ClientIdPool(storage), watch: this.readers });
    const compaction = new Compaction(new Recreation({ ...told, others: this.#follower }), recreator);
    this.history = new HistoryUseCases({
      access: this,
      history,
      storage,
      clock,
      compact: async (caller, id) => (this.#assertOpen(), compaction.compact(caller, id)),
    });
    this.conflicts = new ConflictUseCases({ access: this, storage, clock, figures: this.#finder.figures });
    this.types = new TypeUseCases({ access: this, types, storage, clock });
    this.data = new DataUseCases({
      ...options,
      access: this,
      events: this.#events,
      remove: (caller, id) => this.delete(caller, id),
      onCreated: (id) => webhooks.wake(id),
      assertOpen: () => this.#assertOpen(),
      documents: options.documents ?? new InlineDocumentMaker(),
    });
    this.#listen(options);
  }

  #stateOf({ clock, storage, types }: ContextManagerOptions): StateManager<PendingWrite> {
    return new StateManager({
      load: (id) => storage.load(id),
      turns: clock,
      limits: LIMITS,
      nodeClientId: () => storage.nodeClientId,
      nodeSlot: () => (storage.isShared ? storage.nodeSlot : undefined),
      schemaOf: (meta) => types.schemaOf(meta.type),
      onLoaded: (live) => this.#loaded(live),
      onDropped: (live, error) => this.#dropped(live, error),
      onTurn: (live, writes) => this.#writePath.takeTurn(live, writes),
    });
  }

  #changesOf({ clock, storage }: ContextManagerOptions): ChangeRequests {
    return new ChangeRequests({
      clock,
      storage,
      surviving: (id, task) => this.#surviving(id, task),
      queued: (live, write, idempotency) => this.#queued(live, write, idempotency),
    });
  }

  #listen({ monitor, storage, sync, history, types, webhooks }: ContextManagerOptions): void {
    sync.watchAll((id) => webhooks.wake(id));
    storage.onRecovered(() => webhooks.recovered());
    storage.onShrunk((id, bytes) => this.#state.get(id)?.state.size.takes(bytes));
    types.onChange((name) => this.#state.useSchema(name, types.schemaOf(name)));
    monitor.watch({
      log: () => storage.status(),
      contexts: () => Array.from(this.#state.live(), (live) => vitalsOf(live, this.#clock.monotonicMs())),
      sessions: () => this.sessions.list(),
      historyQueue: () => history.queued,
      webhooks: () => webhooks.vitals(),
      isStopping: () => this.#isClosing,
    });
  }

  start(): void {
    this.#follower.start();
    this.#idle.start();
  }

  /** Refuses new work, ends all sessions, and waits until everything admitted is durable or known to be lost. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#idle.stop();
    this.#follower.stop();
    this.#lockClock.stop(shuttingDown());
    await this.#settled();
    this.#sync.endEverything(shuttingDown());
    this.#events.close(shuttingDown());
    await this.#settled();
  }

  health(): Health {
    return this.#watch.health();
  }

  async create(caller: Caller, context: NewContext): Promise<ReadContext> {
    this.#assertOpen();
    const { nodeClientId } = this.#storage;
    const schema = await this.#schemas.freshSchemaOf(context.type);
    const { meta, checkpoint, data } = firstState(caller, context, { clock: this.#clock, nodeClientId, schema });
    const created = await this.#storage.create(meta, checkpoint);
    this.#webhooks.wake(meta.id);
    this.#events.emit(created.meta, "created");
    return { ...created, data };
  }

  async find(caller: Caller, request: FindRequest): Promise<Page<ContextSummary>> {
    this.#assertOpen();
    return this.#finder.find(caller, request);
  }

  async summary(_caller: Caller, id: ContextId): Promise<ContextSummary> {
    this.#assertOpen();
    const summary = await this.#storage.summary(id);
    if (summary === undefined) throw contextNotFound();
    return summary;
  }

  async read(
    _caller: Caller,
    id: ContextId,
    { path, depth, version }: { readonly path: string; readonly depth?: number; readonly version?: number },
  ): Promise<ReadContext> {
    if (version !== undefined) {
      this.#assertOpen();
      return this.#past.read(id, { version, path, ...(depth === undefined ? {} : { depth }) });
    }
    const { meta, head, result } = await this.look(id, (doc) => readData(doc, path, depth));
    return { meta, head, data: result };
  }

  async look<Result>(id: ContextId, task: (doc: Y.Doc) => Result): Promise<Glance<Result>> {
    const glance = async ({ state, meta, lockSeq, durable }: Live): Promise<Glance<Result>> => {
      const result = task(state.doc);
      const head = { seq: state.seq, version: state.version, lockSeq, updatedAtMs: state.updatedAtMs };
      await durable;
      return { meta, head, result };
    };
    return this.#surviving(id, glance, true);
  }

  async change(caller: Caller, id: ContextId, request: ChangeRequest | PlannedChange): Promise<ChangeOutcome> {
    this.#assertOpen();
    const changes = this.#changes;
    return "plan" in request ? changes.planned(caller, id, request) : changes.requested(caller, id, request);
  }

  async delete(_caller: Caller, id: ContextId): Promise<void> {
    this.#assertOpen();
    const meta = this.#state.get(id)?.meta ?? (await this.#storage.summary(id))?.meta;
    // what is under way ends first, so that it is told of too, and nothing is appended after the end
    await this.#durable(id);
    await this.#webhooks.deleting(id);
    await this.#durable(id);
    // forgotten before it is removed: what still writes must not reach a new context of the same id
    this.#state.forget(id, contextNotFound());
    this.#sync.endAll(id, new ServiceError("CONTEXT_NOT_FOUND", "The context was deleted."));
    if (!(await this.#storage.remove(id)) || meta === undefined) throw contextNotFound();
    this.#webhooks.wake(id);
    this.#events.emit(meta, "deleted");
  }

  async changes(_caller: Caller, id: ContextId, request: ChangesRequest): Promise<ChangesPage> {
    this.#assertOpen();
    return this.#past.listChanges(id, request);
  }

  follow(caller: Caller, id: ContextId, request: FeedRequest): AsyncGenerator<ChangeRecord> {
    const source = {
      changes: (page: ChangesRequest) => this.changes(caller, id, page),
      watch: (context: ContextId, wake: () => void) => this.#sync.watch(context, wake),
    };
    return changeFeed(source, id, request);
  }

  watch(caller: Caller, watcher: ContextWatcher): () => void {
    this.#assertOpen();
    return this.#events.watch(caller, watcher);
  }

  async openSession(caller: Caller, id: ContextId, options: SessionOptions): Promise<Session> {
    this.#assertOpen();
    const live = await this.#acquireOrCreate(caller, id, options.create);
    return this.sessions.open(live, caller, options, (request, asker, leases) =>
      request.method === "release-client-id"
        ? this.#using(id, (context) => this.sessions.releaseId(context, asker, request.yjsClientId))
        : answerRequest(this.#measured, { caller: asker, id, leases }, request),
    );
  }

  /** What decides who may do what with a context, as far as it is durable; undefined when there is none. */
  guarded(id: ContextId): Guarded | Promise<Guarded | undefined> {
    const known = this.#storage.isShared ? undefined : this.#state.get(id)?.meta;
    return known ?? this.#storage.summary(id).then((found) => found?.meta);
  }

  lockDesks(): Iterable<readonly [ContextId, LockDesk]> {
    this.#assertOpen();
    return Array.from(this.#state.live(), ({ id, state }) => [id, state.locks] as const);
  }

  withLocks<T>(caller: Caller, id: ContextId, task: (context: LockContext) => Promise<T>, isFresh = false): Promise<T> {
    return this.#surviving(id, (live) => task(lockContextOf(live, caller, (...it) => this.#queued(...it))), isFresh);
  }

  async #setAcl({ identity, origin }: Caller, id: ContextId, acl: Acl): Promise<Acl> {
    const { actor } = identity;
    await this.#surviving(id, (live) => this.#queued(live, { kind: "meta", actor, identity, origin, change: { acl } }));
    return acl;
  }

  #metaChanged(live: Live, change: MetaChange): void {
    live.meta = { ...live.meta, ...change };
    this.readers.changed(live.meta);
    this.#events.emit(live.meta, "access");
  }

  /** What meets a compaction goes on in the new epoch. `isFresh`: no older than what any server has acknowledged. */
  #surviving<Result>(id: ContextId, task: (live: Live) => Promise<Result>, isFresh = false): Promise<Result> {
    return acrossCompactions(() => this.#using(id, task, isFresh));
  }

  #queued(live: Live, write: Write, idempotency?: Idempotency): Promise<WriteResult> {
    return new Promise((settle, refuse) => {
      const refused = (error: ServiceError): void => {
        const { kind, actor } = write;
        if (kind === "ops") this.#watch.port.refused({ kind: "json", contextId: live.id, actor, ...whyOf(error) });
        refuse(error);
      };
      this.#state.enqueue(live, {
        write,
        settle,
        refuse: refused,
        ...(idempotency === undefined ? {} : { idempotency }),
      });
    });
  }

  #loaded(live: Live): void {
    this.#lockClock.loaded(live);
    this.#watch.port.contextLoaded({ contextId: live.id, version: live.state.version });
  }

  #dropped(live: Live, error: ServiceError): void {
    this.#lockClock.dropped(live, error);
    const { code, rule = code } = whyOf(error);
    this.#watch.port.contextLeft({ contextId: live.id, reason: rule });
  }

  async #using<Result>(id: ContextId, task: (live: Live) => Promise<Result>, isFresh = false): Promise<Result> {
    this.#assertOpen();
    const contexts = isFresh && this.#storage.isShared ? this.#follower : this.#state;
    // without waiting when it is in memory: what a session asks takes its place among what it edits
    const live = contexts.retained(id) ?? (await contexts.acquire(id));
    try {
      return await task(live);
    } finally {
      this.#state.release(live);
    }
  }

  async #acquireOrCreate(caller: Caller, id: ContextId, create: boolean): Promise<Live> {
    try {
      return await this.#follower.acquire(id);
    } catch (error) {
      if (!create || toServiceError(error).code !== "CONTEXT_NOT_FOUND") throw error;
    }
    await this.create(caller, { id }).catch((error: unknown) => {
      // somebody else made it meanwhile: just as good
      if (toServiceError(error).code !== "ALREADY_EXISTS") throw error;
    });
    return this.#follower.acquire(id);
  }

  async #settled(): Promise<void> {
    await Promise.allSettled([...this.#state.live()].map((live) => live.durable));
  }

  #drop(live: Live, error: ServiceError): void {
    this.#state.drop(live, error);
    this.#sync.endAll(live.id, error);
  }

  async #durable(id: ContextId): Promise<void> {
    await this.#state.get(id)?.durable.catch(() => undefined);
  }

  #assertOpen(): void {
    if (this.#isClosing) throw shuttingDown();
    this.#follower.assertFresh();
  }
}

function shuttingDown(): ServiceError {
  return new ServiceError("SHUTTING_DOWN", "The server is stopping. Connect again in a moment.");
}
