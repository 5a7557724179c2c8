/**
 * Who follows which context: topics and their sessions, what is due to be sent, and the tick that keeps lines alive.
 *
 * Invariants (SYNC):
 *  1. What is published in one event-loop turn is sent together, changes before the acks that name their versions.
 *  2. A topic exists exactly while it has sessions.
 *  3. One failing session never stops another from being served.
 *
 * Not here: admission, the log, loading (context-manager.ts orders them).
 */
import type { Clock } from "../clock.ts";
import { NO_MONITOR } from "../monitor-port.ts";
import type { Monitor } from "../monitor-port.ts";
import type { ServiceError } from "../../shared/errors.ts";
import type { ContextId } from "../../shared/ids.ts";
import type { JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Peers } from "../storage/peers.ts";
import { PeerPresence } from "./peer-presence.ts";
import { Topic } from "./topic.ts";
import type { Flushed, Member, Publication, TopicBeginning } from "./topic.ts";

/** In which a session's pace gives back the least that anything costs. */
const LATE_MS = Math.ceil(1000 / LIMITS.presencePerS);

export class SyncManager {
  readonly #clock: Clock;
  readonly #monitor: Pick<Monitor, "propagated">;
  readonly #topics = new Map<ContextId, Topic>();
  readonly #watchers = new Map<ContextId, Set<() => void>>();
  readonly #allWatchers = new Set<(id: ContextId) => void>();
  readonly #dueTopics = new Set<Topic>();
  readonly #dueSessions = new Set<Member>();
  /** Topics with presence that may not go out yet. */
  readonly #lateTopics = new Set<Topic>();
  readonly #peers: PeerPresence | undefined;
  #cancelLate: (() => void) | undefined;
  #isFlushScheduled = false;
  #cancelTick: (() => void) | undefined;

