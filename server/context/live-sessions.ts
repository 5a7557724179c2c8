/**
 * Opens live sessions: puts a session, its context in memory and its topic together; knows which are open.
 *
 * Invariants (CTX, ACL):
 *  1. A session's first messages are sent when all they show is durable.
 *  2. A session lasts while its actor may read and its newest token holds; each of its writes is judged by both.
 *
 * Not here: what a session says (sync/session.ts), what its requests do (session-requests.ts).
 */
import * as Y from "yjs";
import type { ErrorCode } from "../../shared/errors.ts";
import type { Json } from "../../shared/json.ts";
import type { SessionProtocol, SessionStats } from "../../shared/monitoring.ts";
import type { Clock } from "../clock.ts";
import type { Caller, SessionOptions } from "../context-service.ts";
import type { EndedSession, Monitor, OpenedSession } from "../monitor-port.ts";
import { accessTo } from "../state/access/access-policy.ts";
import { contextNotFound } from "../state/context-not-found.ts";
import type { LiveContext, StateManager } from "../state/state-manager.ts";
import type { ClientIdPool } from "../sync/client-id-pool.ts";
import type { Batch } from "../sync/connection.ts";
import { parseSessionRequest } from "../sync/requests.ts";
import type { SessionRequest } from "../sync/requests.ts";
import { Session } from "../sync/session.ts";
import { SessionLeases } from "../sync/session-leases.ts";
import type { SessionInfo, SessionPort } from "../sync/session-port.ts";
import { StateEncodings } from "../sync/state-encodings.ts";
import type { SyncManager } from "../sync/sync-manager.ts";
import type { Topic } from "../sync/topic.ts";
import type { AccessAudit } from "./access-audit.ts";
import type { AccessWatch } from "./access-watch.ts";
import { Bearer } from "./bearer.ts";
import { whyOf } from "./refusals.ts";
import type { PendingWrite } from "./write-path.ts";

type Live = LiveContext<PendingWrite>;

interface LiveSessionsOptions {
  readonly clock: Clock;
  readonly monitor: Monitor;
  readonly sync: SyncManager;
  readonly state: StateManager<PendingWrite>;
  readonly clientIds: ClientIdPool;
  readonly watch: AccessWatch;
  readonly audit: AccessAudit;
}

interface Opening {
  /** Wall clock. */
  readonly openedAtMs: number;
  readonly live: Live;
}

export interface OpenSession {
  readonly session: Session;
  readonly stats: SessionStats;
  /** The document of its context. */
  readonly doc: Y.Doc;
}

/** Carries a request out for `caller`, who is whoever the session's newest token says. */
type Answer = (request: SessionRequest, caller: Caller, leases: SessionLeases) => Promise<Json>;

export class LiveSessions {
  readonly #clock: Clock;
  readonly #monitor: Monitor;
  readonly #sync: SyncManager;
  readonly #state: StateManager<PendingWrite>;
  readonly #clientIds: ClientIdPool;
  readonly #watch: AccessWatch;
  readonly #audit: AccessAudit;
  readonly #encodings = new WeakMap<Live, StateEncodings>();
  readonly #open = new Map<Session, Opening>();

  constructor({ clock, monitor, sync, state, clientIds, watch, audit }: LiveSessionsOptions) {
    this.#clock = clock;
    this.#monitor = monitor;
    this.#sync = sync;
    this.#state = state;
    this.#clientIds = clientIds;
    this.#watch = watch;
    this.#audit = audit;
  }

