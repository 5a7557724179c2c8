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
import * as Y from "yjs";
import type { ChangeRecord } from "../shared/change.ts";
import type { ContextMeta } from "../shared/context.ts";
import { ServiceError, toServiceError } from "../shared/errors.ts";
import { parseContextId } from "../shared/ids.ts";
import type { ContextId } from "../shared/ids.ts";
import { LIMITS } from "../shared/limits.ts";
import { readData } from "../shared/read-data.ts";
import { changeFeed } from "./context/change-feed.ts";
import type { FeedRequest } from "./context/change-feed.ts";
import type { Clock } from "./clock.ts";
import type { ContextAccess, Glance, PlannedChange } from "./context-access.ts";
import { ConflictThinning } from "./context/conflict-thinning.ts";
import { findContexts } from "./context/context-finder.ts";
import type {
  Caller,
  ChangeOutcome,
  ChangeRequest,
  ChangesPage,
  ChangesRequest,
  ConflictService,
  ContextService,
  ContextSummary,
  FindRequest,
  NewContext,
  Page,
  ReadContext,
  SessionOpener,
  SessionOptions,
  TypeService,
} from "./context-service.ts";
import type { HistoryManager } from "./history/history-manager.ts";
import { IdempotentCalls } from "./context/idempotency.ts";
import { LockClock } from "./context/lock-clock.ts";
import { LiveSessions } from "./context/live-sessions.ts";
import type { Logger } from "./monitor/logger.ts";
import { olderTouches } from "./context/older-touches.ts";
import { answerRequest } from "./context/session-requests.ts";
import { Recreation, wasCompacted } from "./context/recreation.ts";
import { authorIdOf } from "./state/author-id.ts";
import { contextNotFound } from "./state/context-not-found.ts";
import { writeInitialData } from "./state/json/json-data.ts";
import type { Precondition } from "./state/precondition.ts";
import { StateManager } from "./state/state-manager.ts";
import type { LiveContext, WriteResult } from "./state/state-manager.ts";
import type { OpsWrite } from "./state/writes.ts";
import type { Idempotency } from "./storage/change-log.ts";
import type { StorageManager } from "./storage/storage-manager.ts";
import { ClientIdPool } from "./sync/client-id-pool.ts";
import type { Session } from "./sync/session.ts";
import type { SyncManager } from "./sync/sync-manager.ts";
import type { TypeManager } from "./types/type-manager.ts";
import { Compaction } from "./use-cases/compaction.ts";
import type { Recreator } from "./use-cases/compaction.ts";
import { ConflictUseCases } from "./use-cases/conflicts.ts";
import { HistoryUseCases } from "./use-cases/history.ts";
import { LockUseCases } from "./use-cases/locks.ts";
import type { LockAccess, LockContext } from "./use-cases/locks.ts";
import { TypeUseCases } from "./use-cases/context-types.ts";
import { WritePath } from "./context/write-path.ts";
import type { PendingWrite } from "./context/write-path.ts";

type Live = LiveContext<PendingWrite>;

interface ContextManagerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly storage: StorageManager;
  readonly sync: SyncManager;
  readonly history: HistoryManager;
  readonly types: TypeManager;
  readonly recreator: Recreator;
}

/** A write without what the context's turn gives it. */
type Asked = Omit<OpsWrite, "kind" | "actor" | "ifVersion"> & {
  readonly ifVersion?: Omit<Precondition, "older">;
  readonly idempotency?: Idempotency;
};

/** How often a write begins anew when the context was compacted under it. */
const COMPACTED_MAX = 3;

export class ContextManager implements ContextService, SessionOpener, ContextAccess, LockAccess {
  readonly history: HistoryUseCases;
  readonly conflicts: ConflictService;
  readonly types: TypeService;
  readonly locks: LockUseCases;
  readonly #clock: Clock;
  readonly #storage: StorageManager;
  readonly #sync: SyncManager;
  readonly #past: HistoryManager;
  readonly #schemas: TypeManager;
  readonly #state: StateManager<PendingWrite>;
  readonly #sessions: LiveSessions;
  readonly #idempotent: IdempotentCalls;
  readonly #writePath: WritePath;
  readonly #lockClock: LockClock;
  #isClosing = false;
  #cancelUnload: (() => void) | undefined;

