/**
 * Port: what happens in the server, told in plain numbers to whoever counts and logs it. server/monitor is the implementation.
 *
 * Invariants (MON):
 *  1. Telling returns at once, never fails, and changes nothing: a part works the same with NO_MONITOR.
 *  2. On the hot path a call stands for a turn, a batch or a flush, not for each change in it.
 *
 * Not here: what is asked instead of told (queues, memory, sessions): monitor/vitals.ts.
 */
import type { ConflictKind, ConflictPolicy } from "../shared/conflict.ts";
import type { ErrorCode } from "../shared/errors.ts";
import type { Actor, ContextId } from "../shared/ids.ts";
import type { SessionProtocol } from "../shared/monitoring.ts";

/** A use case that was answered, or refused with `code`. Its name is that of its method in context-service.ts. */
export interface Operated {
  readonly operation: string;
  readonly durationMs: number;
  readonly code?: ErrorCode;
  /** The context, or the type, that it is about. */
  readonly subject?: string;
  readonly actor?: Actor;
  readonly requestId?: string;
  readonly sessionId?: string;
}

export interface Requested {
  readonly method: string;
  /** The pattern that matched, such as /v1/contexts/:id; never the address itself, of which there are any number. */
  readonly route: string;
  readonly status: number;
}

/** What a turn's writes came to: live updates, JSON changes, what conflict policies wrote, what happened to locks and to access lists; voids. */
export interface TurnCounts {
  readonly updatesChanged: number;
  readonly updatesUnchanged: number;
  readonly jsonChanged: number;
  readonly jsonUnchanged: number;
  readonly policies: number;
  readonly locks: number;
  /** Access lists. */
  readonly metas: number;
  /** Refused live updates whose Yjs clocks were kept. */
  readonly voids: number;
}

/** The writes of one turn of a context are durable. */
export interface SettledTurn {
  readonly contextId: ContextId;
  readonly counts: TurnCounts;
  /** The context's version with them. */
  readonly version: number;
  /** From the queueing of the first of them to now. */
  readonly durationMs: number;
}

export type WriteKind = "update" | "json";

/** A write that somebody sent and that was not taken. `rule` is the reason within the code, where there is one. */
export interface RefusedWrite {
  readonly kind: WriteKind;
  readonly contextId: ContextId;
  readonly actor: Actor;
  readonly code: ErrorCode;
  readonly rule?: string;
  readonly sessionId?: string;
}

export interface FoundConflict {
  readonly contextId: ContextId;
  readonly kind: ConflictKind;
  readonly policy: ConflictPolicy;
}

export interface CommittedBatch {
  readonly entries: number;
  readonly bytes: number;
  readonly durationMs: number;
}

export interface LoadedContext {
  readonly contextId: ContextId;
  readonly version: number;
}

export interface LeftContext {
  readonly contextId: ContextId;
  /** `unused`, `compacted`, or the code of what happened. */
  readonly reason: string;
}

export interface PropagatedFlush {
  readonly changes: number;
  /** From the queueing of the first of them. */
  readonly durationMs: number;
}

export interface OpenedSession {
  readonly sessionId: string;
  readonly contextId: ContextId;
  readonly actor: Actor;
  readonly protocol: SessionProtocol;
}

/** Messages and their bytes, both ways, of one session. */
export interface Traffic {
  readonly framesIn: number;
  readonly bytesIn: number;
  readonly framesOut: number;
  readonly bytesOut: number;
}

export interface EndedSession extends OpenedSession {
  /** Why the server ended it; absent when the client went away. */
  readonly code?: ErrorCode;
  readonly durationMs: number;
  readonly traffic: Traffic;
}

/** What is kept so that it need not be worked out again: contexts of the log, encoded states, answers about the past. */
export type CacheName = "contexts" | "states" | "answers";

/** `refused`: at once, by somebody who did not want to wait. `timeout`: after the wait. `ended`: anything else went wrong. */
export type LockOutcome = "granted" | "refused" | "timeout" | "ended";

/** A batch of turns at contexts that other servers write too, decided and committed. */
export interface EngineTurn {
  readonly contexts: number;
  /** Of them, those in which others had appended what was not known here. */
  readonly contended: number;
  /** Until the locks were held and the heads read; until all was decided; until it was written and committed. */
  readonly lockMs: number;
  readonly decideMs: number;
  readonly commitMs: number;
}

/** `sent`: told to others. `heard`: from others. `lost`: what others should have told and did not. */
export type HintOutcome = "sent" | "heard" | "lost";

/** What happens between servers of one data and their database. */
export interface EngineMonitor {
  turned(turn: EngineTurn): void;
  /** `kind` is one of few words. */
  failed(kind: string): void;
  hinted(outcome: HintOutcome, count: number): void;
  /** Entries of another server were taken in, so long after the first of them was made by that server's clock. */
  followed(entries: number, durationMs: number): void;
}

export interface Monitor {
  readonly engine: EngineMonitor;

  operated(operation: Operated): void;
  requested(request: Requested): void;

  settled(turn: SettledTurn): void;
  refused(write: RefusedWrite): void;
  conflicted(conflict: FoundConflict): void;

  /** One batch is on the disk, fsynced. */
  committed(batch: CommittedBatch): void;
  commitFailed(): void;
  checkpointed(isMade: boolean): void;
  /** A read met bytes that are not what was written; undefined when they belong to no context. */
  damaged(contextId: ContextId | undefined): void;
  /** Nothing is damaged any more: it was read whole, or is gone. */
  undamaged(contextId: ContextId): void;
  cacheRead(cache: CacheName, isHit: boolean): void;

  contextLoaded(context: LoadedContext): void;
  /** It is not in memory any more: unused, deleted, recreated, or unsure. */
  contextLeft(context: LeftContext): void;

  sessionOpened(session: OpenedSession): void;
  sessionEnded(session: EndedSession): void;
  /** A receiver does not keep up: nothing more is queued for it. */
  fellBehind(session: OpenedSession): void;
  /** It has taken what there was and gets what it missed. */
  caughtUp(): void;
  /** Changes were handed to the sockets of those who follow their context. */
  propagated(flush: PropagatedFlush): void;

  /** Somebody asks for a lock; the returned function says how that ended. */
  lockAsked(): (outcome: LockOutcome) => void;
  /** A worker thread got something to do; the returned function says that it is done with it. */
  working(pool: string): (isDone: boolean) => void;
}

const nothing = (): void => undefined;

/** For parts that nobody watches. */
export const NO_MONITOR: Monitor = {
  engine: { turned: nothing, failed: nothing, hinted: nothing, followed: nothing },
  operated: nothing,
  requested: nothing,
  settled: nothing,
  refused: nothing,
  conflicted: nothing,
  committed: nothing,
  commitFailed: nothing,
  checkpointed: nothing,
  damaged: nothing,
  undamaged: nothing,
  cacheRead: nothing,
  contextLoaded: nothing,
  contextLeft: nothing,
  sessionOpened: nothing,
  sessionEnded: nothing,
  fellBehind: nothing,
  caughtUp: nothing,
  propagated: nothing,
  lockAsked: () => nothing,
  working: () => nothing,
};
