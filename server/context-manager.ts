/**
 * The facade: one method per use case, for every transport. The order of the steps of a use case lives here and nowhere else.
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
import type { Json } from "../shared/json.ts";
import { LIMITS } from "../shared/limits.ts";
import { overlaps, parsePath } from "../shared/path.ts";
import type { Clock } from "./clock.ts";
import type {
  Caller,
  ChangeOutcome,
  ChangeRequest,
  ContextService,
  ContextSummary,
  FindRequest,
  NewContext,
  Page,
  ReadContext,
  SessionOpener,
  SessionOptions,
} from "./context-service.ts";
import { IdempotentCalls } from "./idempotency.ts";
import type { Logger } from "./monitor/logger.ts";
import { writeInitialData } from "./state/json/json-data.ts";
import { readData } from "../shared/read-data.ts";
import { StateManager, notFound } from "./state/state-manager.ts";
import type { LiveContext, WriteResult } from "./state/state-manager.ts";
import type { Idempotency } from "./storage/change-log.ts";
import type { StorageManager } from "./storage/storage-manager.ts";
import type { Batch } from "./sync/connection.ts";
import { parseSessionRequest } from "./sync/requests.ts";
import { Session } from "./sync/session.ts";
import type { SessionPort } from "./sync/session.ts";
import { StateEncodings } from "./sync/state-encodings.ts";
import type { SyncManager } from "./sync/sync-manager.ts";
import { WritePath, toRecord } from "./write-path.ts";
import type { PendingWrite } from "./write-path.ts";

type Live = LiveContext<PendingWrite>;

interface ContextManagerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly storage: StorageManager;
  readonly sync: SyncManager;
}

/** Contexts that one `find` call looks at before it hands back a cursor. */
const FIND_SCAN_MAX = 10_000;

export class ContextManager implements ContextService, SessionOpener {
  readonly #clock: Clock;
  readonly #storage: StorageManager;
  readonly #sync: SyncManager;
  readonly #state: StateManager<PendingWrite>;
  readonly #encodings = new WeakMap<Live, StateEncodings>();
  readonly #idempotent: IdempotentCalls;
  readonly #writePath: WritePath;
  #isClosing = false;
  #cancelUnload: (() => void) | undefined;

  constructor(options: ContextManagerOptions) {
    const { clock, storage } = options;
    this.#clock = clock;
    this.#storage = storage;
    this.#sync = options.sync;
    this.#idempotent = new IdempotentCalls(storage, clock);
    this.#writePath = new WritePath({ ...options, drop: (live, error) => this.#drop(live, error) });
    this.#state = new StateManager({
      load: (id) => storage.load(id),
      turns: clock,
      limits: LIMITS,
      nodeClientId: () => storage.nodeClientId,
      onTurn: (live, writes) => this.#writePath.takeTurn(live, writes),
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
    const doc = new Y.Doc();
    doc.clientID = this.#storage.nodeClientId;
    writeInitialData(doc, data);
    const state = Y.encodeStateAsUpdateV2(doc);
    if (state.byteLength > LIMITS.contextBytesMax) {
      throw new ServiceError(
        "TOO_LARGE",
        `A context may have ${LIMITS.contextBytesMax} bytes. Create it with less and split the rest.`,
      );
    }
    const meta: ContextMeta = {
      ...described,
      id,
      tags,
      createdAtMs: this.#clock.nowMs(),
      createdBy: caller.actor,
      epoch: 1,
    };
    const summary = await this.#storage.create(meta, { seq: 0, version: 0, state, owners: [] });
    return { ...summary, data: readData(doc, "") };
  }

  async find(_caller: Caller, request: FindRequest): Promise<Page<ContextSummary>> {
    this.#assertOpen();
    const items: ContextSummary[] = [];
    let { after } = request;
    for (let scanned = 0; scanned < FIND_SCAN_MAX;) {
      const page = await this.#storage.list(after, LIMITS.listLimitMax);
      for (const summary of page) {
        after = summary.meta.id;
        if (matches(summary.meta, request)) items.push(summary);
        if (items.length === request.limit) return { items, next: after };
      }
      if (page.length < LIMITS.listLimitMax) return { items };
      scanned += page.length;
    }
    return { items, ...(after === undefined ? {} : { next: after }) };
  }