  constructor(options: ContextManagerOptions) {
    const { clock, storage, sync, history, types, recreator } = options;
    this.#clock = clock;
    this.#storage = storage;
    this.#sync = sync;
    this.#past = history;
    this.#schemas = types;
    this.#idempotent = new IdempotentCalls(storage, clock);
    const drop = (live: Live, error: ServiceError): void => this.#drop(live, error);
    this.locks = new LockUseCases({ access: this, clock });
    this.#state = new StateManager({
      load: (id) => storage.load(id),
      turns: clock,
      limits: LIMITS,
      nodeClientId: () => storage.nodeClientId,
      schemaOf: (meta) => types.schemaOf(meta.type),
      onLoaded: (live) => this.#lockClock.loaded(live),
      onDropped: (live, error) => this.#lockClock.dropped(live, error),
      onTurn: (live, writes) => this.#writePath.takeTurn(live, writes),
    });
    this.#lockClock = new LockClock({ clock, sync, state: this.#state, waiters: this.locks });
    this.#writePath = new WritePath({
      ...options,
      conflicts: new ConflictThinning(options),
      locks: this.#lockClock,
      drop,
    });
    this.#sessions = new LiveSessions({ clock, sync, state: this.#state, clientIds: new ClientIdPool(storage) });
    const compaction = new Compaction(new Recreation({ ...options, state: this.#state, drop }), recreator);
    this.history = new HistoryUseCases({
      access: this,
      history,
      storage,
      clock,
      compact: async (caller, id) => {
        this.#assertOpen();
        return compaction.compact(caller, id);
      },
    });
    this.conflicts = new ConflictUseCases({ access: this, storage, clock });
    this.types = new TypeUseCases({ access: this, types, storage, clock });
    storage.onShrunk((id, bytes) => this.#state.get(id)?.state.size.takes(bytes));
    types.onChange((name) => {
      for (const live of this.#state.live()) {
        if (live.meta.type === name) live.state.useSchema(types.schemaOf(name));
      }
    });
  }

  start(): void {
    this.#cancelUnload = this.#clock.setTimer(LIMITS.idleUnloadMs / 4, () => {
      this.#state.unloadIdle();
      this.start();
    });
  }

  /** Refuses new work, ends all sessions, and waits until everything admitted is durable or known to be lost. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#cancelUnload?.();
    this.#lockClock.stop(shuttingDown());
    await this.#settled();
    this.#sync.endEverything(shuttingDown());
    await this.#settled();
  }

  readiness(): readonly string[] {
    const reasons: string[] = [];
    if (this.#isClosing) reasons.push("The server is stopping.");
    const { available, lastError } = this.#storage.status();
    if (!available) reasons.push(`The log cannot be written: ${lastError ?? "not open yet"}`);
    return reasons;
  }

  async create(caller: Caller, context: NewContext): Promise<ReadContext> {
    this.#assertOpen();
    const { data = {}, id = parseContextId(this.#clock.newId()), tags = [], ...described } = context;
    const schema = this.#schemas.schemaOf(context.type);
    const meta: ContextMeta = {
      ...described,
      id,
      tags,
      createdAtMs: this.#clock.nowMs(),
      createdBy: caller.actor,
      epoch: 1,
      firstEpoch: 1,
      authorSalt: this.#clock.randomUint32(),
    };
    const doc = new Y.Doc();
    doc.clientID = authorIdOf(this.#storage.nodeClientId, meta);
    writeInitialData(doc, schema?.markedData(data) ?? data);
    const state = Y.encodeStateAsUpdateV2(doc);
    if (state.byteLength > LIMITS.contextBytesMax) {
      throw new ServiceError(
        "TOO_LARGE",
        `A context may have ${LIMITS.contextBytesMax} bytes. Create it with less and split the rest.`,
      );
    }
    const written = readData(doc, "");
    schema?.check(written);
    const { authorSalt } = meta;
    const checkpoint = { seq: 0, version: 0, state, owners: [], retired: [], authorSalt, locks: [] };
    return { ...(await this.#storage.create(meta, checkpoint)), data: written };
  }

  async find(_caller: Caller, request: FindRequest): Promise<Page<ContextSummary>> {
    this.#assertOpen();
    return findContexts((after, limit) => this.#storage.list(after, limit), request);
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
    return this.#using(id, async (live) => {
      const { state, meta, lockSeq } = live;
      const result = task(state.doc);
      const head = { seq: state.seq, version: state.version, lockSeq, updatedAtMs: state.updatedAtMs };
      await live.durable;
      return { meta, head, result };
    });
  }

  change(caller: Caller, id: ContextId, request: ChangeRequest | PlannedChange): Promise<ChangeOutcome> {
    return "plan" in request ? this.#planned(caller, id, request) : this.#requested(caller, id, request);
  }

  async #requested(caller: Caller, id: ContextId, request: ChangeRequest): Promise<ChangeOutcome> {
    this.#assertOpen();
    const { ops, ifVersion: version, ifVersionScope: scope = "paths", message, lockTokens: tokens = [] } = request;
    const asked = {
      ops,
      origin: caller.origin,
      tokens,
      ...(version === undefined ? {} : { ifVersion: { version, scope } }),
      ...(message === undefined ? {} : { message }),
    };
    return this.#idempotent.once(id, caller.actor, request, async (idempotency) =>
      this.#write(caller, id, { ...asked, ...(idempotency === undefined ? {} : { idempotency }) }),
    );
  }

  async #planned(caller: Caller, id: ContextId, planned: PlannedChange): Promise<ChangeOutcome> {
    this.#assertOpen();
    const { plan, ifVersion: version, ...rest } = planned;
    const precondition = version === undefined ? {} : { ifVersion: { version, scope: "paths" as const } };
    return { ...(await this.#write(caller, id, { ...rest, ops: plan, ...precondition })), replayed: false };
  }

  async delete(_caller: Caller, id: ContextId): Promise<void> {
    this.#assertOpen();
    const live = this.#state.get(id);
    // what is under way ends first, so that nothing is appended after the end
    if (live !== undefined) await live.durable.catch(() => undefined);
    // forgotten before it is removed: what still writes must not reach a new context of the same id
    this.#state.forget(id, contextNotFound());
    this.#sync.endAll(id, new ServiceError("CONTEXT_NOT_FOUND", "The context was deleted."));
    if (!(await this.#storage.remove(id))) throw contextNotFound();
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

  async openSession(caller: Caller, id: ContextId, options: SessionOptions): Promise<Session> {
    this.#assertOpen();
    const live = await this.#acquireOrCreate(caller, id, options.create);
    return this.#sessions.open(live, caller, options, (request, leases) =>
      request.method === "release-client-id"
        ? this.#using(id, (context) => this.#sessions.releaseId(context, caller, request.yjsClientId))
        : answerRequest(this, { caller, id, leases }, request),
    );
  }

  async withLocks<Result>(
    caller: Caller,
    id: ContextId,
    task: (context: LockContext) => Promise<Result>,
  ): Promise<Result> {
    return this.#surviving(id, (live) =>
      task({
        desk: live.state.locks,
        durable: () => live.durable,
        write: (event) =>
          new Promise((settle, refuse) => {
            const write = { kind: "lock", ...caller, event } as const;
            this.#state.enqueue(live, { write, settle, refuse });
          }),
      }),
    );
  }

  /** A write that meets a compaction goes on in the new epoch: JSON changes do not depend on the document's history. */
  async #write(caller: Caller, id: ContextId, asked: Asked): Promise<WriteResult> {
    return this.#surviving(id, async (live) => this.#enqueue(live, caller, asked));
  }

  async #surviving<Result>(id: ContextId, task: (live: Live) => Promise<Result>): Promise<Result> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#using(id, task);
      } catch (error) {
        if (!wasCompacted(error) || tries === COMPACTED_MAX) throw error;
      }
    }
  }

  async #enqueue(live: Live, caller: Caller, { idempotency, ifVersion, ...rest }: Asked): Promise<WriteResult> {
    const { floor } = live.state.touches;
    const after = ifVersion?.scope === "paths" ? ifVersion.version : floor;
    const older = after < floor ? await olderTouches(this.#storage, live.id, { after, upTo: floor }) : undefined;
    const precondition = ifVersion && { ...ifVersion, ...(older === undefined ? {} : { older }) };
    return new Promise((resolve, reject) => {
      this.#state.enqueue(live, {
        write: {
          kind: "ops",
          actor: caller.actor,
          ...rest,
          ...(precondition === undefined ? {} : { ifVersion: precondition }),
        },
        ...(idempotency === undefined ? {} : { idempotency }),
        settle: resolve,
        refuse: reject,
      });
    });
  }

  async #using<Result>(id: ContextId, task: (live: Live) => Promise<Result>): Promise<Result> {
    this.#assertOpen();
    // without waiting when it is in memory: what a session asks takes its place among what it edits
    const live = this.#state.retained(id) ?? (await this.#state.acquire(id));
    try {
      return await task(live);
    } finally {
      this.#state.release(live);
    }
  }

  async #acquireOrCreate(caller: Caller, id: ContextId, create: boolean): Promise<Live> {
    try {
      return await this.#state.acquire(id);
    } catch (error) {
      if (!create || toServiceError(error).code !== "CONTEXT_NOT_FOUND") throw error;
    }
    await this.create(caller, { id }).catch((error: unknown) => {
      // somebody else made it meanwhile: just as good
      if (toServiceError(error).code !== "ALREADY_EXISTS") throw error;
    });
    return this.#state.acquire(id);
  }

  async #settled(): Promise<void> {
    await Promise.allSettled([...this.#state.live()].map((live) => live.durable));
  }

  #drop(live: Live, error: ServiceError): void {
    this.#state.drop(live, error);
    this.#sync.endAll(live.id, error);
  }

  #assertOpen(): void {
    if (this.#isClosing) throw shuttingDown();
  }
}

function shuttingDown(): ServiceError {
  return new ServiceError("SHUTTING_DOWN", "The server is stopping. Connect again in a moment.");
}