  *list(): Iterable<SessionStats> {
    for (const [session, { openedAtMs }] of this.#open) yield this.#statsOf(session, openedAtMs);
  }

  find(id: string): OpenSession | undefined {
    for (const [session, { openedAtMs, live }] of this.#open)
      if (session.info.id === id) return { session, stats: this.#statsOf(session, openedAtMs), doc: live.state.doc };
    return undefined;
  }

  #statsOf(session: Session, openedAtMs: number): SessionStats {
    const { info, queueBytes, traffic } = session;
    const { id, contextId, actor } = info;
    const lagMs = session.lagMs(this.#clock.monotonicMs());
    return { id, contextId, actor, protocol: protocolOf(info), openedAtMs, queueBytes, lagMs, ...traffic };
  }

  /**
   * Takes over the caller's use of `live`, and ends it with the session.
   * @throws {ServiceError} CONTEXT_NOT_FOUND for who may not read it, STORE_UNAVAILABLE, or why the context was dropped meanwhile
   */
  async open(live: Live, caller: Caller, options: SessionOptions, answer: Answer): Promise<Session> {
    const yjsClientId = await this.#admitted(live, caller, options);
    // from here to join() nothing waits: a topic without sessions does not last
    const topic = this.#sync.topic(live.id, () => ({
      seq: live.state.seq,
      version: live.state.version,
      vector: Y.decodeStateVector(Y.encodeStateVector(live.state.doc)),
    }));
    const info = this.#infoOf(live, caller, { isExtended: options.isExtended, yjsClientId });
    const leases = new SessionLeases();
    const openedAtMs = this.#clock.monotonicMs();
    const bearer = new Bearer(caller, { info, audit: this.#audit, verify: options.verify });
    const port: SessionPort = {
      applyUpdate: (update, source, done) => {
        const { identity } = bearer.caller;
        this.#state.enqueue(live, {
          // `info` is a small object: it is remembered with what it wrote when the session is long gone
          write: { kind: "update", actor: info.actor, identity, update, source: info, leases, ...source },
          author: session,
          sessionId: info.id,
          settle: done,
          refuse: (error) => {
            this.#monitor.refused({ kind: "update", ...openedOf(info), ...whyOf(error) });
            bearer.denied("context.write", error);
            done(error);
          },
        });
      },
      retired: () => live.state.clientIds.retired,
      voids: () => live.state.voids,
      encodeSince: (stateVector) => this.#encodeSince(live, stateVector),
      request: async (method, params) => {
        const request = parseSessionRequest(method, params);
        return answer(request, bearer.caller, leases).catch((error: unknown) => {
          bearer.denied("context.write", error);
          throw error;
        });
      },
      renew: (token) => bearer.renew(token),
      flushSoon: () => this.#sync.due(topic, session),
      ended: (code) => {
        bearer.leave();
        leases.close();
        if (this.#open.delete(session)) {
          this.#monitor.sessionEnded(endedOf(session, this.#clock.monotonicMs() - openedAtMs, code));
        }
        this.#sync.leave(topic, session);
        this.#state.release(live);
      },
      lagging: (isBehind) => (isBehind ? this.#monitor.fellBehind(openedOf(info)) : this.#monitor.caughtUp()),
      nowMs: () => this.#clock.monotonicMs(),
    };
    const session = new Session(info, topic, options.connection, port);
    bearer.enter(session, live.meta, this.#watch);
    // it is over already when the token ended, or the list changed, since it was looked at
    if (!session.isClosed) this.#joined(topic, session, live);
    return this.#started(live, session);
  }

  #joined(topic: Topic, session: Session, live: Live): void {
    this.#sync.join(topic, session);
    this.#open.set(session, { openedAtMs: this.#clock.nowMs(), live });
    this.#monitor.sessionOpened(openedOf(session.info));
  }

  #infoOf(
    { id: contextId, meta }: Live,
    { identity: { actor } }: Caller,
    { isExtended, yjsClientId }: Pick<SessionInfo, "isExtended"> & { readonly yjsClientId: number | undefined },
  ): SessionInfo {
    return {
      id: this.#clock.newId(),
      contextId,
      epoch: meta.epoch,
      firstEpoch: meta.firstEpoch,
      actor,
      isExtended,
      ...(yjsClientId === undefined ? {} : { yjsClientId }),
    };
  }

  /** The caller says that nobody writes under this id of its any more. An id that is not its own is none to offer. */
  async releaseId(live: Live, { identity: { actor } }: Caller, yjsClientId: number): Promise<Json> {
    if (live.state.clientIds.ownerOf(yjsClientId) === actor)
      await this.#clientIds.release({ contextId: live.id, epoch: live.meta.epoch, actor }, yjsClientId);
    return {};
  }

  /** May the caller enter? If so, an id that it may write under, if there is one to use again. @throws {ServiceError} CONTEXT_NOT_FOUND */
  async #admitted(live: Live, caller: Caller, { isExtended }: SessionOptions): Promise<number | undefined> {
    const { identity } = caller;
    try {
      const { mayRead, mayWrite } = accessTo(live.meta, identity);
      if (!mayRead) throw contextNotFound();
      if (!isExtended || !mayWrite) return undefined;
      const { actor } = identity;
      const id = await this.#clientIds.take({ contextId: live.id, epoch: live.meta.epoch, actor });
      if (live.droppedBy !== undefined) throw live.droppedBy;
      return id;
    } catch (error) {
      this.#state.release(live);
      this.#audit.denied(caller, { action: "context.enter", contextId: live.id }, error);
      throw error;
    }
  }

  async #started(live: Live, session: Session): Promise<Session> {
    try {
      // the topic may have begun at a state with appends under way, and hello names its version
      await live.durable;
      if (live.droppedBy !== undefined) throw live.droppedBy;
    } catch (error) {
      session.closed();
      throw error;
    }
    session.start();
    return session;
  }

  async #encodeSince(live: Live, stateVector: Uint8Array): Promise<Batch> {
    let encodings = this.#encodings.get(live);
    if (encodings === undefined) this.#encodings.set(live, (encodings = new StateEncodings(this.#monitor)));
    const batch = encodings.since(live.state.doc, live.state.seq, stateVector);
    await live.durable;
    return batch;
  }
}

function protocolOf({ isExtended }: SessionInfo): SessionProtocol {
  return isExtended ? "mcm.v1" : "y-websocket";
}

function openedOf(info: SessionInfo): OpenedSession {
  const { id: sessionId, contextId, actor } = info;
  return { sessionId, contextId, actor, protocol: protocolOf(info) };
}

function endedOf({ info, traffic }: Session, durationMs: number, code: ErrorCode | undefined): EndedSession {
  return { ...openedOf(info), ...(code === undefined ? {} : { code }), durationMs, traffic };
}
