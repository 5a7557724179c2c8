/**
 * Opens live sessions: puts a session, its context in memory and its topic together.
 *
 * Invariant (CTX-1): a session's first messages are sent when all they show is durable.
 *
 * Not here: what a session says (sync/session.ts), which requests it may make (`request`, which context-manager.ts gives).
 */
import * as Y from "yjs";
import { ServiceError } from "../../shared/errors.ts";
import type { Json } from "../../shared/json.ts";
import type { Clock } from "../clock.ts";
import type { Caller, SessionOptions } from "../context-service.ts";
import type { LiveContext, StateManager } from "../state/state-manager.ts";
import type { Batch } from "../sync/connection.ts";
import { Session } from "../sync/session.ts";
import type { SessionPort } from "../sync/session.ts";
import { StateEncodings } from "../sync/state-encodings.ts";
import type { SyncManager } from "../sync/sync-manager.ts";
import type { PendingWrite } from "./write-path.ts";

type Live = LiveContext<PendingWrite>;

interface LiveSessionsOptions {
  readonly clock: Clock;
  readonly sync: SyncManager;
  readonly state: StateManager<PendingWrite>;
}

type Request = (method: string, params: Json) => Promise<Json>;

export class LiveSessions {
  readonly #clock: Clock;
  readonly #sync: SyncManager;
  readonly #state: StateManager<PendingWrite>;
  readonly #encodings = new WeakMap<Live, StateEncodings>();

  constructor({ clock, sync, state }: LiveSessionsOptions) {
    this.#clock = clock;
    this.#sync = sync;
    this.#state = state;
  }

  /** Takes over the caller's use of `live`, and ends it with the session. @throws {ServiceError} STORE_UNAVAILABLE */
  async open(live: Live, caller: Caller, options: SessionOptions, request: Request): Promise<Session> {
    const topic = this.#sync.topic(live.id, () => ({
      version: live.state.version,
      vector: Y.decodeStateVector(Y.encodeStateVector(live.state.doc)),
    }));
    const info = {
      id: this.#clock.newId(),
      contextId: live.id,
      epoch: live.meta.epoch,
      actor: caller.actor,
      isExtended: options.isExtended,
    };
    const port: SessionPort = {
      applyUpdate: (update, done) =>
        this.#state.enqueue(live, {
          write: { kind: "update", actor: caller.actor, update, source: session },
          author: session,
          settle: done,
          refuse: done,
        }),
      encodeSince: (stateVector) => this.#encodeSince(live, stateVector),
      request,
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

  async #encodeSince(live: Live, stateVector: Uint8Array): Promise<Batch> {
    let encodings = this.#encodings.get(live);
    if (encodings === undefined) this.#encodings.set(live, (encodings = new StateEncodings()));
    const batch = encodings.since(live.state.doc, live.state.seq, stateVector);
    await live.durable;
    return batch;
  }
}