  async read(
    _caller: Caller,
    id: ContextId,
    options: { readonly path: string; readonly depth?: number },
  ): Promise<ReadContext> {
    return this.#using(id, async (live) => {
      const { state, meta, lockSeq } = live;
      const data = readData(state.doc, options.path, options.depth);
      const head = { seq: state.seq, version: state.version, lockSeq, updatedAtMs: state.updatedAtMs };
      await live.durable;
      return { meta, head, data };
    });
  }

  async change(caller: Caller, id: ContextId, request: ChangeRequest): Promise<ChangeOutcome> {
    this.#assertOpen();
    return this.#idempotent.once(id, caller.actor, request, async (idempotency) =>
      this.#using(id, (live) => this.#write(live, caller, request, idempotency)),
    );
  }

  async delete(_caller: Caller, id: ContextId): Promise<void> {
    this.#assertOpen();
    const live = this.#state.get(id);
    // what is under way ends first, so that nothing is appended after the end
    if (live !== undefined) await live.durable.catch(() => undefined);
    // forgotten before it is removed: what still writes must not reach a new context of the same id
    this.#state.forget(id, notFound());
    this.#sync.endAll(id, new ServiceError("CONTEXT_NOT_FOUND", "The context was deleted."));
    if (!(await this.#storage.remove(id))) throw notFound();
  }

  async changes(
    _caller: Caller,
    id: ContextId,
    request: { readonly since: number; readonly path?: string; readonly limit: number },
  ): Promise<Page<ChangeRecord>> {
    this.#assertOpen();
    if ((await this.#storage.summary(id)) === undefined) throw notFound();
    const wanted = request.path === undefined ? undefined : parsePath(request.path);
    const items: ChangeRecord[] = [];
    // a change's seq is at least its version, so nothing before this position can be meant
    let afterSeq = request.since;
    for (;;) {
      const entries = await this.#storage.read(id, afterSeq, LIMITS.listLimitMax);
      for (const entry of entries) {
        afterSeq = entry.seq;
        if (entry.kind !== "change" || entry.version <= request.since) continue;
        if (wanted !== undefined && !entry.paths.some((path) => overlaps(parsePath(path), wanted))) continue;
        items.push(toRecord(entry));
        if (items.length === request.limit) return { items, next: String(entry.version) };
      }
      if (entries.length < LIMITS.listLimitMax) return { items };
    }
  }

  async *follow(
    caller: Caller,
    id: ContextId,
    request: { readonly since: number; readonly path?: string; readonly signal: AbortSignal },
  ): AsyncGenerator<ChangeRecord> {
    const { signal, ...rest } = request;
    let news = new Signal();
    const wake = (): void => news.raise();
    const unwatch = this.#sync.watch(id, wake);
    signal.addEventListener("abort", wake);
    try {
      for (let since = rest.since; !signal.aborted;) {
        news = new Signal();
        // the log is the feed: whatever was missed while the receiver was busy is read from it
        const { items, next } = await this.changes(caller, id, { ...rest, since, limit: LIMITS.listLimitMax });
        yield* items;
        since = items.at(-1)?.version ?? since;
        if (next === undefined) await news.raised;
      }
    } finally {
      unwatch();
      signal.removeEventListener("abort", wake);
    }
  }

  async openSession(caller: Caller, id: ContextId, options: SessionOptions): Promise<Session> {
    this.#assertOpen();
    const live = await this.#acquireOrCreate(caller, id, options.create);
    const topic = this.#sync.topic(id, () => ({
      version: live.state.version,
      vector: Y.decodeStateVector(Y.encodeStateVector(live.state.doc)),
    }));
    const info = {
      id: this.#clock.newId(),
      contextId: id,
      epoch: live.meta.epoch,
      actor: caller.actor,
      isExtended: options.isExtended,
    };
    const port: SessionPort = {
      applyUpdate: (update, done) =>
        this.#state.enqueue(live, {
          write: { kind: "update", actor: caller.actor, update },
          author: session,
          settle: done,
          refuse: done,
        }),
      encodeSince: (stateVector) => this.#encodeSince(live, stateVector),
      request: (method, params) => this.#request(caller, id, method, params),
      flushSoon: () => this.#sync.due(topic, session),
      ended: () => {
        this.#sync.leave(topic, session);
        this.#state.release(live);
      },
      nowMs: () => this.#clock.monotonicMs(),
    };
    const session = new Session(info, topic, options.connection, port);
    this.#sync.join(topic, session);
    try {
      // the topic may have begun at a state with appends under way, and hello names its version
      await live.durable;
      if (live.isDropped)
        throw new ServiceError("STORE_UNAVAILABLE", "The context is being loaded again. Connect again in a moment.");
    } catch (error) {
      session.closed();
      throw error;
    }
    session.start();
    return session;
  }

  async #request(caller: Caller, id: ContextId, method: string, params: Json): Promise<Json> {
    const request = parseSessionRequest(method, params);
    if (request.method === "ping") return {};
    const { version, seq, paths, replayed } = await this.change(caller, id, request.change);
    return { version, seq, paths, replayed };
  }

  #write(
    live: Live,
    caller: Caller,
    request: ChangeRequest,
    idempotency: Idempotency | undefined,
  ): Promise<WriteResult> {
    const { ops, ifVersion, message } = request;
    return new Promise((resolve, reject) => {
      this.#state.enqueue(live, {
        write: {
          kind: "ops",
          actor: caller.actor,
          origin: caller.origin,
          ops,
          ...(ifVersion === undefined ? {} : { ifVersion }),
          ...(message === undefined ? {} : { message }),
        },
        ...(idempotency === undefined ? {} : { idempotency }),
        settle: resolve,
        refuse: reject,
      });
    });
  }

  async #encodeSince(live: Live, stateVector: Uint8Array): Promise<Batch> {
    let encodings = this.#encodings.get(live);
    if (encodings === undefined) this.#encodings.set(live, (encodings = new StateEncodings()));
    const batch = encodings.since(live.state.doc, live.state.seq, stateVector);
    await live.durable;
    return batch;
  }

  async #using<Result>(id: ContextId, task: (live: Live) => Promise<Result>): Promise<Result> {
    this.#assertOpen();
    const live = await this.#state.acquire(id);
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

function matches(meta: ContextMeta, { query, tag, type }: FindRequest): boolean {
  if (type !== undefined && meta.type !== type) return false;
  if (tag !== undefined && !meta.tags.includes(tag)) return false;
  if (query === undefined) return true;
  const needle = query.toLowerCase();
  return [meta.id, meta.name, meta.description].some((text) => text?.toLowerCase().includes(needle));
}

/** Something that happens once, and can be awaited. */
class Signal {
  raise: () => void = () => undefined;
  readonly raised: Promise<void> = new Promise((resolve) => {
    this.raise = resolve;
  });
}