  /** @param peers servers of the same data, if there are any */
  constructor(clock: Clock, monitor: Pick<Monitor, "propagated"> = NO_MONITOR, peers?: Peers) {
    this.#clock = clock;
    this.#monitor = monitor;
    if (peers === undefined) return;
    this.#peers = new PeerPresence({
      peers,
      clock,
      presences: () => Array.from(this.#topics, ([id, { presence }]) => [id, presence] as const),
      presenceOf: (id) => this.#topics.get(id)?.presence,
      changed: (id) => this.#flushIfThere(id),
    });
  }

  start(): void {
    this.#cancelTick = this.#clock.setTimer(LIMITS.keepAliveMs / 4, () => {
      this.#tick();
      this.start();
    });
  }

  stop(): void {
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    this.#cancelLate?.();
    this.#cancelLate = undefined;
    this.#peers?.stop();
  }

  /** The context's topic; a new one begins at the given version and state vector. */
  topic(id: ContextId, begin: () => TopicBeginning): Topic {
    const known = this.#topics.get(id);
    if (known !== undefined) return known;
    const topic = new Topic(id, begin(), (entries) => this.#peers?.tell(id, entries));
    this.#topics.set(id, topic);
    this.#peers?.ask(id);
    return topic;
  }

  sessionsOf(id: ContextId): number {
    return this.#topics.get(id)?.sessions.size ?? 0;
  }

  join(topic: Topic, session: Member): void {
    topic.sessions.add(session);
  }

  leave(topic: Topic, session: Member): void {
    topic.sessions.delete(session);
    topic.presence.leave(session, this.#clock.monotonicMs());
    this.#dueSessions.delete(session);
    if (topic.sessions.size > 0) {
      this.#flushSoon(topic);
      return;
    }
    // nobody is left to hear it here
    this.#peers?.tell(topic.contextId, topic.presence.ours());
    if (this.#topics.get(topic.contextId) === topic) this.#topics.delete(topic.contextId);
    this.#dueTopics.delete(topic);
  }

  /** Durable changes of one context, in log order, the first of which was queued at `sinceMs`. */
  publish(id: ContextId, publications: readonly Publication[], sinceMs: number): void {
    const topic = this.#topics.get(id);
    if (topic !== undefined) {
      topic.publish(publications, sinceMs);
      this.#flushSoon(topic);
    }
    this.wake(id);
  }

  /** An event for the mcm.v1 sessions of a context, sent after what was published before it. */
  announce(id: ContextId, event: JsonObject): void {
    const topic = this.#topics.get(id);
    if (topic === undefined) return;
    topic.announce(event);
    this.#flushSoon(topic);
  }

  /** Something of this session is due at the end of the turn. */
  due(topic: Topic, session: Member): void {
    this.#dueSessions.add(session);
    this.#flushSoon(topic);
  }

  /** Ends all sessions of a context, and wakes its watchers so that they see for themselves. */
  endAll(id: ContextId, error: ServiceError): void {
    const topic = this.#topics.get(id);
    if (topic !== undefined) for (const session of [...topic.sessions]) session.end(error);
    this.wake(id);
  }

  /** Ends all sessions of a context whose document was recreated, after what they are owed; wakes its watchers. */
  endEpoch(id: ContextId): void {
    const topic = this.#topics.get(id);
    topic?.flush(this.#clock.monotonicMs());
    for (const session of [...(topic?.sessions ?? [])]) session.endEpoch();
    this.wake(id);
  }

  endEverything(error: ServiceError): void {
    for (const id of [...this.#topics.keys(), ...this.#watchers.keys()]) this.endAll(id, error);
  }

  /** Calls `task` after each publication and end of the context until the returned function is called. */
  watch(id: ContextId, task: () => void): () => void {
    const watchers = this.#watchers.get(id) ?? new Set();
    watchers.add(task);
    this.#watchers.set(id, watchers);
    return () => {
      watchers.delete(task);
      if (watchers.size === 0 && this.#watchers.get(id) === watchers) this.#watchers.delete(id);
    };
  }

  /** The contexts that `watch` was asked for. */
  watched(): Iterable<ContextId> {
    return this.#watchers.keys();
  }

  /** Has it sessions here? */
  isFollowed(id: ContextId): boolean {
    return this.#topics.has(id);
  }

  /** As `watch`, of all contexts and for good. */
  watchAll(task: (id: ContextId) => void): void {
    this.#allWatchers.add(task);
  }

  /** Something happened to the context elsewhere: its watchers see for themselves. */
  wake(id: ContextId): void {
    for (const task of this.#allWatchers) task(id);
    for (const task of this.#watchers.get(id) ?? []) task();
  }

  #flushIfThere(id: ContextId): void {
    const topic = this.#topics.get(id);
    if (topic !== undefined) this.#flushSoon(topic);
  }

  #flushSoon(topic: Topic): void {
    this.#dueTopics.add(topic);
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    this.#clock.defer(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushScheduled = false;
    const topics = [...this.#dueTopics];
    const sessions = [...this.#dueSessions];
    this.#dueTopics.clear();
    this.#dueSessions.clear();
    const nowMs = this.#clock.monotonicMs();
    for (const topic of topics) {
      const flushed = topic.flush(nowMs);
      if (flushed !== undefined) this.#tellPropagated(flushed);
      if (topic.presence.hasChanges) this.#flushLater(topic);
    }
    for (const session of sessions) session.flushOwn();
  }

  #tellPropagated({ changes, sinceMs }: Flushed): void {
    this.#monitor.propagated({ changes, durationMs: this.#clock.monotonicMs() - sinceMs });
  }

  /** Presence that came too fast goes out when its pace allows. */
  #flushLater(topic: Topic): void {
    this.#lateTopics.add(topic);
    this.#cancelLate ??= this.#clock.setTimer(LATE_MS, () => {
      this.#cancelLate = undefined;
      const topics = [...this.#lateTopics];
      this.#lateTopics.clear();
      for (const late of topics) if (this.#topics.get(late.contextId) === late) this.#flushSoon(late);
    });
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const topic of this.#topics.values()) {
      topic.presence.expire(nowMs);
      for (const session of topic.sessions) session.tick(nowMs);
      if (topic.presence.hasChanges) this.#flushSoon(topic);
    }
  }
}
