/**
 * Opens live sessions: puts a session, its context in memory and its topic together.
 *
 * Invariant (CTX-1): a session's first messages are sent when all they show is durable.
 *
 * Not here: what a session says (sync/session.ts), what its requests do (session-requests.ts).
 */
import * as Y from "yjs";
import type { Json } from "../../shared/json.ts";
import type { Clock } from "../clock.ts";
import type { Caller, SessionOptions } from "../context-service.ts";
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
import type { PendingWrite } from "./write-path.ts";

type Live = LiveContext<PendingWrite>;

interface LiveSessionsOptions {
  readonly clock: Clock;
  readonly sync: SyncManager;
  readonly state: StateManager<PendingWrite>;
  readonly clientIds: ClientIdPool;
}

type Answer = (request: SessionRequest, leases: SessionLeases) => Promise<Json>;

export class LiveSessions {
  readonly #clock: Clock;
  readonly #sync: SyncManager;
  readonly #state: StateManager<PendingWrite>;
  readonly #clientIds: ClientIdPool;
  readonly #encodings = new WeakMap<Live, StateEncodings>();

  constructor({ clock, sync, state, clientIds }: LiveSessionsOptions) {
    this.#clock = clock;
    this.#sync = sync;
    this.#state = state;
    this.#clientIds = clientIds;
  }

  /**
   * Takes over the caller's use of `live`, and ends it with the session.
   * @throws {ServiceError} STORE_UNAVAILABLE, or why the context was dropped meanwhile
   */
  async open(live: Live, caller: Caller, options: SessionOptions, answer: Answer): Promise<Session> {
    const yjsClientId = options.isExtended ? await this.#reusableId(live, caller) : undefined;
    // from here to join() nothing waits: a topic without sessions does not last
    const topic = this.#sync.topic(live.id, () => ({
      seq: live.state.seq,
      version: live.state.version,
      vector: Y.decodeStateVector(Y.encodeStateVector(live.state.doc)),
    }));
    const info: SessionInfo = {
      id: this.#clock.newId(),
      contextId: live.id,
      epoch: live.meta.epoch,
      firstEpoch: live.meta.firstEpoch,
      actor: caller.actor,
      isExtended: options.isExtended,
      ...(yjsClientId === undefined ? {} : { yjsClientId }),
    };
    const leases = new SessionLeases();
    const port: SessionPort = {
      applyUpdate: (update, source, done) =>
        this.#state.enqueue(live, {
          write: {
            kind: "update",
            actor: caller.actor,
            update,
            // a small object: it is remembered with what it wrote when the session is long gone
            source: info,
            leases,
            ...source,
          },
          author: session,
          settle: done,
          refuse: done,
        }),
      retired: () => live.state.clientIds.retired,
      voids: () => live.state.voids,
      encodeSince: (stateVector) => this.#encodeSince(live, stateVector),
      request: async (method, params) => answer(parseSessionRequest(method, params), leases),
      flushSoon: () => this.#sync.due(topic, session),
      ended: () => {
        leases.close();
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
      if (live.droppedBy !== undefined) throw live.droppedBy;
    } catch (error) {
      session.closed();
      throw error;
    }
    session.start();
    return session;
  }

  /** The caller says that nobody writes under this id of its any more. An id that is not its own is none to offer. */
  async releaseId(live: Live, { actor }: Caller, yjsClientId: number): Promise<Json> {
    if (live.state.clientIds.ownerOf(yjsClientId) === actor)
      await this.#clientIds.release({ contextId: live.id, epoch: live.meta.epoch, actor }, yjsClientId);
    return {};
  }

  async #reusableId(live: Live, { actor }: Caller): Promise<number | undefined> {
    try {
      const id = await this.#clientIds.take({ contextId: live.id, epoch: live.meta.epoch, actor });
      if (live.droppedBy !== undefined) throw live.droppedBy;
      return id;
    } catch (error) {
      this.#state.release(live);
      throw error;
    }
  }

  async #encodeSince(live: Live, stateVector: Uint8Array): Promise<Batch> {
    let encodings = this.#encodings.get(live);
    if (encodings === undefined) this.#encodings.set(live, (encodings = new StateEncodings()));
    const batch = encodings.since(live.state.doc, live.state.seq, stateVector);
    await live.durable;
    return batch;
  }
}
