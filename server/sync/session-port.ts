/**
 * Port: what a session is told about itself and may ask of the service. live-sessions.ts gives it.
 */
import type { ErrorCode, ServiceError } from "../../shared/errors.ts";
import type { Actor, ContextId } from "../../shared/ids.ts";
import type { Json } from "../../shared/json.ts";
import type { Batch } from "./connection.ts";
import type { UpdateSource } from "./data-frames.ts";

/** What a session may ask of the service. */
export interface SessionPort {
  /** Queues a live update. `done` is called when it is durable (or changed nothing), or refused. */
  applyUpdate(update: Uint8Array, source: UpdateSource, done: UpdateDone): void;
  /** Yjs client ids of earlier epochs of the context. */
  retired(): ReadonlySet<number>;
  /** By Yjs client id: the clock from which on its author's document may hold what was refused. */
  voids(): ReadonlyMap<number, number>;
  /** The document beyond `stateVector` as a SyncStep2 message; resolves when what it shows is durable. */
  encodeSince(stateVector: Uint8Array): Promise<Batch>;
  request(method: string, params: Json): Promise<Json>;
  /** The client has a new token. @throws {ServiceError} UNAUTHENTICATED */
  renew(token: string): Promise<void>;
  /** Presence or an ack of this session is to be sent at the end of this turn. */
  flushSoon(): void;
  /** The session is over. @param code why, when the server ended it */
  ended(code?: ErrorCode): void;
  /** The receiver does not keep up, or has caught up. */
  lagging(isBehind: boolean): void;
  nowMs(): number;
}

export type UpdateDone = (result: { readonly version: number } | ServiceError) => void;

export interface SessionInfo {
  readonly id: string;
  readonly contextId: ContextId;
  readonly epoch: number;
  readonly firstEpoch: number;
  readonly actor: Actor;
  /** A released Yjs client id of this actor that the session may write under. */
  readonly yjsClientId?: number;
  /** Speaks mcm.v1. */
  readonly isExtended: boolean;
}
